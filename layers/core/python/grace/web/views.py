"""What stands on the page, worked out from the records: plain texts and numbers, nothing that could still be wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from grace.flow.link import Challenge, Opened, challenge_of, target_name
from grace.model.contract import Contract, Undo
from grace.model.preview import FieldChange
from grace.model.records import PlaybookStats
from grace.model.resource import Reach
from grace.model.wording import alarm_name, promise
from grace.web.plot import Drawing, draw

OWNERS = {
    "cloudformation": "CloudFormation",
    "cdk": "AWS CDK",
    "argo": "Argo CD",
    "flux": "Flux",
    "terraform": "Terraform",
}


class Promise(NamedTuple):
    """One line of what must be true afterwards."""

    text: str
    must: bool


class Voter(NamedTuple):
    """One of the people who may decide, and what they said."""

    name: str
    said: str
    when: str
    you: bool


class Record(NamedTuple):
    """How this playbook did on this diagnosis before. `bars` are (class, start and width in percent) of a line."""

    total: int
    kept: int
    undone: int
    held: int
    other: int
    relapsed: int
    bars: tuple[tuple[str, float, float], ...]


class Form(NamedTuple):
    """What the decision form needs. `sign_in` is where to sign in first, `signed_in` who has."""

    action: str
    token: str
    challenge: Challenge
    tries_left: int
    wrong: bool = False
    sign_in: str = ""
    signed_in: str = ""
    form_token: str = ""
    no_provider: bool = False
    somebody_else: bool = False


class Facts(NamedTuple):
    """The page's content."""

    question: str
    playbook: str
    target: str
    arn: str
    kind: str
    account: str
    region: str
    why: str
    diagnosis: str
    likelihood: int
    alarm: str
    plot: Drawing | None
    taken_at: str
    unchanged_at: str
    changes: tuple[FieldChange, ...]
    unchanged: tuple[FieldChange, ...]
    promises: tuple[Promise, ...]
    guards: int
    settle: str
    undo: str
    undoable: bool
    reach: str
    dependents: tuple[str, ...] | None
    production: str
    owner: str
    cost: str
    record: Record
    tier: int
    need: int
    have: int
    voters: tuple[Voter, ...]
    left: str
    until: str
    until_iso: str
    contract_id: str
    code: str
    digest: str
    asked_by: str
    caused_by: str


def facts(opened: Opened) -> Facts:
    """Return the content of an opened link's page."""
    contract, approval, preview = opened.contract, opened.approval, opened.preview
    changes = preview.changes if preview else ()
    owner, voters = contract.owner, _voters(opened)
    drawn = draw(preview.plot, contract.before) if preview and preview.plot else None
    return Facts(
        question=_sentence(preview.does if preview else f"{contract.action.use} {contract.action.parameters}"),
        playbook=contract.playbook,
        target=target_name(contract.resource),
        arn=contract.resource.arn,
        kind=contract.resource.type,
        account=contract.resource.account,
        region=contract.resource.region,
        why=_sentence(contract.reason),
        diagnosis=contract.diagnosis.value.replace("_", " "),
        likelihood=round(contract.likelihood * 100),
        alarm=alarm_name(contract.alarm) if contract.alarm else "",
        plot=drawn,
        taken_at=_clock(preview.taken_at) if preview else "",
        unchanged_at=_clock(opened.preflight.taken_at) if opened.preflight else "",
        changes=tuple(each for each in changes if each.changes),
        unchanged=tuple(each for each in changes if not each.changes),
        promises=tuple(Promise(_sentence(promise(line)), line.must) for line in contract.expect),
        guards=len(contract.guards) + len(contract.guard_alarms),
        settle=span(contract.settle),
        undo=_sentence(contract.undo_text),
        undoable=contract.action.undo is Undo.RESTORE,
        reach=_reach(preview.reach if preview else None),
        dependents=preview.reach.dependents if preview and preview.reach else None,
        production=preview.production if preview else "",
        owner=f"{OWNERS.get(owner.kind, owner.kind)} {owner.name}".strip() if owner.kind != "none" else "",
        cost=_cost(contract),
        record=record(opened.stats),
        tier=contract.tier,
        need=approval.need,
        have=sum(voter.said == "approved" for voter in voters),
        voters=voters,
        left=span(max(0, int((approval.expires_at - opened.at).total_seconds()))),
        until=_clock(approval.expires_at),
        until_iso=approval.expires_at.astimezone(UTC).isoformat(timespec="seconds"),
        contract_id=contract.contract_id,
        code=challenge_of(contract).code,
        digest=approval.digest,
        asked_by="" if contract.requested_by == "grace" else contract.requested_by,
        caused_by=", ".join(contract.caused_by),
    )


def record(stats: PlaybookStats | None) -> Record:
    """Return how a playbook ended so far; a partial success was kept, too."""
    if stats is None:
        return Record(0, 0, 0, 0, 0, 0, ())
    kept = stats.verified + stats.partial
    parts = (("kept", kept), ("undone", stats.rolled_back), ("held", stats.safe_hold), ("other", stats.other))
    total = sum(count for _, count in parts)
    bars, at = [], 0.0
    for name, count in parts:
        if count:
            width = round(100 * count / total, 2)
            bars.append((name, round(at, 2), width))
            at += width
    return Record(total, kept, stats.rolled_back, stats.safe_hold, stats.other, stats.relapsed, tuple(bars))


def barred_for(contract: Contract, person: str) -> str:
    """Return why somebody who is excluded may not decide a contract."""
    if person == contract.requested_by:
        return "asked for it"
    if person in contract.caused_by:
        return "made the change before it"
    return "policy says so"


def span(seconds: int) -> str:
    """Return a stretch of time in words, for example `28 minutes`."""
    if seconds < 90:
        return _many(seconds, "second")
    if seconds < 90 * 60:
        return _many(seconds // 60, "minute")
    hours, minutes = divmod(seconds // 60, 60)
    return _many(hours, "hour") + (f" {_many(minutes, 'minute')}" if minutes else "")


def _voters(opened: Opened) -> tuple[Voter, ...]:
    votes = {vote.person: vote for vote in opened.votes}
    found = []
    for person in opened.approval.approvers:
        vote = votes.get(person)
        if person in opened.approval.excluded:
            said = f"may not decide: {barred_for(opened.contract, person)}"
        elif vote is None:
            said = "has not decided"
        elif person not in opened.names:
            said = "is no longer among the people who may decide"
        else:
            said = "approved" if vote.decision == "approve" else "rejected"
        name = opened.names.get(person, person)
        found.append(Voter(name, said, _clock(vote.at) if vote else "", person == opened.person.id))
    return tuple(found)


def _reach(reach: Reach | None) -> str:
    return _many(reach.count, reach.unit) if reach else "not known: it could not be read"


def _cost(contract: Contract) -> str:
    cost = contract.cost_per_hour
    if cost is None:
        return "not known"
    if cost == 0:
        return "nothing more"
    return f"{abs(cost):.2f} US dollars {'more' if cost > 0 else 'less'} an hour"


def _many(count: int, unit: str) -> str:
    plural = unit[:-1] + "ies" if unit.endswith("y") else unit + ("es" if unit.endswith("s") else "s")
    return f"{count:,} {unit if count == 1 else plural}"


def _sentence(text: str) -> str:
    """Begin with a capital, unless it begins with a name of somebody's own."""
    if "_" in text.partition(" ")[0]:
        return text
    return text[:1].upper() + text[1:]


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC")
