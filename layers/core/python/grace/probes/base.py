"""What a kind of expectation promises, and what it may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from grace import registry
from grace.evidence.series import Series
from grace.evidence.settle import publish_seconds
from grace.model.base import Json, Model
from grace.model.contract import Contract, Window
from grace.model.expectation import Expectation
from grace.model.records import Observation
from grace.model.resource import ResourceRef
from grace.model.signal import MetricRef, SeriesKey, Signal
from grace.ports import AlarmFacts, Alarms, Aws, Clock, Fetch, Metrics, SeriesRequest
from grace.resources.base import Restorable

SpecT = TypeVar("SpecT", bound=Model)
LineT = TypeVar("LineT", bound=Model)

PROOF_SECONDS = 3 * 3600 - 300
"""A series counts as real when it had data within this time: as long as CloudWatch keeps high-resolution points, less
the time until the question arrives. A start that is three hours ago or more has no points of less than a minute (the
reference of GetMetricData)."""


class Sources(Protocol):
    """The ports a probe may ask; a door's services are such."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def aws(self) -> Aws:
        """The services of the resource."""

    @property
    def metrics(self) -> Metrics:
        """Plain series."""

    @property
    def alarms(self) -> Alarms:
        """Alarms."""

    @property
    def fetch(self) -> Fetch:
        """HTTP under the SSRF rules."""


class PromiseContext(NamedTuple):
    """What is known when a contract is drafted: `before` is the captured state, `predicted` the one the action leads to.

    `healthy` is the reference window before the incident, where there is one.
    """

    resource: ResourceRef
    kind: Restorable[Any]
    before: dict[str, Json]
    predicted: dict[str, Json]
    parameters: dict[str, Json]
    signal: Signal | None = None
    alarm: AlarmFacts | None = None
    http_hosts: tuple[str, ...] = ()
    healthy: Window | None = None


class Reading(NamedTuple):
    """What may be looked at in one measurement: the ports, the resource's state as captured now, and the windows.

    `now` is epoch seconds. `since` is when the action was done, or for the measurement before it, the beginning of
    the window that is measured; nothing earlier counts. `before` is the healthy reference window, where there is one.
    """

    sources: Sources
    state: dict[str, Json]
    now: int
    since: int
    before: Window | None

    @classmethod
    def at_drafting(cls, sources: Sources, *, now: int, before: Window | None) -> Reading:
        """Read what there has been lately, to prove that a line can be observed at all."""
        return cls(sources, {}, now, now - PROOF_SECONDS, before)

    @classmethod
    def before_action(cls, sources: Sources, contract: Contract, *, now: int) -> Reading:
        """Read the time directly before the action: the contract's `during_seconds`, up to now.

        Where the healthy window is known it begins no earlier than that one ends: what is to show how bad it was must
        not be thinned with what was well.
        """
        began = contract.before.end if contract.before else 0
        return cls(sources, {}, now, max(now - contract.during_seconds, began), contract.before)

    @classmethod
    def after_action(
        cls, sources: Sources, contract: Contract, *, state: dict[str, Json], acted: int, now: int
    ) -> Reading:
        """Read the time since the action was done (`acted`, epoch seconds), and the resource as it stands."""
        return cls(sources, state, now, acted, contract.before)

    def window(self, period: int, within: int | None = None) -> Window | None:
        """Return the whole periods since the action, at most the last `within` seconds of them; None when there is none.

        A period that holds the moment of the action mixes before and after, so it is left out; so is one whose point
        may not be published yet, or only in part.
        """
        published = self.now - publish_seconds(period)
        end = published - published % period
        start = self.since + -self.since % period
        if within is not None:
            start = max(start, end - max(within - within % period, period))
        return Window(start=start, end=end) if start < end else None


class Wants(NamedTuple):
    """What a line needs read, so that all lines together cost one call a source."""

    series: tuple[SeriesRequest, ...] = ()
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for all lines. `trouble` says of a source why it could not be read; nothing of it counts then."""

    reading: Reading
    points: Mapping[SeriesKey, Sequence[tuple[int, float]]] = field(default_factory=dict)
    alarms: Mapping[str, AlarmFacts | None] = field(default_factory=dict)
    trouble: Mapping[str, str] = field(default_factory=dict)
    _series: dict[SeriesKey, Series] = field(default_factory=dict, init=False, repr=False, compare=False)

    def series(self, metric: MetricRef) -> Series:
        """Return the points of a series; raises ValueError when the source gave two values for one period."""
        key = metric.key
        if key not in self._series:
            self._series[key] = Series.of(metric.period, self.points.get(key, ()))
        return self._series[key]


def samples_after(count: int, period: int) -> int:
    """Return the seconds after the action in which `count` whole periods surely pass and are published.

    The action may fall on the first second of a period, and the look on the last of another.
    """
    return (count + 1) * period + publish_seconds(period)


class Probe(ABC, Generic[SpecT, LineT]):
    """One kind of expectation. A playbook's line names it by its key; `spec` is the line as written, strictly.

    `iam` are the IAM actions that observing needs, granted to `benchmark` on `arns` (with `{account}` and `{region}`);
    `proof_iam` those that proving needs, granted to `contract` on the same.
    """

    spec: ClassVar[type[Model]]
    iam: ClassVar[tuple[str, ...]] = ()
    proof_iam: ClassVar[tuple[str, ...]] = ()
    arns: ClassVar[tuple[str, ...]] = ("*",)
    tag_condition: ClassVar[bool] = False
    """Whether the grant is further limited to resources that opted in."""

    @abstractmethod
    def check(self, spec: SpecT, where: str, kind: Restorable[Any], plan: frozenset[str]) -> None:
        """Check what can be checked without a resource; `plan` are the action's parameter names.

        Raises:
            InvalidPlaybook: one sentence naming the key and the fix.
        """

    @abstractmethod
    def compile(self, spec: SpecT, line_id: str, context: PromiseContext) -> LineT:
        """Return the promise with every value filled in.

        Raises:
            InvalidPlaybook: a template names what there is not.
            Unobservable: the line means something this alert or resource does not have.
        """

    @abstractmethod
    def prove(self, line: LineT, context: PromiseContext, seen: Seen) -> None:
        """Raise `Unobservable` unless the line resolves to a real observation now."""

    @abstractmethod
    def observe(self, line: LineT, seen: Seen) -> Observation:
        """Measure. What could not be measured is inconclusive, never passed."""

    def ripens(self, line: LineT) -> int:
        """Return how many seconds after the action the line can surely be judged, if all goes well."""
        return 0

    def wants(self, line: LineT, reading: Reading) -> Wants:
        """Return what must be read before `observe`."""
        return Wants()

    def wants_for_proof(self, line: LineT, reading: Reading) -> Wants:
        """Return what must be read before `prove`."""
        return self.wants(line, reading)


def probe(kind: str) -> Probe[Any, Any]:
    """Return the probe of that kind; raises `Refused` (`unknown`) for a kind nobody implements."""
    found: Probe[Any, Any] = registry.member("grace.probes", kind)
    return found


def probe_of(line: Expectation) -> Probe[Any, Any]:
    """Return the probe that compiled a line."""
    return probe(line.kind)


def probes() -> dict[str, Probe[Any, Any]]:
    """Return every probe by kind."""
    return registry.members("grace.probes")


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds without importing them."""
    return registry.names("grace.probes")
