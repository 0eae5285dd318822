"""The sentences: what a status means for the resource, what to do next, and a promise in words."""

from __future__ import annotations

from datetime import UTC, datetime

from grace.flow.autonomy import Autonomy
from grace.model.contract import ContractHead, ContractStatus, Undo
from grace.model.mission import Mission, MissionStatus
from grace.model.records import ShadowJudgement, ShadowResult
from grace.model.wording import alarm_name
from infra.cli.dossier import Dossier

S = ContractStatus

KEPT = frozenset({S.VERIFIED, S.PARTIAL})
MOVING = frozenset({S.DRAFTED, S.AWAITING_APPROVAL, S.APPROVED, S.EXECUTING, S.VERIFYING, S.ROLLING_BACK})

_SAFE: dict[ContractStatus, str] = {
    S.DRAFTED: "Yes. Nothing has been done to it.",
    S.AWAITING_APPROVAL: "Yes. Nothing has been done to it; people have been asked.",
    S.APPROVED: "Yes. Nothing has been done to it yet; it is about to be.",
    S.EXECUTING: "It is being changed now. Whatever fails from here on is put back.",
    S.VERIFYING: "It is changed and not proven yet. What was promised is measured, and put back if it does not hold.",
    S.ROLLING_BACK: "It is being put back as it was.",
    S.VERIFIED: "Yes. What was promised was measured and holds.",
    S.PARTIAL: "Yes. All that must hold was measured and holds; something that should hold does not.",
    S.ROLLED_BACK: "Yes. It was measured to be as it was before. What raised the alarm is not solved.",
    S.SAFE_HOLD: "Not known. It is left as it is, and nobody of ours touches it until a person releases it.",
    S.DENIED: "Yes. Nothing was done to it.",
    S.EXPIRED: "Yes. Nothing was done to it: nobody decided in time.",
    S.SUPERSEDED: "Yes. Nothing was done to it: the alarm recovered by itself.",
    S.REFUSED: "Yes. Nothing was done to it.",
    S.SHADOWED: "Yes. Nothing was done to it: the playbook is in shadow.",
}

_BACK_BUT = (
    "It was measured to be as it was before, but its alarm is worse or says nothing. Nobody of ours touches it until a"
    " person releases it."
)

_UNDER_WAY = ("Wait: the next look is due by {deadline}.", "Undo it now: grace rollback {key} --reason '…'")
_OWNED = ("Make it permanent where it is declared: {owner}.",)
_OPEN_AGAIN = (
    "See what still stands in the way: grace why '{subject}'",
    "Draft it again: grace retry {mission} --reason '…'",
)
_NEXT: dict[ContractStatus, tuple[str, ...]] = {
    S.DRAFTED: _UNDER_WAY,
    S.AWAITING_APPROVAL: ("Decide until {until} ({who}; {need} needed): grace decide {key} approve|reject",),
    S.APPROVED: _UNDER_WAY,
    S.EXECUTING: _UNDER_WAY,
    S.VERIFYING: _UNDER_WAY,
    S.ROLLING_BACK: ("Wait: the putting back is measured by {deadline}.",),
    S.VERIFIED: _OWNED,
    S.PARTIAL: _OWNED,
    S.ROLLED_BACK: _OPEN_AGAIN,
    S.REFUSED: _OPEN_AGAIN,
    S.EXPIRED: _OPEN_AGAIN,
    S.DENIED: _OPEN_AGAIN,
    S.SAFE_HOLD: (
        "Look at {resource} yourself.",
        "When it is as it should be: grace release '{resource}' --reason '…'",
    ),
}

_SPEAKS = {"for": "for acting", "against": "against acting", "neither": "neither for acting nor against it"}

COLOURS: dict[ContractStatus, str] = {
    S.VERIFIED: "green",
    S.PARTIAL: "yellow",
    S.ROLLED_BACK: "yellow",
    S.SAFE_HOLD: "red",
    S.AWAITING_APPROVAL: "magenta",
}


def colour(status: ContractStatus) -> str:
    """Return the colour a status is written in."""
    return COLOURS.get(status, "cyan" if status in MOVING else "white")


def acted(found: Autonomy) -> str:
    """Return what a playbook's acts came to, for example `7 of 9 verified, 2 undone: at least 50 %`."""
    if found.bound is None:
        return "no record"
    counts = {
        "did not last": found.verified - found.lasted,
        "in part": found.partial,
        "undone": found.rolled_back,
        "in safe-hold": found.safe_hold,
    }
    told = [
        f"{found.verified} of {found.acted} verified",
        *(f"{count} {name}" for name, count in counts.items() if count),
    ]
    return f"{', '.join(told)}: at least {int(100 * found.bound)} %"  # rounded down: it is a lower bound


def in_shadow(found: Autonomy) -> str:
    """Return what was judged in shadow, for example `3 for, 4 against (4 recovered alone)`."""
    told = ", ".join(f"{found.speaks[side]} {side}" for side in ("for", "against", "neither") if side in found.speaks)
    alone = found.shadow.get(ShadowResult.RECOVERED, 0)
    return told + (f" ({alone} recovered alone)" if alone else "")


def judged(found: ShadowJudgement) -> str:
    """Return what became of an incident that a playbook in shadow would have acted on."""
    if found.result is None:
        return f"not yet: at {clock(found.due)}, on what happened by then"
    return f"{found.result.value}, which speaks {_SPEAKS[found.result.speaks]}: {found.says}"


def safe(found: Dossier) -> str:
    """Return whether the resource is safe now."""
    if found.head.status is S.SAFE_HOLD and found.outcome and found.outcome.restored:
        return _BACK_BUT
    return _SAFE[found.head.status]


def next_steps(found: Dossier) -> list[str]:
    """Return what a person can do now, each with its command."""
    head, contract = found.head, found.contract
    steps = _NEXT.get(head.status, ("Nothing.",))
    if head.status is S.AWAITING_APPROVAL and found.approval is None:
        steps = ("Wait: the approval is being written.",)
    if head.status in KEPT and contract.owner.kind == "none":
        steps = ("Nothing.",)
    if contract.action.undo is Undo.NONE:
        steps = tuple(step for step in steps if not step.startswith("Undo"))
    approval = found.approval
    facts = {
        "key": head.contract_id,
        "mission": head.mission_id,
        "resource": head.resource,
        "subject": alarm_name(contract.alarm) if contract.alarm else head.resource,
        "deadline": clock(head.deadline),
        "owner": f"{contract.owner.kind} {contract.owner.name}".rstrip(),
        "who": ", ".join(approval.approvers) if approval else "",
        "need": approval.need if approval else 0,
        "until": clock(approval.expires_at) if approval else "",
    }
    return [step.format(**facts) for step in steps]


def next_for_mission(mission: Mission, head: ContractHead | None) -> str:
    """Return the command with which to go on about a mission."""
    if head is not None:
        return f"grace show {head.contract_id}"
    if mission.status is MissionStatus.OPEN:
        return "wait: its contract is being drafted"
    then = f"grace retry {mission.mission_id} --reason '…', or grace dismiss"
    return f"grace why '{alarm_name(mission.alarm)}', then {then}" if mission.alarm else f"look at it, then {then}"


def clock(at: datetime) -> str:
    """Return a time as people read it: today's without its date."""
    here = at.astimezone(UTC)
    return (
        here.strftime("%H:%M:%S UTC") if here.date() == datetime.now(UTC).date() else here.strftime("%d %b %H:%M UTC")
    )
