"""When a CloudWatch alarm can be expected back in OK, from the alarm's own settings.

Source for the rules: Amazon CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat
missing data" (with "Avoiding premature transitions to alarm state"). The tests hold both of its tables, and the settle
time against the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

Missing = Literal["missing", "ignore", "breaching", "notBreaching"]
"""The alarm's `TreatMissingData`."""

_HIGH_RESOLUTION = (10, 20, 30)
_EXTRA_PERIODS = 2  # the guide's tables retrieve 5 datapoints for 3 evaluation periods
_HOUR, _DAY = 3600, 86_400


def publish_seconds(period: int) -> int:
    """Seconds allowed for a datapoint to arrive after its period of `period` seconds ended: 60, and 10 below a minute.

    CloudWatch promises no figure; these are Grace's own allowance. Too small only makes the first look come too early.
    """
    return 60 if period >= 60 else 10


class UnsupportedAlarm(ValueError):
    """The alarm has no period of its own to compute from, for example a composite one; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """What decides when a metric alarm changes state: M breaching datapoints out of the last N, and how silence counts.

    `period` in seconds; `evaluation_periods` is N, `datapoints_to_alarm` is M. Raises ValueError for values
    CloudWatch itself refuses.
    """

    period: int
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing: Missing = "missing"

    def __post_init__(self) -> None:
        if self.period not in _HIGH_RESOLUTION and (self.period <= 0 or self.period % 60):
            raise ValueError(f"an alarm's period is 10, 20, 30 or a multiple of 60 seconds, got {self.period}")
        if not 1 <= self.datapoints_to_alarm <= self.evaluation_periods:
            raise ValueError(
                f"{self.datapoints_to_alarm} datapoints to alarm out of {self.evaluation_periods} is not possible"
            )
        if self.treat_missing not in get_args(Missing):
            raise ValueError(f"unknown missing-data treatment {self.treat_missing!r}")

    @classmethod
    def of(
        cls, name: str, period: int | None, evaluation_periods: int, datapoints_to_alarm: int, treat_missing: str
    ) -> AlarmSettings:
        """From what DescribeAlarms says of the alarm `name`; `period` is None where it has no single series of its own.

        Raises UnsupportedAlarm without a period (a composite alarm, one over several series, PromQL), and ValueError
        for values CloudWatch itself refuses.
        """
        if period is None:
            raise UnsupportedAlarm(
                f"alarm {name} has no period of its own (it is composite or combines series), so no settle time follows"
                " from it: name one of its metric alarms, or give the playbook a settle time in seconds"
            )
        return cls(period, evaluation_periods, datapoints_to_alarm, cast("Missing", treat_missing))

    @property
    def high_resolution(self) -> bool:
        """Whether the alarm's datapoints are shorter than a minute."""
        return self.period in _HIGH_RESOLUTION

    @property
    def evaluation_range(self) -> int:
        """How many of the most recent periods CloudWatch looks at: more than N, in case some are missing.

        The guide gives the number only by example (5 for N = 3); the two extra periods are used for every N.
        """
        return self.evaluation_periods + _EXTRA_PERIODS

    @property
    def evaluated_every(self) -> int:
        """Seconds between evaluations: 10 for high resolution, an hour where N periods exceed a day, else 60."""
        if self.high_resolution:
            return 10
        return _HOUR if self.period * self.evaluation_periods > _DAY else 60

    @property
    def publish_seconds(self) -> int:
        """Seconds allowed for a datapoint of the alarm's to arrive after its period ended."""
        return publish_seconds(self.period)


def settle_seconds(settings: AlarmSettings) -> int:
    """Seconds after the action until the alarm can be expected in OK, if every datapoint from then on is good.

    The worst case is counted: all datapoints before the action were breaching, and the action fell at the start of a
    period, which therefore stays breaching to its end. Then good periods must push the breaching ones out: N - M + 1
    of them, for with those fewer than M of the newest N are breaching. Where silence counts as good (`notBreaching`)
    a healthy resource may publish nothing, and CloudWatch goes on reading older datapoints as far as its evaluation
    range reaches: range - M + 1 periods. With the other treatments silence never brings OK, so good datapoints are
    what is waited for. Last come publication and the next evaluation.
    """
    reach = settings.evaluation_range if settings.treat_missing == "notBreaching" else settings.evaluation_periods
    good_periods = reach - settings.datapoints_to_alarm + 1
    return (1 + good_periods) * settings.period + settings.publish_seconds + settings.evaluated_every
