"""From a mission to a contract: what will be done to which resource, and what must then be measurably true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grace.diagnoses.rulebook import Rulebook
from grace.errors import PermanentError, Refused
from grace.flow.deadlines import verdict_due
from grace.flow.drafting import choose, contract_of, plan_of
from grace.flow.gate import asks
from grace.flow.leaving import ended, leave
from grace.flow.loading import execution_name, ticket_for
from grace.flow.looking import Look
from grace.flow.permit import Deed, asks_reach, drafted, felt, record
from grace.flow.shadow import to_judge
from grace.flow.standing import effective
from grace.model.base import Json, sha256_hex
from grace.model.contract import Contract, ContractHead, ContractStatus, Mode
from grace.model.entry import Change, Commit, EntryDraft, ref
from grace.model.ids import command_id, contract_id
from grace.model.metric import Metric
from grace.model.mission import DraftRequest, Mission, MissionStatus
from grace.model.records import GuardAlarm, Standing
from grace.model.signal import Signal, StoredSignal
from grace.ports import Services

if TYPE_CHECKING:
    from grace.model.preview import Preview

BODY_BYTES = 4096
"""A contract's body is at most this long: what does not fit is not one action."""


def draft(request: DraftRequest, services: Services, rulebook: Rulebook) -> str | None:
    """Draft the mission's contract and start its workflow; drafting twice drafts and starts the same one.

    Returns:
        The contract's id, or None when the mission needs no contract (it recovered) or needs a person.

    Raises:
        TransientError: something did not answer; asked again, this goes on.
    """
    mission_ref, signal_ref = ref(Mission, request.mission_id), ref(StoredSignal, request.mission_id)
    view = services.store.read(mission_ref, signal_ref, stream=request.mission_id)
    mission, signal = view.need(mission_ref), view.need(signal_ref).signal
    services.telemetry.about(mission_id=mission.mission_id, contract_id=mission.contract_id or "", corr=mission.corr)
    if mission.status is not MissionStatus.OPEN or request.attempt != mission.attempt:
        return None
    if mission.contract_id:
        return _started(mission.contract_id, services)
    try:
        composed = _compose(mission, signal, services, rulebook)
    except PermanentError as exc:
        leave(mission, signal, exc, services)
        return None
    if composed is None:
        return None
    contract, digest, shown = composed
    services.telemetry.about(mission_id=mission.mission_id, contract_id=contract.contract_id, corr=mission.corr)
    _write(mission, contract, digest, shown, services)
    return _start(contract, digest, services)


def _compose(
    mission: Mission, signal: Signal, services: Services, rulebook: Rulebook
) -> tuple[Contract, str, Preview | None] | None:
    """Return the contract's body and its digest, with what people are shown if they are asked.

    None when the alarm has recovered.
    """
    look = Look(services)
    alarm = look.alarms.describe(signal.subject) if signal.is_alarm else None
    if alarm and alarm.state == "OK":
        _recovered(mission, services)
        return None
    chosen = choose(signal, rulebook.diagnose(signal), look)
    plan = plan_of(chosen, alarm, look)
    at = services.clock.now()
    name = chosen.playbook.spec.name
    view = services.store.read(*record(name, chosen.diagnosis.code.value))
    contract = contract_of(
        plan,
        key=contract_id(mission.mission_id, name, mission.attempt),
        mission=mission,
        mode=effective(name, view.get(ref(Standing, name)), services.catalogue).mode,
        at=at,
        deadline=verdict_due(at, plan.settle),
        directory=services.catalogue.directory,
    )
    deed = Deed(chosen.act, chosen.before.state, plan.parameters)
    reach = felt(contract, chosen.kind, look, services) if asks_reach(contract, services) else None
    contract = drafted(contract, deed, chosen.tags, view, services, reach=reach)
    sealed = contract.sealed()
    size, digest = len(sealed), sha256_hex(sealed)
    if size > BODY_BYTES:
        raise Refused("too_large", f"the contract would be {size} bytes, {BODY_BYTES} are allowed: promise less in one")
    if contract.mode is Mode.SHADOW or not asks(contract):
        return contract, digest, None
    from grace.flow.preview import preview  # noqa: PLC0415  only what people are asked about is shown to them

    return contract, digest, preview(contract, chosen, alarm, look=look, services=services)


def _write(mission: Mission, contract: Contract, digest: str, shown: Preview | None, services: Services) -> None:
    """Write contract and mission in one transaction. In shadow it never acts, and is judged later."""
    at = contract.created_at
    shadow = contract.mode is Mode.SHADOW
    head = ContractHead(
        contract_id=contract.contract_id,
        mission_id=contract.mission_id,
        playbook=contract.playbook,
        resource=contract.resource.arn,
        tier=contract.tier,
        status=ContractStatus.DRAFTED,
        digest=digest,
        created_at=at,
        updated_at=at,
        deadline=contract.deadline,
        corr=contract.corr,
    )
    entries = [
        EntryDraft(
            type="contract.drafted",
            # Playbook, resource, tier, digest and mission are among what the entry says was set.
            body={
                "action": contract.action.use,
                "mode": contract.mode.value,
                **_ruled(contract),
                "diagnosis": contract.diagnosis.value,
            },
        )
    ]
    if shadow:
        lowered = _lowered(contract, services)
        reason = (lowered or "shadow: this is what would have been done")[:240]
        head = head.model_copy(update={"status": ContractStatus.SHADOWED, "reason": reason, "closed": True})
        entries.append(EntryDraft(type="contract.shadowed", body={"mode": contract.mode.value, "reason": lowered}))
        _would_have(contract, lowered, services)
    after = mission.model_copy(
        update={
            "contract_id": contract.contract_id,
            "updated_at": at,
            "status": MissionStatus.CLOSED if shadow else mission.status,
            "reason": "in shadow: drafted and not acted on" if shadow else "",
        }
    )
    services.store.commit(
        Commit(
            command=command_id("draft", contract.contract_id),
            head=head,
            entries=tuple(entries),
            at=services.clock.now(),
            actor="grace",
            subsystem="contract",
            items=(
                contract,
                *([shown] if shown else []),
                *((to_judge(contract),) if shadow else armed(contract, services)),
            ),
            also=(
                Change(
                    head=after,
                    was=mission,
                    entries=(EntryDraft(type="mission.contracted", body={"contract": contract.contract_id}),),
                ),
            ),
        )
    )
    services.telemetry.count(Metric.CONTRACTS_CREATED)


def _lowered(contract: Contract, services: Services) -> str:
    """Return why a playbook that configuration lets act is in shadow all the same, or an empty string."""
    where = ref(Standing, contract.playbook)
    standing = services.store.read(where).get(where)
    return effective(contract.playbook, standing, services.catalogue).why


def _ruled(contract: Contract) -> dict[str, Json]:
    """Return what policy said, for the log: which policies of which set; all it saw is in the body the digest covers."""
    ruling = contract.policy
    if ruling is None:
        return {}
    said: dict[str, Json] = {"by": list(ruling.by), "digest": ruling.digest}
    unusual = {name: list(getattr(ruling, name)) for name in ("raised_by", "barred", "barred_by")}
    return {"policy": said | {name: found for name, found in unusual.items() if found}}


def _would_have(contract: Contract, lowered: str, services: Services) -> None:
    """Tell people what a playbook in shadow would have done: they cannot learn to trust what they do not see.

    It is urgent when they let it act, and it may not just now: they wait for what does not come.
    """
    services.messages.notify(
        "high" if lowered else "low",
        f"shadowed: {contract.playbook} on {contract.resource.path}"[:100],
        f"What happened: {contract.reason}\n"
        f"What Grace would have done: {contract.action.use} {contract.action.parameters}, with {contract.undo_text}\n"
        f"To what: {contract.resource.arn}\n"
        f"Is it safe now: nothing was touched; {lowered or f'{contract.playbook} is in shadow'}.\n"
        f"What next: grace show {contract.contract_id}; whether it may act is said by `modes` in cdk.json",
    )


def armed(contract: Contract, services: Services) -> tuple[GuardAlarm, ...]:
    """Return the contract's guard alarms with the contract among those they stop."""
    found = []
    for name in contract.guard_alarms:
        where = ref(GuardAlarm, name)
        alarm = services.store.read(where).get(where) or GuardAlarm(alarm=name)
        found.append(alarm.model_copy(update={"contracts": (*alarm.contracts, contract.contract_id)}))
    return tuple(found)


def _started(key: str, services: Services) -> str:
    """Start the workflow of a contract that may act and has not begun; the execution's name makes it one."""
    head_ref, body_ref = ref(ContractHead, key), ref(Contract, key)
    view = services.store.read(head_ref, body_ref)
    head, contract = view.need(head_ref), view.need(body_ref)
    return _start(contract, head.digest, services) if head.status is ContractStatus.DRAFTED else key


def _start(contract: Contract, digest: str, services: Services) -> str:
    if contract.mode is not Mode.SHADOW:
        ticket = ticket_for(contract, needs_approval=asks(contract), digest=digest)
        services.workflow.start(execution_name(ticket), ticket)
    return contract.contract_id


def _recovered(mission: Mission, services: Services) -> None:
    ended(mission, MissionStatus.CLOSED, "the alarm recovered by itself before a contract was drafted", services)
