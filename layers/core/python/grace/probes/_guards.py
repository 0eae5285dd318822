"""What must not get worse: compiled from a playbook's `guard`, judged by `evidence.guards`."""

from __future__ import annotations

from statistics import fmean
from typing import Any, Literal

from pydantic import Field

from grace.evidence.guards import GuardKind, Tolerance, judge_guard
from grace.model.base import Json, Model
from grace.model.expectation import Guard
from grace.model.playbook import Duration
from grace.model.records import GuardReading
from grace.ports import SeriesRequest
from grace.probes._lines import read, short
from grace.probes._series import check_spec, compile_series, metric_spec, requests, source_of, values
from grace.probes.base import PromiseContext, Reading, Seen, samples_after

_RESULT: dict[GuardKind, Literal["passed", "worse", "inconclusive"]] = {
    GuardKind.PASSED: "passed",
    GuardKind.WORSE: "worse",
    GuardKind.INCONCLUSIVE: "inconclusive",
}


class _Tolerance(Model):
    relative: float = Field(default=0.2, ge=0, le=10)
    absolute: float = Field(default=0.0, ge=0)


class GuardSpec(Model):
    """`worse` says which direction is bad; `tolerance` how much is still acceptable, the larger of the two."""

    metric: Json
    worse: Literal["higher", "lower"] = "higher"
    # Not validated: that would build its validator at every start, for the defaults above.
    tolerance: _Tolerance = _Tolerance.model_construct()
    min_samples: int = Field(default=5, ge=5, le=10000)
    missing: Literal["gap", "zero"] = "gap"
    period: Duration | None = Field(default=None, ge=1, le=86400)


def check_guard(fields: Any, where: str) -> None:
    """Check what can be checked without a resource; raises `InvalidPlaybook`."""
    spec = read(GuardSpec, fields, where)
    check_spec(metric_spec(spec.metric, f"{where}.metric"), spec.period, where)


def compile_guard(fields: Any, guard_id: str, context: PromiseContext) -> Guard:
    """Return the guard with its series' dimensions.

    Raises:
        InvalidPlaybook, Unobservable: as for a metric line.
    """
    where = f"guard {guard_id}"
    spec = read(GuardSpec, fields, where)
    return Guard(
        id=guard_id,
        series=compile_series(metric_spec(spec.metric, f"{where}.metric"), spec.period, where, context),
        worse=spec.worse,
        relative=spec.tolerance.relative,
        absolute=spec.tolerance.absolute,
        min_samples=spec.min_samples,
        missing=spec.missing,
    )


def guard_ripens(guard: Guard) -> int:
    """Return how many seconds after the action the guard surely has its points."""
    return samples_after(guard.min_samples, guard.series[0].period)


def guard_wants(guard: Guard, reading: Reading) -> tuple[SeriesRequest, ...]:
    """Return what to ask: everything since the action, and the healthy window."""
    return requests(guard.series, reading.window(guard.series[0].period), reading.before)


def judge(guard: Guard, seen: Seen) -> GuardReading:
    """Compare the time since the action with the healthy window; too little of either is inconclusive."""
    window = seen.reading.window(guard.series[0].period)
    source = source_of(guard.series, window)
    note = seen.trouble.get("metrics", "")
    old: tuple[float, ...] = ()
    new: tuple[float, ...] = ()
    try:
        measured_old, filled_old = values(guard.series, seen.reading.before, guard.missing, seen)
        measured_new, filled_new = values(guard.series, window, guard.missing, seen)
    except ValueError as exc:
        note = note or str(exc)
    else:
        # A stretch in which nothing was published at all is no measurement, whatever a gap counts as.
        old = filled_old.values if measured_old.values else ()
        new = filled_new.values if measured_new.values else ()
    found = judge_guard(
        old if old and not note else None,
        () if note else new,
        worse=guard.worse,
        tolerance=Tolerance(absolute=guard.absolute, relative=guard.relative),
        min_samples=guard.min_samples,
    )
    return GuardReading(
        id=guard.id,
        result=_RESULT[found.kind],
        before=fmean(old) if old else None,
        after=fmean(new) if new else None,
        samples_before=len(old),
        samples_after=len(new),
        p_value=found.p_value,
        source=source,
        note=short(note or _silent(seen.reading, old) or found.reason, 300),
    )


def _silent(reading: Reading, old: tuple[float, ...]) -> str:
    """Tell a healthy window in which the series said nothing from one that was not found."""
    return "the series has no data in the healthy window" if reading.before is not None and not old else ""
