"""The sweep: what nobody wakes, ends or delivers, this finds. It is the only cover for aborts and lost events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from grace.errors import GraceError, Refused
from grace.flow.escalation import due
from grace.flow.expiry import begin
from grace.flow.gate import asks
from grace.flow.grouping import take
from grace.flow.leaving import leave, unattended
from grace.flow.loading import execution_name, load, ticket_for
from grace.flow.resolve import restart_rollback, start_rollback
from grace.flow.shadow import judge
from grace.flow.withdrawing import expire
from grace.model.approval import Approval, ApprovalStatus, Reminder, Urgency
from grace.model.base import Item, Model
from grace.model.contract import Contract, ContractHead, ContractStatus
from grace.model.entry import ref
from grace.model.metric import Metric
from grace.model.mission import DraftRequest, Mission, MissionStatus
from grace.model.records import Expiry, ShadowJudgement
from grace.model.signal import SignalState, StoredSignal
from grace.ports import AlarmFacts, Services

if TYPE_CHECKING:
    from grace.diagnoses.rulebook import Rulebook

FAR = timedelta(days=3650)
"""Later than any deadline: the sweep looks at everything that is open."""
PATIENCE = timedelta(minutes=30)
"""A mission is drafted again this long, while whatever prevents it passes by itself."""
YOUNG = timedelta(minutes=1)
"""An execution may take this long to appear after its contract was written."""


class Swept(Model):
    """What one sweep did, counted."""

    expired: int = 0
    reminded: int = 0
    restarted: int = 0
    rolled_back: int = 0
    put_back: int = 0
    judged: int = 0
    redrafted: int = 0
    left: int = 0
    unattended: int = 0
    found: int = 0
    failed: int = 0


def reap(services: Services, rulebook: Callable[[], Rulebook]) -> Swept:
    """Expire approvals and ask again, end what is stuck or nobody attends to, draft what was lost, judge what was in
    shadow, and find alarms that nobody delivered.

    One thing that fails stops nothing else; it is logged, counted, and tried again by the next sweep. The rulebook is
    asked for when an alarm was found: most sweeps find none.
    """
    at, open_ = services.clock.now(), services.store.open
    kinds: list[Callable[[], list[partial[str]]]] = [
        lambda: [partial(_approval, approval, at, services) for approval in open_(Approval, at + FAR)],
        lambda: [partial(_contract, head, at, services) for head in open_(ContractHead, at + FAR)],
        lambda: [partial(begin, expiry, services) for expiry in open_(Expiry, at)],
        lambda: [partial(judge, waiting, services) for waiting in open_(ShadowJudgement, at)],
        lambda: [partial(_mission, mission, at, services) for mission in open_(Mission, at)],
        lambda: [partial(_alarm, alarm, services, rulebook) for alarm in services.alarms.in_alarm()],
    ]
    done: Counter[str] = Counter()
    for find in kinds:
        done.update(_all(find, services))
    services.telemetry.about()
    if done["failed"]:
        services.telemetry.count(Metric.REAP_FAILURES, done["failed"])
    return Swept(**{name: done[name] for name in Swept.model_fields})


def _all(find: Callable[[], list[partial[str]]], services: Services) -> list[str]:
    """Find the work of one kind and do it; what cannot even be found stops no other kind."""
    services.telemetry.about()
    try:
        work = find()
    except GraceError as exc:
        services.telemetry.trouble("reap", exc)
        return ["failed"]
    return [_each(what, services) for what in work]


def _each(what: partial[str], services: Services) -> str:
    services.telemetry.about(**_ids(what.args[0]))
    try:
        outcome = what()
    except GraceError as exc:
        services.telemetry.trouble("reap", exc)
        return "failed"
    if outcome:
        services.telemetry.done(outcome)
    return outcome


def _ids(of: Item | AlarmFacts) -> dict[str, str]:
    """Return what the lines about a record or an alarm name."""
    if isinstance(of, AlarmFacts):
        return {"alarm": of.name}
    return {name: str(found) for name in ("contract_id", "mission_id", "corr") if (found := getattr(of, name, None))}


def _approval(approval: Approval, at: datetime, services: Services) -> str:
    """End it when its time is over; ask again when it runs out, or when the key that proved the links is gone."""
    if approval.status is not ApprovalStatus.PENDING:
        return ""
    if at >= approval.expires_at:
        return _expire(approval, services)
    urgency = due(approval, at)
    if urgency is None and approval.key_id and not services.macs.stands(approval.key_id):
        urgency = Urgency.KEY
    if urgency is None:
        return ""
    services.messages.remind(Reminder(contract_id=approval.contract_id, urgency=urgency))
    return "reminded"


def _expire(approval: Approval, services: Services) -> str:
    body_ref = ref(Contract, approval.contract_id)
    contract = services.store.read(body_ref).need(body_ref)
    loaded = load(ticket_for(contract, needs_approval=True), services)
    if loaded.head.status is not ContractStatus.AWAITING_APPROVAL:
        return ""
    expire(loaded, approval, services)
    return "expired"


def _contract(head: ContractHead, at: datetime, services: Services) -> str:
    """Start what never started, close or undo what ended without closing, is overdue, or was ordered to stop."""
    if at < head.updated_at + YOUNG:
        return ""
    head_ref, body_ref = ref(ContractHead, head.contract_id), ref(Contract, head.contract_id)
    view = services.store.read(head_ref, body_ref)
    head, contract = view.need(head_ref), view.need(body_ref)
    if head.closed or at < head.updated_at + YOUNG:
        return ""  # it has moved on since the sweep began, perhaps by the sweep itself
    latest = ticket_for(contract, needs_approval=asks(contract), rollback=head.rollbacks)
    status = services.workflow.status(execution_name(latest))
    unheard = bool(head.stop) and not head.rollbacks
    if status == "RUNNING" and at < head.deadline and not unheard:
        return ""
    if status is None and head.status is ContractStatus.DRAFTED and not head.rollbacks:
        services.workflow.start(execution_name(latest), latest)
        return "restarted"
    if status is None and head.rollbacks:
        restart_rollback(contract, head.rollbacks, "its rollback never started", services)
        return "rolled_back"
    told = head.stop or ("overdue" if status == "RUNNING" else f"its execution is {status or 'gone'}")
    start_rollback(contract, told, services)
    return "rolled_back"


def _mission(mission: Mission, at: datetime, services: Services) -> str:
    """Ask for the draft again; what could not be drafted for so long goes to a person, and does not wait for ever."""
    if mission.status is MissionStatus.NEEDS_ATTENTION:
        unattended(mission, services)
        return "unattended"
    if mission.status is not MissionStatus.OPEN or mission.contract_id:
        return ""
    since = mission.opened_at if mission.attempt == 1 else mission.updated_at
    if at >= since + PATIENCE:
        where = ref(StoredSignal, mission.mission_id)
        signal = services.store.read(where, stream=mission.mission_id).need(where).signal
        minutes = int(PATIENCE.total_seconds() // 60)
        leave(mission, signal, Refused("undrafted", f"no contract could be drafted in {minutes} minutes"), services)
        return "left"
    services.messages.draft(DraftRequest(mission_id=mission.mission_id, attempt=mission.attempt))
    return "redrafted"


def _alarm(alarm: AlarmFacts, services: Services, rulebook: Callable[[], Rulebook]) -> str:
    """An alarm that is on and whose change nobody delivered is taken as if it had been; one that was changes nothing."""
    from grace.signals.alarms import from_description  # noqa: PLC0415  few sweeps find an alarm that nobody told

    signal = from_description(
        arn=alarm.arn,
        state=SignalState.ALARM,
        at=alarm.changed_at,
        metric=alarm.metric,
        threshold=alarm.threshold,
        comparison=alarm.comparison,
    )
    return "found" if take([signal], services, rulebook()) else ""
