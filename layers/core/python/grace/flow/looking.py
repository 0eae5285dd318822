"""One look at the world: while a door decides, each question is asked once, so that the answers fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grace.model.base import Json
from grace.model.signal import SeriesKey
from grace.ports import AlarmFacts, Alarms, Aws, Clock, Fetch, Metrics, SeriesRequest, Services

if TYPE_CHECKING:
    from grace.model.catalogue import Catalogue

Points = list[tuple[int, float]]


class Look:
    """The ports that decisions are read from, for as long as one decision takes. Nothing is changed through it."""

    def __init__(self, services: Services) -> None:
        """Begin with nothing seen."""
        self.clock: Clock = services.clock
        self.aws: Aws = _Asked(services.aws)
        self.metrics: Metrics = _Fetched(services.metrics)
        self.alarms: Alarms = _Described(services.alarms)
        self.fetch: Fetch = services.fetch
        self.catalogue: Catalogue = services.catalogue


class _Asked:
    """`ports.Aws` for reading: the same call with the same arguments is made once."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._seen: dict[tuple[str, str, str], dict[str, Json]] = {}

    def call(self, service: str, operation: str, /, **arguments: Json) -> dict[str, Json]:
        """Return the answer that was given before, or ask."""
        key = (service, operation, repr(sorted(arguments.items())))
        if key not in self._seen:
            self._seen[key] = self._aws.call(service, operation, **arguments)
        return self._seen[key]


class _Fetched:
    """`ports.Metrics`: what lies within a stretch that was fetched is taken from it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[SeriesKey, list[tuple[SeriesRequest, Points]]] = {}

    def fetch(self, requests: Sequence[SeriesRequest]) -> list[Points]:
        """Return the points of each request; all that is not known yet is asked for in one call."""
        missing = [request for request in requests if self._within(request) is None]
        if missing:
            for request, points in zip(missing, self._metrics.fetch(missing), strict=True):
                self._known.setdefault(request.metric.key, []).append((request, points))
        return [self._within(request) or [] for request in requests]

    def _within(self, request: SeriesRequest) -> Points | None:
        for known, points in self._known.get(request.metric.key, ()):
            if known.start <= request.start and request.end <= known.end:
                return [point for point in points if request.start <= point[0] < request.end]
        return None


class _Described:
    """`ports.Alarms`: an alarm is described once."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._seen: dict[str, AlarmFacts | None] = {}

    def describe(self, name: str) -> AlarmFacts | None:
        """Return the alarm as it was described first, under its name or its ARN."""
        if name not in self._seen:
            found = self._alarms.describe(name)
            self._seen |= {name: found} | ({found.name: found, found.arn: found} if found else {})
        return self._seen[name]

    def in_alarm(self) -> list[AlarmFacts]:
        """Return every alarm that is on."""
        return self._alarms.in_alarm()
