"""The reference window: `before` the incident.

Every boundary is a multiple of the period and the window half-open, so no datapoint mixes two of them. Times are
epoch seconds and arguments: this module knows no clock. Read a window with `Series.between`, which also keeps longer
periods whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from types import MappingProxyType

from grace.evidence.series import Series
from grace.evidence.settle import AlarmSettings
from grace.model.contract import Window

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "GreaterThanThreshold": gt,
        "GreaterThanOrEqualToThreshold": ge,
        "LessThanThreshold": lt,
        "LessThanOrEqualToThreshold": le,
    }
)
"""CloudWatch's comparison operators for a fixed threshold: breaching is `COMPARISONS[name](value, threshold)`."""


def before_window(
    datapoints: Series,
    settings: AlarmSettings,
    *,
    threshold: float,
    comparison: str,
    alarm_at: int,
    length: int,
    minimum: int,
) -> Window | None:
    """The healthy window: up to `length` seconds that end where the alarm's first breaching datapoint began.

    `datapoints` is the alarm's own series, `alarm_at` when it changed to ALARM. The first breaching datapoint is the
    oldest in the range the alarm evaluated then, and, if breaching ones lead up to it without a break, the oldest of
    those. The window stops short of any earlier breaching datapoint (an older incident is no reference) and, unless
    silence counts as good, of the time before the first datapoint (unknown is not healthy).

    None when nothing breached in the evaluated range, or when fewer than `minimum` seconds are left: no healthy
    window is known.
    Raises ValueError for a comparison that has no fixed threshold and for lengths that are not positive.
    """
    if comparison not in COMPARISONS:
        raise ValueError(f"comparison {comparison!r} has no fixed threshold; known are {', '.join(COMPARISONS)}")
    if not 0 < minimum <= length:
        raise ValueError(f"a window needs 0 < minimum <= length, got {minimum} and {length} seconds")
    if datapoints.period != settings.period:
        raise ValueError(
            f"the alarm's period is {settings.period} s but its datapoints are {datapoints.period} s apart"
        )
    period = settings.period
    known = dict(zip(datapoints.timestamps, datapoints.values, strict=True))

    def breaching(at: int) -> bool | None:
        """Whether the period starting `at` breached; None where that is unknown."""
        if at in known:
            return COMPARISONS[comparison](known[at], threshold)
        return {"breaching": True, "notBreaching": False}.get(settings.treat_missing)

    latest = _floor(alarm_at, period)
    evaluated = [latest - back * period for back in range(settings.evaluation_range, -1, -1)]
    end = next((t for t in evaluated if breaching(t)), None)
    if end is None or not known:
        return None
    while end > datapoints.timestamps[0] and breaching(end - period):
        end -= period
    earliest = _ceil(end - length, period)
    start, at = end, end - period
    while at >= earliest and (found := breaching(at)) is not True:
        start = at if found is False else start
        at -= period
    return Window(start=start, end=end) if end - start >= minimum else None


def _floor(at: int, period: int) -> int:
    return at - at % period


def _ceil(at: int, period: int) -> int:
    return at + -at % period
