"""A plain act on a plain resource, to be changed by one fact at a time."""

from __future__ import annotations

from typing import Any

from grace.model.contract import EffectClass, Mode, Undo
from grace.model.policy import PolicyFile
from grace.model.resource import ResourceRef
from grace.model.ruling import Seen
from grace.policy.questions import Proposal, act
from grace.ports import Policy
from tests.support.world import ACCOUNT, REGION, policies

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop:live"
TAGS = {"grace:managed": "true"}
SEEN = Seen(
    confidence=800, acted=20, failures=0, breaker_open=False, in_flight=0, in_window=True, weekday=3, hour=12, minute=0
)


def proposal(**changes: Any) -> Proposal:
    fields: dict[str, Any] = {
        "playbook": "roll_back_lambda_alias",
        "action": "shift_alias",
        "undo": Undo.RESTORE,
        "effect": EffectClass.COMPARE_AND_SET,
        "diagnosis": "elevated_errors",
        "likelihood": 0.8,
        "resource": ResourceRef(type="AWS::Lambda::Alias", arn=ARN),
    }
    return Proposal(**(fields | changes))


def asked(
    policy: Policy, *, tier: int = 1, mode: Mode = Mode.AUTONOMOUS, **changes: Any
) -> tuple[bool, tuple[str, ...]]:
    """Ask about the plain act with some facts changed: `tags`, those of `Seen`, those of `Proposal`."""
    tags = changes.pop("tags", TAGS)
    of_seen = {key: changes.pop(key) for key in list(changes) if key in Seen.model_fields}
    answer = policy.ask(act(proposal(**changes), SEEN.model_copy(update=of_seen), tags, tier=tier, mode=mode))
    return answer.allowed, answer.policies


def own(text: str, name: str = "team.cedar") -> PolicyFile:
    return PolicyFile(name=name, text=text)


__all__ = ["ARN", "SEEN", "TAGS", "asked", "own", "policies", "proposal"]
