"""What CloudWatch would show of a scene: it follows what really happens to the resource, and is silent about the future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from grace.evidence.settle import publish_seconds
from grace.gateways.memory import MemoryClock
from grace.model.expectation import Guard, MetricLine
from grace.model.signal import MetricRef, SeriesKey
from grace.ports import AlarmFacts, SeriesRequest

HISTORY = 3 * 3600
CALLS = 100.0
"""The denominator of every ratio: so many calls a period."""


@dataclass
class Level:
    """One series: what it shows while all is well, and while it is not. `above` and `below` bound what is well."""

    above: list[float] = field(default_factory=list)
    below: list[float] = field(default_factory=list)
    constant: float | None = None

    @property
    def good(self) -> float:
        """A value inside all bounds."""
        if self.constant is not None:
            return self.constant
        if self.below:
            return min(self.below) / 2
        return max(self.above) * 2 + 1 if self.above else CALLS

    @property
    def bad(self) -> float:
        """A value outside every bound."""
        if self.constant is not None:
            return self.constant
        if self.below:
            return max(self.below) * 4 + 1
        return min(self.above) / 4 - 1 if self.above and min(self.above) > 4 else 0.0 if self.above else CALLS


class Reality:
    """`ports.Metrics` and `ports.Alarms` of one incident that began at `began`.

    `fixed_at` is when the resource came into a state that is well; one good period brings an alarm of two of two back to OK.
    """

    def __init__(self, clock: MemoryClock, began: datetime, alarm: AlarmFacts | None) -> None:
        self.clock = clock
        self.began = began
        self.alarm = alarm
        self.fixed_at: datetime | None = None
        self.guard: AlarmFacts | None = None
        """An alarm about something else, which a resource's owner wants watched."""
        self.levels: dict[SeriesKey, Level] = {}
        if alarm and alarm.metric and alarm.threshold is not None:
            self._bound(alarm.metric, alarm.threshold, low_is_good=alarm.comparison.startswith("Greater"))

    def promise(self, lines: Sequence[object], guards: Sequence[Guard]) -> None:
        """Give every series of these lines a value that keeps the promise and one that breaks it."""
        for line in lines:
            if not isinstance(line, MetricLine):
                continue
            low = line.bound.op in {"below", "at_most"}
            if len(line.series) == 2:
                self._bound(line.series[0], line.bound.value * CALLS, low_is_good=low)
                self._level(line.series[1]).constant = CALLS
            elif line.bound.of == "value":
                self._bound(line.series[0], line.bound.value, low_is_good=low)
            else:
                self._level(line.series[0]).constant = CALLS
        for guard in guards:
            for series in guard.series:
                self._level(series)

    def fetch(self, requests: Sequence[SeriesRequest]) -> list[list[tuple[int, float]]]:
        """Return what has been published by now: a period some time after it is over."""
        return [self._points(request) for request in requests]

    def describe(self, name: str) -> AlarmFacts | None:
        """Return the alarm as it stands now."""
        alarm = self.alarm
        if self.guard and name in {self.guard.arn, self.guard.name}:
            return self.guard
        if alarm is None or name not in {alarm.arn, alarm.name}:
            return None
        if self.fixed_at and alarm.metric and self.clock.now() >= self._quiet_at(alarm.metric.period):
            return alarm._replace(state="OK", changed_at=self._quiet_at(alarm.metric.period))
        return alarm

    def in_alarm(self) -> list[AlarmFacts]:
        """Return the alarms that are on."""
        found = [self.describe(self.alarm.name) if self.alarm else None, self.guard]
        return [alarm for alarm in found if alarm and alarm.state == "ALARM"]

    def _quiet_at(self, period: int) -> datetime:
        assert self.fixed_at is not None
        first = self.fixed_at.timestamp() // period * period + period
        return datetime.fromtimestamp(first + period + publish_seconds(period), UTC)

    def _points(self, request: SeriesRequest) -> list[tuple[int, float]]:
        level, period = self.levels.get(request.metric.key), request.metric.period
        if level is None:
            return []
        start = max(request.start, int((self.began - timedelta(seconds=HISTORY)).timestamp()))
        end = min(request.end, int(self.clock.now().timestamp()) - publish_seconds(period) - period + 1)
        well, ill, began = level.good, level.bad, self.began.timestamp() - period
        fixed = self.fixed_at.timestamp() if self.fixed_at else float("inf")
        return [
            (at, (well if at <= began or at >= fixed else ill) * (1 + (at // period % 5 - 2) / 200))
            for at in range(start + -start % period, end, period)
        ]

    def _bound(self, series: MetricRef, value: float, *, low_is_good: bool) -> None:
        level = self._level(series)
        (level.below if low_is_good else level.above).append(value)

    def _level(self, series: MetricRef) -> Level:
        return self.levels.setdefault(series.key, Level())
