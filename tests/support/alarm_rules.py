"""CloudWatch's own rules for an alarm's state, which the settle time is proved against.

Source: Amazon CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data" (with
"Avoiding premature transitions to alarm state").
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from grace.evidence.settle import AlarmSettings


class AlarmState(StrEnum):
    """CloudWatch's three alarm states, by their own names."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


def alarm_state(datapoints: Sequence[bool | None], settings: AlarmSettings, previous: AlarmState) -> AlarmState:
    """The state CloudWatch sets for these datapoints, oldest first: True breaching, False not, None missing.

    Only the evaluation range counts; periods before the first datapoint given are missing. With N or more real
    datapoints the N newest decide and the missing-data rule is not needed. With fewer, all real ones count and as
    many as lack are filled by the rule. `missing` and `ignore` fill nothing: M breaching ones alarm, any good one
    otherwise means OK. With breaching ones only, but fewer than M, `ignore` keeps the state, and `missing` alarms
    once the oldest of them is M periods old (a "premature alarm") and until then has INSUFFICIENT_DATA (so in the
    guide's earlier edition; the present one says only that it is not ALARM).
    """
    n, m = settings.evaluation_periods, settings.datapoints_to_alarm
    in_range = list(datapoints)[-settings.evaluation_range :]
    real = [point for point in in_range if point is not None][-n:]
    breaching, filled = sum(real), n - len(real)
    if settings.treat_missing == "breaching":
        breaching += filled
    if breaching >= m:
        return AlarmState.ALARM
    if filled == 0 or settings.treat_missing in ("breaching", "notBreaching") or False in real:
        return AlarmState.OK
    if settings.treat_missing == "ignore":
        return previous
    oldest_age = len(in_range) - in_range.index(True) if real else 0
    return AlarmState.ALARM if oldest_age >= m else AlarmState.INSUFFICIENT_DATA
