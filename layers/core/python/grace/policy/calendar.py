"""What time it is for policy: the hour in the deployment's zone, a freeze that is on, a change window that is open."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from grace.model.base import Model
from grace.model.policy import DAYS, Calendar


class Moment(Model):
    """A point in time as policies see it. `frozen` is the reason of the freeze that is on, or empty."""

    weekday: int
    hour: int
    minute: int
    frozen: str
    in_window: bool


def moment(calendar: Calendar, at: datetime) -> Moment:
    """Return what a point in time is by the calendar. Without windows every moment is in one."""
    local = at.astimezone(ZoneInfo(calendar.timezone))
    day, clock = DAYS[local.weekday()], local.time()
    return Moment(
        weekday=local.isoweekday(),
        hour=local.hour,
        minute=local.minute,
        frozen=next((f.reason for f in calendar.freezes if f.start <= at < f.end), ""),
        in_window=not calendar.windows or any(day in w.days and w.start <= clock < w.end for w in calendar.windows),
    )
