"""What the flow calls: promises compiled, proved observable, and measured, each with one call a source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from grace.errors import InvalidPlaybook, PermanentError
from grace.model.base import Json
from grace.model.expectation import AlarmLine, Expectation, Guard
from grace.model.playbook import PlaybookSpec
from grace.model.records import GuardReading, Observation
from grace.model.signal import SeriesKey
from grace.ports import AlarmFacts, SeriesRequest
from grace.probes import _guards
from grace.probes._guards import guard_ripens
from grace.probes._lines import read
from grace.probes.base import (
    Probe,
    PromiseContext,
    Reading,
    Seen,
    Sources,
    Wants,
    kinds,
    probe,
    probe_of,
)
from grace.resources.base import Restorable

__all__ = [
    "Measured",
    "PromiseContext",
    "Reading",
    "check_promises",
    "compile_promises",
    "guard_ripens",
    "measure",
    "prove",
]

ALARM_WITHIN = 600
"""How long the alarm that fired has to recover, where the playbook does not say."""


class Measured(NamedTuple):
    """One measurement: a line for every expectation and guard, and what a reader should know beside them."""

    observations: tuple[Observation, ...]
    guards: tuple[GuardReading, ...]
    notes: tuple[str, ...]


def check_promises(spec: PlaybookSpec, kind: Restorable[Any], plan: Iterable[str]) -> None:
    """Check a playbook's promises without a resource; `plan` are the names of the action's parameters.

    Raises:
        InvalidPlaybook: one sentence naming the key and the fix.
    """
    known = frozenset(plan)
    for number, fields in enumerate(spec.expect):
        where = f"expect[{number}]"
        observer = _probe_for(fields, where)
        observer.check(read(observer.spec, fields, where), where, kind, known)
    for number, fields in enumerate(spec.guard):
        _guards.check_guard(fields, f"guard[{number}]")


def compile_promises(spec: PlaybookSpec, context: PromiseContext) -> tuple[tuple[Expectation, ...], tuple[Guard, ...]]:
    """Return every promise and guard with its values filled in, numbered e1, e2, ... and g1, g2, ...

    The alarm that fired is always promised to recover: where the playbook does not say so, the line is added.

    Raises:
        InvalidPlaybook: a line is wrong.
        Unobservable: a line means something that this alert or resource does not have.
    """
    lines: list[Expectation] = []
    for number, fields in enumerate(spec.expect):
        observer = _probe_for(fields, f"expect[{number}]")
        lines.append(observer.compile(read(observer.spec, fields, f"expect[{number}]"), f"e{number + 1}", context))
    source = context.alarm
    if source and not any(isinstance(line, AlarmLine) and line.must and _is(line.alarm, source) for line in lines):
        lines.append(AlarmLine(id=f"e{len(lines) + 1}", alarm=source.arn, within=ALARM_WITHIN))
    guards = tuple(_guards.compile_guard(fields, f"g{n}", context) for n, fields in enumerate(spec.guard, 1))
    return tuple(lines), guards


def prove(expect: Sequence[Expectation], context: PromiseContext, sources: Sources) -> None:
    """Raise `Unobservable` unless every line resolves to a real observation now.

    Raises:
        TransientError: a source did not answer; asked again, it may.
    """
    reading = Reading.at_drafting(sources, now=int(sources.clock.now().timestamp()), before=context.healthy)
    seen = _read(reading, [probe_of(line).wants_for_proof(line, reading) for line in expect])
    for line in expect:
        probe_of(line).prove(line, context, seen)


def measure(expect: Sequence[Expectation], guards: Sequence[Guard], reading: Reading) -> Measured:
    """Measure every line: one GetMetricData for all series and windows, one DescribeAlarms an alarm.

    What a source refuses for good makes its lines inconclusive.

    Raises:
        TransientError: a source did not answer; asked again, it may.
    """
    wants = [probe_of(line).wants(line, reading) for line in expect]
    wants += [Wants(series=_guards.guard_wants(guard, reading)) for guard in guards]
    seen = _read(reading, wants)
    notes = [f"{source}: {why}" for source, why in seen.trouble.items()]
    if guards and reading.before is None:
        notes.append("there was no healthy window before the incident, so no guard could be judged")
    return Measured(
        observations=tuple(probe_of(line).observe(line, seen) for line in expect),
        guards=tuple(_guards.judge(guard, seen) for guard in guards),
        notes=tuple(notes),
    )


def _read(reading: Reading, wants: Iterable[Wants]) -> Seen:
    wanted = list(wants)
    trouble: dict[str, str] = {}
    points: dict[SeriesKey, list[tuple[int, float]]] = {}
    alarms: dict[str, AlarmFacts | None] = {}
    requests: list[SeriesRequest] = [request for want in wanted for request in want.series]
    if requests:
        try:
            answers = reading.sources.metrics.fetch(requests)
        except PermanentError as exc:
            trouble["metrics"] = str(exc)
        else:
            for request, found in zip(requests, answers, strict=True):
                points.setdefault(request.metric.key, []).extend(found)
    for name in dict.fromkeys(name for want in wanted for name in want.alarms):
        try:
            alarms[name] = reading.sources.alarms.describe(name)
        except PermanentError as exc:
            trouble["alarms"] = str(exc)
    return Seen(reading, points, alarms, trouble)


def _probe_for(fields: dict[str, Json], where: str) -> Probe[Any, Any]:
    """Return the probe a line names by its key."""
    known = kinds()
    named = [kind for kind in known if kind in fields]
    if len(named) != 1:
        have = ", ".join(map(str, fields)) or "nothing"
        raise InvalidPlaybook(f"{where}: names {have}: exactly one of {', '.join(known)} says what is observed")
    return probe(named[0])


def _is(name: str, alarm: AlarmFacts) -> bool:
    return name in {alarm.arn, alarm.name}
