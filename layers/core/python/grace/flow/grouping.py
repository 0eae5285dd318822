"""One group's signals: attach to its mission, open one, end what has become needless, or bear on work in flight."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from grace.flow.attention import tell_a_person
from grace.flow.deadlines import DRAFT_SECONDS
from grace.flow.loading import advance, load, ticket_for
from grace.flow.standing import bad_end, entry_of, tell
from grace.flow.standing import opened as breaker_opened
from grace.flow.withdrawing import withdrawn
from grace.model.base import Item, sha256_hex
from grace.model.contract import BEFORE_EFFECT, Contract, ContractHead, ContractStatus
from grace.model.diagnosis import Diagnosis, DiagnosisCode
from grace.model.entry import Commit, EntryDraft, Ref, ref
from grace.model.ids import command_id, mission_id
from grace.model.mission import ATTENTION, DraftRequest, Mission, MissionStatus, OpenGroup, StateChange
from grace.model.records import GuardAlarm, Lease, Outcome, PlaybookStats, Standing, StopOrder
from grace.model.signal import Signal, SignalState, StoredSignal
from grace.ports import Services, View
from grace.resources.base import resource_type

if TYPE_CHECKING:
    from grace.diagnoses.rulebook import Rulebook

FLAP_CHANGES = 4
FLAP_WINDOW = timedelta(minutes=10)
SEEN = 200
"""So many of a group's latest alerts are known again: more than a storm on one service holds."""
CHANGES = 64
"""So many of a group's latest changes of state are kept for the flapping rule."""
_OVER = frozenset({ContractStatus.VERIFIED, ContractStatus.PARTIAL, ContractStatus.SUPERSEDED})
"""After these ends the trouble is gone: what comes next is a new story, even inside the group's window."""


def take(signals: Sequence[Signal], services: Services, rulebook: Rulebook) -> bool:
    """Take the signals of one group, oldest first, in one transaction; those seen before change nothing.

    Returns:
        Whether anything was new.

    Raises:
        Conflict: somebody else wrote the group first; called again, this reads anew.
    """
    group_ref = ref(OpenGroup, signals[0].group)
    first = mission_id(signals[0].group, signals[0].fingerprint)
    view = services.store.read(group_ref, *_guards(signals), *_leases(signals, services), stream=first)
    opened = view.get(group_ref)
    fresh = _fresh(signals, opened)
    if not fresh:
        return False
    for signal in fresh:
        if signal.is_alarm and signal.is_problem and (guard := view.get(ref(GuardAlarm, signal.name))):
            for contract in guard.contracts:
                breached(contract, signal, services)
    at = services.clock.now()
    mission = _latest(opened, services)
    problems = [s for s in fresh if s.is_problem]
    if mission is not None and opened is not None and (not problems or _joins(mission, at, services)):
        services.telemetry.about(
            mission_id=mission.mission_id, contract_id=mission.contract_id or "", corr=mission.corr, group=mission.group
        )
        # What recovers is ended before it is noted as seen: a lost race in between is tried again with all of it.
        _calmed(fresh, mission, services)
        _attach(fresh, mission, opened, at, services)
    elif problems:
        diagnosis = rulebook.diagnose(problems[0])
        busy = _at_work(problems[0], view, services)
        _open(_Opening(fresh, problems[0], opened, diagnosis, busy), services)
    return True


def _guards(signals: Sequence[Signal]) -> list[Ref[GuardAlarm]]:
    """Return where each alarm of the batch would be armed as a guard."""
    return [ref(GuardAlarm, name) for name in dict.fromkeys(s.name for s in signals if s.is_alarm)]


def breached(contract_id: str, signal: Signal, services: Services) -> None:
    """A guard alarm went off while a contract is under way: order it stopped and undone, once."""
    body_ref = ref(Contract, contract_id)
    contract = services.store.read(body_ref).need(body_ref)
    loaded = load(ticket_for(contract, needs_approval=False), services)
    if loaded.head.terminal or loaded.head.stop:
        return
    reason = f"the guard alarm {signal.name} went off"[:120]
    advance(
        services,
        loaded,
        loaded.head.model_copy(update={"stop": reason}),
        door="triage",
        command=("guard", signal.fingerprint),
        entries=[
            EntryDraft(type="contract.guard_breached", body={"alarm": signal.name, "fingerprint": signal.fingerprint})
        ],
        items=[StopOrder(contract_id=contract_id, reason=reason, at=loaded.at)],
    )


def _leases(signals: Sequence[Signal], services: Services) -> list[Ref[Lease]]:
    """Return the leases of every resource the trouble may be about, for the types that playbooks act on."""
    kinds = [resource_type(name) for name in sorted({p.spec.resource for p in services.catalogue.playbooks})]
    found = (kind.from_signal(signal) for signal in signals if signal.is_problem for kind in kinds)
    return [ref(Lease, arn) for arn in dict.fromkeys(resource.arn for resource in found if resource)]


def _fresh(signals: Sequence[Signal], opened: OpenGroup | None) -> list[Signal]:
    known = set(opened.seen) if opened else set()
    fresh: dict[str, Signal] = {}
    for signal in signals:
        if _short(signal) not in known:
            fresh.setdefault(signal.fingerprint, signal)
    return list(fresh.values())


def _short(signal: Signal) -> str:
    return signal.fingerprint[:12]


def _latest(opened: OpenGroup | None, services: Services) -> Mission | None:
    """Return the latest mission of the group, with the way to write it."""
    if opened is None:
        return None
    mission_ref = ref(Mission, opened.mission_id)
    return services.store.read(mission_ref, stream=opened.mission_id).get(mission_ref)


def _joins(mission: Mission, at: datetime, services: Services) -> bool:
    """Whether new trouble of the group belongs to this mission: it is at work, or it failed and its window is open.

    What follows a success is another story at once: in a mission that is over nobody would look at it.
    """
    if mission.status is MissionStatus.OPEN:
        return True
    if at >= mission.attach_until:
        return False
    if mission.status is MissionStatus.NEEDS_ATTENTION:
        return True
    if mission.contract_id is None:
        return False
    head_ref = ref(ContractHead, mission.contract_id)
    return services.store.read(head_ref).need(head_ref).status not in _OVER


def _attach(fresh: Sequence[Signal], mission: Mission, opened: OpenGroup, at: datetime, services: Services) -> None:
    """Note the signals on their mission; one that only waits for people is over when its own alarm recovers.

    Inside its window it stays: an alarm that flaps would otherwise open, and tell, one mission after another.
    """
    after = mission.model_copy(update={"signals": mission.signals + len(fresh), "updated_at": at})
    waits = mission.status is MissionStatus.NEEDS_ATTENTION and at >= mission.attach_until
    if waits and _recovered(fresh, mission):
        told = f"it recovered by itself; {mission.reason}"[:240]
        after = after.model_copy(update={"status": MissionStatus.CLOSED, "reason": told})
    services.store.commit(
        Commit(
            command=command_id("attach", mission.mission_id, *sorted(s.fingerprint for s in fresh)),
            head=after,
            was=mission,
            entries=(_attached(fresh),),
            at=services.clock.now(),
            actor="grace",
            subsystem="triage",
            items=(_noted(opened, fresh),),
        )
    )


def _recovered(fresh: Sequence[Signal], mission: Mission) -> bool:
    """Whether the newest word of the mission's own alarm is OK."""
    own = [s for s in fresh if s.subject == mission.alarm]
    return bool(own) and own[-1].state is SignalState.OK


def _attached(signals: Sequence[Signal]) -> EntryDraft:
    samples = [{"name": s.name, "state": s.state.value, "fingerprint": s.fingerprint} for s in signals[:20]]
    return EntryDraft(type="mission.signals_attached", body={"count": len(signals), "samples": samples})


def _noted(opened: OpenGroup, signals: Sequence[Signal]) -> OpenGroup:
    """Remember what was seen, and when which alarm changed its state, as far back as flapping is judged."""
    seen = (*opened.seen, *(_short(s) for s in signals))[-SEEN:]
    new = (StateChange(alarm=_alarm(s), at=s.at) for s in signals if s.is_alarm)
    changes = sorted((*opened.changes, *new), key=lambda change: change.at)
    recent = tuple(c for c in changes if c.at > changes[-1].at - FLAP_WINDOW)[-CHANGES:]
    return opened.model_copy(update={"seen": seen, "changes": recent})


def _alarm(signal: Signal) -> str:
    return sha256_hex(signal.subject.encode())[:12]


class _Opening(NamedTuple):
    """What opens a mission: its signals, the one that leads, the group as it was, and what is thought of it."""

    fresh: Sequence[Signal]
    opener: Signal
    opened: OpenGroup | None
    diagnosis: Diagnosis
    busy: str


def _open(opening: _Opening, services: Services) -> None:
    opener, opened, fresh = opening.opener, opening.opened, opening.fresh
    at = services.clock.now()
    key = mission_id(opener.group, opener.fingerprint)
    services.telemetry.about(mission_id=key, corr=opener.corr, group=opener.group)
    until = at + timedelta(seconds=services.catalogue.group_window)
    group = (opened or OpenGroup(group=opener.group, mission_id=key, attach_until=until)).model_copy(
        update={"mission_id": key, "attach_until": until}
    )
    group = _noted(group, fresh)
    reason = _hands_off(opening, group)
    relapse, breaker = _relapse(opener, opened, at, services)
    mission = Mission(
        mission_id=key,
        group=opener.group,
        status=MissionStatus.NEEDS_ATTENTION if reason else MissionStatus.OPEN,
        opened_at=at,
        attach_until=until,
        updated_at=at,
        deadline=at + (ATTENTION if reason else timedelta(seconds=DRAFT_SECONDS)),
        severity=opener.severity,
        diagnosis=opening.diagnosis.code,
        alarm=opener.subject if opener.is_alarm else "",
        signals=len(fresh),
        cause=relapse[0].contract_id if relapse and isinstance(relapse[0], Outcome) else None,
        reason=reason,
        corr=opener.corr,
    )
    if reason:
        tell_a_person(opener, mission, services)
    done = services.store.commit(
        Commit(
            command=command_id("open", key),
            head=mission,
            entries=(
                _opened(opener, opening.diagnosis, reason),
                *([_attached(fresh)] if len(fresh) > 1 else ()),
                *breaker,
            ),
            at=services.clock.now(),
            actor="grace",
            subsystem="triage",
            items=(group, StoredSignal(mission_id=key, signal=opener), *relapse),
        )
    )
    if not done.replayed and not reason:
        services.messages.draft(DraftRequest(mission_id=key))


def _opened(opener: Signal, diagnosis: Diagnosis, reason: str) -> EntryDraft:
    return EntryDraft(
        type="mission.opened",
        body={
            "fingerprint": opener.fingerprint,
            "source": opener.source,
            "name": opener.name,
            "state": opener.state.value,
            "diagnosis": diagnosis.code.value,
            "likelihood": f"{diagnosis.likelihood:.2f}",
            "rules": [m.rule for m in diagnosis.matches],
            "reason": reason or diagnosis.reason,
        },
    )


def _hands_off(opening: _Opening, group: OpenGroup) -> str:
    """Return why Grace must not act on this by itself, or an empty string."""
    if opening.diagnosis.code is DiagnosisCode.UNKNOWN:
        return opening.diagnosis.reason
    if opening.opener.hop:
        return "It follows from one of our own effects; those are never acted on automatically."
    changes = sum(change.alarm == _alarm(opening.opener) for change in group.changes)
    if changes >= FLAP_CHANGES:
        return f"The alarm changed state {changes} times in ten minutes; automation is off while it flaps."
    return opening.busy


def _at_work(opener: Signal, view: View, services: Services) -> str:
    """Return who of ours acts on the signal's resource at this moment: then it is evidence, and no trigger."""
    at = services.clock.now()
    for lease_ref in _leases([opener], services):
        lease = view.get(lease_ref)
        if lease and lease.owner and at < lease.until:
            return f"{lease.owner} is at work on the same resource; this counts as evidence for it, not as a trigger."
    return ""


def _relapse(
    opener: Signal, opened: OpenGroup | None, at: datetime, services: Services
) -> tuple[list[Item], list[EntryDraft]]:
    """Return the outcome and what counts it when a fix did not last: the same alarm again inside its relapse window.

    It counts for the playbook's breaker as a rollback does; when that opens it, people are told and an entry says so.
    """
    if opened is None or not opener.is_alarm:
        return [], []
    mission_ref = ref(Mission, opened.mission_id)
    before = services.store.read(mission_ref).get(mission_ref)
    if before is None or before.contract_id is None or before.alarm != opener.subject:
        return [], []
    outcome_ref = ref(Outcome, before.contract_id)
    outcome = services.store.read(outcome_ref).get(outcome_ref)
    if outcome is None or outcome.relapsed or outcome.relapse_until is None or at >= outcome.relapse_until:
        return [], []
    stats_ref = ref(PlaybookStats, outcome.playbook, outcome.diagnosis.value)
    stats = services.store.read(stats_ref).get(stats_ref) or PlaybookStats(
        playbook=outcome.playbook, diagnosis=outcome.diagnosis
    )
    standing_ref = ref(Standing, outcome.playbook)
    standing = services.store.read(standing_ref).get(standing_ref)
    after = bad_end(standing, outcome.playbook, outcome.contract_id, at)
    opens = breaker_opened(standing, after)
    if opens:
        tell(after, services)
    items: list[Item] = [
        outcome.model_copy(update={"relapsed": True}),
        stats.model_copy(update={"relapsed": stats.relapsed + 1}),
        after,
    ]
    return items, [entry_of(after)] if opens else []


def _calmed(fresh: Sequence[Signal], mission: Mission, services: Services) -> None:
    """The alarm that began it recovered by itself: a contract that has not acted yet is superseded."""
    own = [s for s in fresh if s.subject == mission.alarm]
    if not own or own[-1].state is not SignalState.OK or mission.contract_id is None:
        return
    head_ref, body_ref = ref(ContractHead, mission.contract_id), ref(Contract, mission.contract_id)
    view = services.store.read(head_ref, body_ref)
    head, contract = view.need(head_ref), view.need(body_ref)
    if head.status not in BEFORE_EFFECT or own[-1].at < head.created_at:
        return
    loaded = load(ticket_for(contract, needs_approval=False), services)
    advance(
        services,
        loaded,
        loaded.head.model_copy(
            update={"status": ContractStatus.SUPERSEDED, "reason": "the alarm recovered by itself before the action"}
        ),
        door="triage",
        command=("superseded",),
        entries=[EntryDraft(type="contract.superseded", body={"alarm": contract.alarm})],
        items=withdrawn(loaded.head, services),
    )
