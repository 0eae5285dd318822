"""What a playbook in shadow would have done, judged afterwards on what really happened. Nothing here is a success.

The contract was drafted and nobody acted on it. When its promise would have been due, the alarm and the resource are
looked at once: an alarm that recovered by itself speaks against acting.
"""

from __future__ import annotations

from typing import Any

from grace.actions.base import Action, action
from grace.errors import PermanentError
from grace.flow.loading import advance, contended, load, ticket_for
from grace.model.contract import Contract, Undo
from grace.model.entry import EntryDraft, ref
from grace.model.records import PlaybookStats, ShadowJudgement, ShadowResult
from grace.ports import AlarmFacts, Services
from grace.resources.base import resource_type

R = ShadowResult


def to_judge(contract: Contract) -> ShadowJudgement:
    """Return what is written beside a contract in shadow, so that the sweep finds it when its promise would be due."""
    return ShadowJudgement(
        contract_id=contract.contract_id,
        playbook=contract.playbook,
        resource=contract.resource.arn,
        due=contract.deadline,
    )


def judge(waiting: ShadowJudgement, services: Services) -> str:
    """Judge it, once, and count it in the playbook's record; what somebody else judged meanwhile is left as it is.

    Raises:
        TransientError: the alarm or the resource could not be read now; the next sweep looks again.
    """
    return contended(lambda: _judge(waiting, services), services)


def _judge(waiting: ShadowJudgement, services: Services) -> str:
    where, body_ref = ref(ShadowJudgement, waiting.contract_id), ref(Contract, waiting.contract_id)
    contract = services.store.read(body_ref).need(body_ref)
    stats_ref = ref(PlaybookStats, contract.playbook, contract.diagnosis.value)
    loaded = load(ticket_for(contract, needs_approval=False), services, where, stats_ref)
    now = loaded.view.need(where)
    if now.result is not None:
        return ""
    result, says = _look(contract, services)
    stats = loaded.view.get(stats_ref) or PlaybookStats(playbook=contract.playbook, diagnosis=contract.diagnosis)
    advance(
        services,
        loaded,
        loaded.head,
        door="reap",
        command=("judge",),
        entries=[
            EntryDraft(type="contract.judged", body={"result": result.value, "speaks": result.speaks, "says": says})
        ],
        items=[
            now.model_copy(update={"result": result, "says": says[:240], "at": loaded.at}),
            stats.model_copy(update={"shadow": {**stats.shadow, result: stats.shadow.get(result, 0) + 1}}),
        ],
    )
    return "judged"


def _look(contract: Contract, services: Services) -> tuple[ShadowResult, str]:
    """Return what became of it, and in a sentence what that rests on."""
    alarm = services.alarms.describe(contract.alarm) if contract.alarm else None
    if alarm is None or alarm.state not in {"OK", "ALARM"}:
        return R.UNKNOWN, f"the alarm is {alarm.state}" if alarm else "there is no alarm that tells how it went on"
    try:
        done, changed = _done(contract, services)
    except PermanentError as exc:
        return R.UNKNOWN, f"the resource could not be read: {exc}"
    result, says = _result(contract, alarm, done=done, changed=changed)
    return result, f"the alarm is {alarm.state} since {alarm.changed_at.isoformat()}, and {says}"


def _result(contract: Contract, alarm: AlarmFacts, *, done: bool, changed: bool) -> tuple[ShadowResult, str]:
    match alarm.state == "OK", done, changed:
        case recovered, True, _:
            return (R.SAME if recovered else R.NO_HELP), "somebody did the same"
        case _, _, True:
            return R.UNKNOWN, "somebody changed something else on the resource"
        case True, _, _:
            return R.RECOVERED, "nobody changed the resource"
    if alarm.changed_at > contract.created_at:
        return R.UNKNOWN, "it had recovered and went off again"
    return R.NEEDED, "nobody changed the resource"


def _done(contract: Contract, services: Services) -> tuple[bool, bool]:
    """Return whether what the contract would have done is seen to be done, and whether the resource changed at all.

    Values are absolute: where doing it now would change nothing, it is done. What leaves no state behind (a reboot) is
    asked of whatever else tells of it; where nothing does, it counts as not done.
    """
    act: Action[Any, Any, Any] = action(contract.action.use)
    now = resource_type(contract.resource.type).capture(contract.resource, services.aws)
    changed = now.digest != contract.state_digest
    if act.undo is Undo.NONE:
        return bool(act.happened(contract.resource, contract.created_at, services.aws)), changed
    parameters = act.parse(contract.action.parameters)
    return changed and act.predict(now.state, parameters) == now.state, changed
