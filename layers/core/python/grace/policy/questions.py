"""From a proposed act and what is seen to the questions that policy is asked."""

from __future__ import annotations

from typing import NamedTuple

from grace.model.approval import Person
from grace.model.contract import Contract, EffectClass, Mode, Undo
from grace.model.policy import Question
from grace.model.resource import ResourceRef
from grace.model.ruling import Seen

MANAGED, PART = "grace:managed", "grace:part"
"""The tags by which a resource is given into Grace's hands, and by which Grace's own parts are known."""
_PRODUCTION_KEYS = ("environment", "env", "stage")
_PRODUCTION = frozenset({"prod", "production", "live"})


class Proposal(NamedTuple):
    """What would be done by which playbook, to what, and why. `cost_per_hour` in US dollars, where it is known."""

    playbook: str
    action: str
    undo: Undo
    effect: EffectClass
    diagnosis: str
    likelihood: float
    resource: ResourceRef
    owner: str = "none"
    requested_by: str = "grace"
    concerned: frozenset[str] = frozenset()
    attempt: int = 1
    cost_per_hour: float | None = None

    @classmethod
    def of(cls, contract: Contract) -> Proposal:
        """Return what a contract proposes."""
        return cls(
            playbook=contract.playbook,
            action=contract.action.use,
            undo=contract.action.undo,
            effect=contract.action.effect,
            diagnosis=contract.diagnosis.value,
            likelihood=contract.likelihood,
            resource=contract.resource,
            owner=contract.owner.kind,
            requested_by=contract.requested_by,
            concerned=frozenset({contract.requested_by, *contract.caused_by}),
            attempt=contract.attempt,
            cost_per_hour=contract.cost_per_hour,
        )


def is_production(tags: dict[str, str]) -> bool:
    """Return whether the usual tags call the resource production; their keys and values in any case."""
    lower = {key.lower(): value.lower() for key, value in tags.items()}
    return any(lower.get(key) in _PRODUCTION for key in _PRODUCTION_KEYS)


def act(proposal: Proposal, seen: Seen, tags: dict[str, str], *, tier: int, mode: Mode) -> Question:
    """Ask whether the playbook may do this to the resource, at that tier and in that mode."""
    context: dict[str, str | int | bool] = {
        "tier": tier,
        "mode": mode.value,
        "diagnosis": proposal.diagnosis,
        "likelihood": round(proposal.likelihood * 1000),
        "undo": proposal.undo.value,
        "effect": proposal.effect.value,
        "owner": proposal.owner,
        "requested_by": proposal.requested_by,
        "attempt": proposal.attempt,
        # Nothing verifies backups yet, so no act that erases data is ever allowed.
        "backup_verified": False,
        # What is not known is not there: zero would be an answer.
        **{name: found for name in Seen.model_fields if (found := getattr(seen, name)) is not None},
        "frozen": bool(seen.frozen),
    }
    if proposal.cost_per_hour is not None:
        context["cost_cents"] = round(proposal.cost_per_hour * 100)
    return Question(
        principal=("Playbook", proposal.playbook),
        action=proposal.action,
        resource=proposal.resource.arn,
        attributes=_attributes(proposal.resource, tags),
        tags=tags,
        context=context,
    )


def approve(proposal: Proposal, seen: Seen, tags: dict[str, str], person: Person, *, tier: int) -> Question:
    """Ask whether a person may decide it."""
    return Question(
        principal=("Person", person.id),
        groups=person.groups,
        action="approve",
        resource=proposal.resource.arn,
        attributes=_attributes(proposal.resource, tags),
        tags=tags,
        context={
            "playbook": proposal.playbook,
            "tier": tier,
            "concerned": person.id in proposal.concerned,
            "weekday": seen.weekday,
            "hour": seen.hour,
            "minute": seen.minute,
        },
    )


def _attributes(resource: ResourceRef, tags: dict[str, str]) -> dict[str, str | bool]:
    return {
        "account": resource.account,
        "region": resource.region,
        "service": resource.service,
        "type": resource.type,
        "managed": tags.get(MANAGED) == "true",
        "part_of_grace": PART in tags,
        "production": is_production(tags),
    }
