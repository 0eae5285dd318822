"""Keep what the approver will be shown: read when the contract is drafted, so that the page needs no authority at all."""

from __future__ import annotations

import math

from grace.errors import GraceError
from grace.flow.drafting import LOOK_BACK, Chosen
from grace.flow.looking import Look
from grace.flow.permit import felt
from grace.model.base import Model
from grace.model.contract import Contract
from grace.model.preview import FieldChange, Plot, Preview
from grace.model.shown import worded
from grace.ports import AlarmFacts, SeriesRequest, Services

PERIODS = 60
"""How much of the series is kept: so many of its periods before the draft."""
STAGE_TAGS = ("environment", "env", "stage")


def preview(contract: Contract, chosen: Chosen, alarm: AlarmFacts | None, *, look: Look, services: Services) -> Preview:
    """Return the page's facts. What cannot be read is left out and said in the log: it is no reason not to ask.

    The resource's values are those the contract was drafted on; preflight refuses it when they are others by then.
    """
    act, kind, captured, at = chosen.act, chosen.kind, chosen.before, contract.created_at
    parameters = act.parse(contract.action.parameters)
    return Preview(
        contract_id=contract.contract_id,
        taken_at=at,
        does=act.describe(parameters),
        changes=_changes(captured.state, act.predict(captured.state, parameters)),
        reach=felt(contract, kind, look, services),
        production=production(kind.tags(contract.resource, look.aws)),
        plot=_plot(alarm, int(at.timestamp()), look, services),
    )


def production(tags: dict[str, str]) -> str:
    """Return the tag that says which stage the resource belongs to, `key=value`, or an empty string."""
    return next((f"{key}={value}" for key, value in sorted(tags.items()) if key.lower() in STAGE_TAGS), "")


def _changes(now: Model, then: Model) -> tuple[FieldChange, ...]:
    before, after = now.model_dump(mode="json"), then.model_dump(mode="json")
    return tuple(FieldChange(name=name, now=worded(before[name]), then=worded(after.get(name))) for name in before)


def _plot(alarm: AlarmFacts | None, now: int, look: Look, services: Services) -> Plot | None:
    """Return the alarm's own series up to now, or None where there is no alarm, no plain series, or no answer."""
    if alarm is None or alarm.metric is None:
        return None
    metric = alarm.metric
    changed = int(alarm.changed_at.timestamp())
    end = now - now % metric.period
    # Within what drafting has read already: the plot costs no call of its own.
    start = max(end - PERIODS * metric.period, changed - LOOK_BACK)
    start += -start % metric.period
    try:
        [points] = look.metrics.fetch([SeriesRequest(metric, start, end)])
    except GraceError as exc:
        services.telemetry.trouble("the plot of a contract could not be read", exc, alarm=alarm.name)
        return None
    known = {at - at % metric.period: float(f"{value:.4g}") for at, value in points if math.isfinite(value)}
    return Plot(
        label=f"{metric.namespace} {metric.name} ({metric.stat})",
        start=start,
        period=metric.period,
        values=tuple(known.get(at) for at in range(start, end, metric.period)),
        since=changed,
        threshold=alarm.threshold,
    )
