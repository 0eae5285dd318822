"""Plain series: how a playbook names them, and how their points become numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any, Literal

from pydantic import Field

from grace.errors import InvalidPlaybook, Unobservable
from grace.evidence.series import Series, align, ratio
from grace.model.base import Model
from grace.model.contract import Window
from grace.model.playbook import Duration
from grace.model.signal import MetricRef
from grace.ports import SeriesRequest
from grace.probes._lines import read
from grace.probes.base import PromiseContext, Seen

ALARM = "alarm"
"""The word for the alarm's own series: its namespace, dimensions, statistic and period."""

DEFAULT_PERIOD = 60

_WORDS = {
    "avg": "Average",
    "average": "Average",
    "sum": "Sum",
    "min": "Minimum",
    "minimum": "Minimum",
    "max": "Maximum",
    "maximum": "Maximum",
    "count": "SampleCount",
    "samplecount": "SampleCount",
}
_EXTENDED = re.compile(r"^(?:p|tm|wm|tc|ts)\d{1,2}(?:\.\d{1,10})?$|^p100$|^IQM$")
_NAMED = re.compile(r"^(\S+) (\S+)(?: (\S+))?$")

Reduce = Literal["mean", "min", "max", "ratio_of_sums"]
_REDUCE: Mapping[str, Callable[[tuple[float, ...]], float]] = {"mean": fmean, "min": min, "max": max}


class SeriesSpec(Model):
    """A series written out, where its dimensions are not the resource's own."""

    namespace: str = Field(min_length=1, max_length=255)
    name: str = Field(min_length=1, max_length=255)
    stat: str = "Average"
    dimensions: dict[str, str] | None = None


class RatioSpec(Model):
    """One series divided by another, both written `NAMESPACE NAME` and summed."""

    ratio: tuple[str, str]


MetricSpec = str | RatioSpec | SeriesSpec
"""`alarm`, `NAMESPACE NAME [STAT]`, a ratio of two, or a series written out."""


def metric_spec(value: Any, where: str) -> MetricSpec:
    """Return what a line says of its series; raises `InvalidPlaybook`."""
    if isinstance(value, dict):
        return read(RatioSpec, value, where) if "ratio" in value else read(SeriesSpec, value, where)
    if not isinstance(value, str) or (value != ALARM and not _NAMED.match(value)):
        raise InvalidPlaybook(
            f"{where}: write `{ALARM}`, `NAMESPACE NAME STAT` (such as `AWS/Lambda Duration p95`) or a ratio"
        )
    return value


def is_ratio(spec: MetricSpec) -> bool:
    """Return whether the line divides one series by another."""
    return isinstance(spec, RatioSpec)


def check_spec(spec: MetricSpec, period: Duration | None, where: str) -> None:
    """Check names, statistics and period; raises `InvalidPlaybook`."""
    if period is not None and period not in {1, 5, 10, 20, 30} and period % 60:
        raise InvalidPlaybook(f"{where}.period: CloudWatch has periods of 10, 20, 30 seconds and of whole minutes")
    if spec == ALARM:
        if period is not None:
            raise InvalidPlaybook(f"{where}.period: leave it out: the alarm's series has the alarm's own period")
        return
    _metrics(spec, where, period or DEFAULT_PERIOD, lambda _namespace: {})


def compile_series(
    spec: MetricSpec, period: Duration | None, where: str, context: PromiseContext
) -> tuple[MetricRef, ...]:
    """Return the series with their dimensions.

    Raises:
        InvalidPlaybook: a name or statistic cannot be read.
        Unobservable: there is no alarm with a plain series, or the resource has no dimensions in that namespace.
    """
    if spec == ALARM:
        if context.alarm is None or context.alarm.metric is None:
            raise Unobservable(
                f"{where}: the alert is no alarm over one plain series, so `metric: {ALARM}` means nothing"
            )
        return (context.alarm.metric,)
    return _metrics(
        spec, where, period or DEFAULT_PERIOD, lambda namespace: context.kind.dimensions(context.resource, namespace)
    )


def _metrics(
    spec: MetricSpec, where: str, period: int, dimensions: Callable[[str], dict[str, str]]
) -> tuple[MetricRef, ...]:
    if isinstance(spec, RatioSpec):
        return tuple(
            _named(part, f"{where}.ratio[{n}]", "Sum", period, dimensions) for n, part in enumerate(spec.ratio)
        )
    if isinstance(spec, SeriesSpec):
        own = spec.dimensions if spec.dimensions is not None else dimensions(spec.namespace)
        stat = _stat(spec.stat, f"{where}.stat")
        return (MetricRef(namespace=spec.namespace, name=spec.name, stat=stat, period=period, dimensions=own),)
    return (_named(spec, where, "Average", period, dimensions),)


def _named(text: str, where: str, default: str, period: int, dimensions: Callable[[str], dict[str, str]]) -> MetricRef:
    found = _NAMED.match(text)
    if not found:
        raise InvalidPlaybook(f"{where}: write `NAMESPACE NAME STAT`, such as `AWS/Lambda Duration p95`")
    namespace, name, stat = found[1], found[2], found[3]
    return MetricRef(
        namespace=namespace,
        name=name,
        stat=_stat(stat, where) if stat else default,
        period=period,
        dimensions=dimensions(namespace),
    )


def _stat(text: str, where: str) -> str:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _EXTENDED.match(text):
        return text
    raise InvalidPlaybook(
        f"{where}: {text!r} is no statistic: use avg, sum, min, max, count or a percentile such as p95"
    )


def requests(series: tuple[MetricRef, ...], *windows: Window | None) -> tuple[SeriesRequest, ...]:
    """Return what to ask for these series over these windows."""
    return tuple(SeriesRequest(m, w.start, w.end) for w in windows if w is not None for m in series)


def values(
    series: tuple[MetricRef, ...], window: Window | None, missing: Literal["gap", "zero"], seen: Seen
) -> tuple[Series, Series]:
    """Return the points that were really measured in the window, and the same with gaps filled as the line says.

    For two series both are their ratio, and a point is measured where the denominator was. NaN and infinity are gaps.

    Raises:
        ValueError: the source gave two values for one period.
    """
    if window is None:
        empty = Series.of(series[0].period, ())
        return empty, empty
    first, *below = _within(series, window, seen)
    if below:
        quotient = ratio(first, below[0], missing)
        return quotient, quotient
    return first, first.filled(window.start, window.end, missing)


def _within(series: tuple[MetricRef, ...], window: Window, seen: Seen) -> list[Series]:
    return [seen.series(metric).between(window.start, window.end) for metric in series]


def reduce_to_one(
    series: tuple[MetricRef, ...], window: Window | None, missing: Literal["gap", "zero"], how: Reduce, seen: Seen
) -> float | None:
    """Return a window as one number, or None when nothing was measured in it.

    `ratio_of_sums` weighs every period by its denominator, so a quiet minute counts for little.
    """
    measured, filled = values(series, window, missing, seen)
    if not measured.values or window is None:
        return None
    if how != "ratio_of_sums":
        return _REDUCE[how](filled.values)
    above, below = _within(series, window, seen)
    pairs = align(above.at(below.timestamps, missing), below)
    total = sum(denominator for _, _, denominator in pairs)
    return sum(numerator for _, numerator, _ in pairs) / total if total else None


def text_of(series: tuple[MetricRef, ...]) -> str:
    """Return the series as a person reads them."""
    first = series[0]
    if len(series) == 2:
        return f"{first.namespace} {first.name} / {series[1].name}"
    return f"{first.namespace} {first.name} {first.stat}"


def source_of(series: tuple[MetricRef, ...], window: Window | None) -> str:
    """Return the query as it was asked."""
    asked = []
    for metric in series:
        dimensions = ",".join(f"{name}={value}" for name, value in sorted(metric.dimensions.items()))
        asked.append(f"{metric.namespace} {metric.name} {metric.stat} {metric.period}s {{{dimensions}}}")
    span = f"[{window.start}, {window.end})" if window else "over no whole period yet"
    return f"GetMetricData {'; '.join(asked)} {span}"
