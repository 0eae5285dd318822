"""How answers are used: the lowest tier, from the playbook's own upward, at which policy allows the act.

Policy never lowers a tier, because no lower one is ever asked about. Where no tier will do in the playbook's own mode,
the mode `approval` is asked about; where that will not do either, it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from grace.errors import Refused
from grace.model.approval import Person
from grace.model.contract import Contract, Mode
from grace.model.policy import PolicyAnswer
from grace.model.ruling import PolicyId, Ruling, Seen
from grace.policy.questions import Proposal, act, approve
from grace.ports import Policy

Tier = Literal[1, 2, 3]
REASON, SET_SHOWN = 180, 16
"""How much of the reasons and of the policy set's digest a refusal says: a head keeps 240 characters of it."""
TIERS: tuple[Tier, ...] = (1, 2, 3)


class Allowed(NamedTuple):
    """At which tier and in which mode it is allowed, by which policies, and which of them forbade less."""

    tier: Tier
    mode: Mode
    by: tuple[PolicyId, ...]
    raised_by: tuple[PolicyId, ...]


def decide(
    proposal: Proposal, seen: Seen, tags: dict[str, str], policy: Policy, *, tier: Tier, mode: Mode
) -> Allowed | PolicyAnswer:
    """Return the least that is allowed from `tier` and `mode` on, or the last denial when nothing is."""
    denied: list[PolicyAnswer] = []
    for mode_ in (mode, *((Mode.APPROVAL,) if mode is Mode.AUTONOMOUS else ())):
        for tier_ in TIERS[tier - 1 :]:
            answer = policy.ask(act(proposal, seen, tags, tier=tier_, mode=mode_))
            if answer.allowed:
                raised = tuple(dict.fromkeys(name for each in denied for name in each.policies))
                return Allowed(tier_, mode_, answer.policies, raised)
            denied.append(answer)
    return denied[-1]


def rule(contract: Contract, seen: Seen, tags: dict[str, str], policy: Policy) -> Contract:
    """Return the contract at the tier and in the mode that policy allows, with what it said.

    Raises:
        Refused: `policy`, it is allowed at no tier and in no mode.
        PolicyUnreadable: the policies could not be asked, so nothing is allowed.
    """
    found = decide(Proposal.of(contract), seen, tags, policy, tier=contract.tier, mode=contract.mode)
    if isinstance(found, PolicyAnswer):
        raise _denied(found, seen, policy)
    ruling = Ruling(
        digest=policy.digest,
        by=found.by,
        raised_by=found.raised_by,
        seen=seen,
        tags=policy.visible(tags),
    )
    return contract.model_copy(update={"tier": found.tier, "mode": found.mode, "policy": ruling})


def check(contract: Contract, seen: Seen, tags: dict[str, str], policy: Policy) -> tuple[PolicyId, ...]:
    """Ask again, as things are now, at the tier and in the mode that the contract has; return the policies that permit it.

    Raises:
        Refused: `policy`, it is no longer allowed.
        PolicyUnreadable: the policies could not be asked.
    """
    answer = policy.ask(act(Proposal.of(contract), seen, tags, tier=contract.tier, mode=contract.mode))
    if not answer.allowed:
        raise _denied(answer, seen, policy)
    return answer.policies


def bar(contract: Contract, people: Sequence[Person], tags: dict[str, str], policy: Policy) -> Contract:
    """Return the contract with the people whom policy does not let decide it."""
    ruling = contract.policy
    if ruling is None:
        return contract
    proposal = Proposal.of(contract)
    barred: dict[str, tuple[PolicyId, ...]] = {}
    for person in people:
        answer = policy.ask(approve(proposal, ruling.seen, tags, person, tier=contract.tier))
        if not answer.allowed:
            barred[person.id] = answer.policies
    by = tuple(sorted({name for names in barred.values() for name in names}))
    return contract.model_copy(update={"policy": ruling.model_copy(update={"barred": tuple(barred), "barred_by": by})})


def _denied(answer: PolicyAnswer, seen: Seen, policy: Policy) -> Refused:
    """Return the refusal with the policy set it is by, so that what is written of it names both."""
    found = refusal(answer, seen)
    return Refused(found.code, f"{str(found)[:REASON]}; policy set {policy.digest[:SET_SHOWN]}")


def refusal(answer: PolicyAnswer, seen: Seen) -> Refused:
    """Return why it is not allowed, in the policies' own words."""
    if not answer.policies:
        return Refused("policy", "no policy permits it")
    told = [
        f"{reason or 'forbidden'}{f' ({seen.frozen})' if name == 'calendar.freeze' else ''} [{name}]"
        for name, reason in zip(answer.policies, answer.reasons, strict=True)
    ]
    return Refused("policy", "; ".join(told))
