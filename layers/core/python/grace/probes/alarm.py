"""An alarm that must be back in OK: CloudWatch's own word on whether the trouble is over."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from grace.errors import Unobservable
from grace.model.base import Model
from grace.model.expectation import AlarmLine
from grace.model.playbook import Duration
from grace.model.records import Observation
from grace.probes.base import Probe, PromiseContext, Reading, Seen, Wants
from grace.resources.base import Restorable

DEFAULT_WITHIN = 600


class _Alarm(Model):
    becomes: Literal["OK"] = "OK"
    within: Duration = Field(default=DEFAULT_WITHIN, ge=10, le=86400)
    name: str | None = Field(default=None, min_length=1, max_length=255)


class AlarmLineSpec(Model):
    """`alarm: {becomes: OK, within: 10m}` is the alarm that fired; with `name` it is another one."""

    alarm: _Alarm
    must: bool = True


class AlarmProbe(Probe[AlarmLineSpec, AlarmLine]):
    """Reads with DescribeAlarms."""

    spec: ClassVar[type[Model]] = AlarmLineSpec
    iam = ("cloudwatch:DescribeAlarms",)
    proof_iam = ("cloudwatch:DescribeAlarms",)

    def check(self, spec: AlarmLineSpec, where: str, kind: Restorable[Any], plan: frozenset[str]) -> None:
        """The line has nothing that depends on the resource or the action."""

    def compile(self, spec: AlarmLineSpec, line_id: str, context: PromiseContext) -> AlarmLine:
        """Return the line with the alarm's ARN, or its name where another alarm is meant."""
        alarm = spec.alarm.name or (context.alarm.arn if context.alarm else None)
        if alarm is None:
            raise Unobservable(f"expect {line_id}.alarm: the alert is no alarm: name one, or leave the line out")
        return AlarmLine(id=line_id, must=spec.must, alarm=alarm, becomes=spec.alarm.becomes, within=spec.alarm.within)

    def wants(self, line: AlarmLine, reading: Reading) -> Wants:  # noqa: ARG002
        """The alarm."""
        return Wants(alarms=(line.alarm,))

    def prove(self, line: AlarmLine, context: PromiseContext, seen: Seen) -> None:  # noqa: ARG002
        """Refuse an alarm that does not exist."""
        if seen.alarms.get(line.alarm) is None:
            raise Unobservable(seen.trouble.get("alarms", f"alarm {line.alarm}: does not exist"))

    def observe(self, line: AlarmLine, seen: Seen) -> Observation:
        """In ALARM counts against the promise only when its time is over; without data nothing is known."""
        alarm = seen.alarms.get(line.alarm)
        waited = seen.reading.now - seen.reading.since
        result: Literal["passed", "failed", "inconclusive"] = "inconclusive"
        note = ""
        if alarm is None:
            note = seen.trouble.get("alarms", "the alarm is not there")
        elif alarm.state == line.becomes:
            result = "passed"
        elif alarm.state == "ALARM" and waited >= line.within:
            result = "failed"
        elif alarm.state == "ALARM":
            note = f"still in ALARM after {waited} s of {line.within} s"
        else:
            note = "the alarm has too little data to be in any state"
        return Observation(
            id=line.id,
            kind=line.kind,
            must=line.must,
            result=result,
            predicate=f"alarm {alarm.name if alarm else line.alarm} is {line.becomes} within {line.within} s",
            expected=line.becomes,
            observed=alarm.state if alarm else "nothing",
            samples=int(result != "inconclusive"),
            supporting=int(result == "passed"),
            source=f"DescribeAlarms {line.alarm}",
            note=note,
        )


MEMBER = AlarmProbe
