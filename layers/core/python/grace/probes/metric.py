"""A plain series, or the ratio of two, reduced to one number and held against a bound."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from grace.errors import InvalidPlaybook, Unobservable
from grace.model.base import Json, Model
from grace.model.contract import Window
from grace.model.expectation import MetricLine
from grace.model.playbook import Duration
from grace.model.records import Observation
from grace.probes._lines import NOT_BREACHING, short, threshold
from grace.probes._series import (
    ALARM,
    check_spec,
    compile_series,
    is_ratio,
    metric_spec,
    reduce_to_one,
    requests,
    source_of,
    text_of,
    values,
)
from grace.probes.base import PROOF_SECONDS, Probe, PromiseContext, Reading, Seen, Wants, samples_after
from grace.resources.base import Restorable


class MetricLineSpec(Model):
    """`metric` names the series, `is` (must) or `should` the bound; `within` is how long the last measured stretch is."""

    metric: Json
    within: Duration = Field(default=300, ge=10, le=86400)
    is_: Json = Field(default=None, alias="is")
    should: Json = None
    reduce: Literal["mean", "min", "max"] | None = None
    missing: Literal["gap", "zero"] = "gap"
    min_samples: int = Field(default=3, ge=1, le=1000)
    period: Duration | None = Field(default=None, ge=1, le=86400)


class MetricProbe(Probe[MetricLineSpec, MetricLine]):
    """Reads with GetMetricData, which IAM cannot narrow to a series."""

    spec: ClassVar[type[Model]] = MetricLineSpec
    iam = ("cloudwatch:GetMetricData",)
    proof_iam = ("cloudwatch:GetMetricData",)

    def check(self, spec: MetricLineSpec, where: str, kind: Restorable[Any], plan: frozenset[str]) -> None:  # noqa: ARG002
        """Check names, statistics, bound and period."""
        series = metric_spec(spec.metric, f"{where}.metric")
        check_spec(series, spec.period, where)
        key, bound = self._bound(spec, where)
        if bound == NOT_BREACHING:
            if series != ALARM:
                raise InvalidPlaybook(f"{where}.{key}: `{NOT_BREACHING}` is for `metric: {ALARM}`: write a number")
        else:
            threshold(bound, f"{where}.{key}", None)
        if is_ratio(series) and spec.reduce is not None:
            raise InvalidPlaybook(f"{where}.reduce: leave it out: a ratio is the sums of the window divided")

    def compile(self, spec: MetricLineSpec, line_id: str, context: PromiseContext) -> MetricLine:
        """Return the line with the series' dimensions and the bound's numbers."""
        where = f"expect {line_id}"
        series = metric_spec(spec.metric, f"{where}.metric")
        key, bound = self._bound(spec, where)
        compiled = compile_series(series, spec.period, where, context)
        return MetricLine(
            id=line_id,
            must=key == "is",
            series=compiled,
            # A stretch that cannot hold the points it is judged by would never be judged.
            within=max(spec.within, spec.min_samples * compiled[0].period),
            bound=threshold(bound, f"{where}.{key}", context.alarm),
            missing=spec.missing,
            reduce="ratio_of_sums" if is_ratio(series) else spec.reduce or "mean",
            min_samples=spec.min_samples,
        )

    def ripens(self, line: MetricLine) -> int:
        """So long that its points have been published."""
        return samples_after(line.min_samples, line.series[0].period)

    def wants(self, line: MetricLine, reading: Reading) -> Wants:
        """Both windows: the one that is measured, and the healthy one where the bound is a multiple of it."""
        before = reading.before if line.bound.of == "before" else None
        return Wants(series=requests(line.series, self._window(line, reading), before))

    def wants_for_proof(self, line: MetricLine, reading: Reading) -> Wants:
        """The last three hours, and the healthy window where the bound needs it."""
        before = reading.before if line.bound.of == "before" else None
        return Wants(series=requests(line.series, Window(start=reading.now - PROOF_SECONDS, end=reading.now), before))

    def prove(self, line: MetricLine, context: PromiseContext, seen: Seen) -> None:  # noqa: ARG002
        """Refuse a series without data for three hours, and a multiple of a healthy window that there is not."""
        self._refuse_trouble(seen)
        required = line.series[1:] if len(line.series) == 2 and line.missing == "zero" else line.series
        for metric in required:
            if not seen.points.get(metric.key):
                raise Unobservable(f"{source_of((metric,), None)}: there was no data for three hours")
        if line.must and line.bound.of == "before" and self._reference(line, seen) is None:
            raise Unobservable(
                f"{text_of(line.series)} {line.bound.text()}: there is no healthy window to compare with"
            )

    def observe(self, line: MetricLine, seen: Seen) -> Observation:
        """Reduce the window to one number and hold it against the bound.

        Only points that were really published count as samples: a filled zero moves the number and proves nothing.
        """
        window = self._window(line, seen.reading)
        held: list[bool] = []
        observed: float | None = None
        reference: float | None = None
        note = seen.trouble.get("metrics", "")
        if not note:
            try:
                measured, _ = values(line.series, window, line.missing, seen)
                observed = reduce_to_one(line.series, window, line.missing, line.reduce, seen)
                reference = self._reference(line, seen)
            except ValueError as exc:
                note = str(exc)
            else:
                note = self._lack(line, len(measured), observed, reference)
                if line.bound.of == "value" or reference is not None:
                    held = [line.bound.holds(value, reference) for value in measured.values]
        result: Literal["passed", "failed", "inconclusive"] = "inconclusive"
        if not note and observed is not None:
            result = "passed" if line.bound.holds(observed, reference) else "failed"
            if result == "passed" and not any(held):
                result, note = "inconclusive", "no measured point keeps the bound by itself"
        of = f" (before: {reference:.6g})" if reference is not None and line.bound.of == "before" else ""
        return Observation(
            id=line.id,
            kind=line.kind,
            must=line.must,
            result=result,
            predicate=f"{text_of(line.series)} {line.bound.text()} over {line.within} s",
            expected=line.bound.text() + of,
            observed="nothing" if observed is None else f"{observed:.6g}",
            samples=len(held),
            supporting=sum(held),
            source=source_of(line.series, window),
            note=short(note),
        )

    @staticmethod
    def _bound(spec: MetricLineSpec, where: str) -> tuple[str, Json]:
        if (spec.is_ is None) == (spec.should is None):
            raise InvalidPlaybook(f"{where}: write either `is` (must hold) or `should` (may fail), with a bound")
        return ("is", spec.is_) if spec.is_ is not None else ("should", spec.should)

    @staticmethod
    def _window(line: MetricLine, reading: Reading) -> Window | None:
        return reading.window(line.series[0].period, line.within)

    @staticmethod
    def _reference(line: MetricLine, seen: Seen) -> float | None:
        return reduce_to_one(line.series, seen.reading.before, line.missing, line.reduce, seen)

    @staticmethod
    def _lack(line: MetricLine, measured: int, observed: float | None, reference: float | None) -> str:
        """Return why there is too little to judge, or nothing."""
        if measured < line.min_samples or observed is None:
            return f"{measured} points were measured and {line.min_samples} are needed"
        if line.bound.of == "before" and reference is None:
            return "there is no healthy window to compare with"
        return ""

    @staticmethod
    def _refuse_trouble(seen: Seen) -> None:
        if "metrics" in seen.trouble:
            raise Unobservable(seen.trouble["metrics"])


MEMBER = MetricProbe
