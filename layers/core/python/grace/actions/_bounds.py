"""Absolute values within bounds: what every action that raises or lowers a number does in the same way."""

from __future__ import annotations

import math

from grace.errors import Refused


def grown(what: str, now: int, *, to: int | None, factor: float | None, most: int) -> int:
    """Return the value asked for, or `now` times a factor rounded up, never above `most`.

    Raises:
        Refused: `out_of_bounds`, more than `most` was asked for; `nothing_to_do`, it has that value, or is at its most.
    """
    if to is not None and to > most:
        raise Refused("out_of_bounds", f"{what} may be {most} at most, {to} was asked for")
    value = to if to is not None else min(math.ceil(now * (factor or 1.0)), most)
    if value == now or (factor is not None and value < now):
        raise Refused("nothing_to_do", f"{what} is {now} already" + (f" of at most {most}" if now >= most else ""))
    return value


def moved(what: str, now: int, *, add: int, least: int, most: int) -> int:
    """Return `now` and `add` together; raises `Refused` (`at_minimum`, `at_maximum`) when that leaves the bounds."""
    value = now + add
    if value > most:
        raise Refused("at_maximum", f"{what} is {now} of at most {most}; {add} more are not allowed: raise its maximum")
    if value < least:
        raise Refused("at_minimum", f"{what} is {now} of at least {least}; {-add} fewer are not allowed")
    return value


def removed(now: int | None, value: int | None) -> int:
    """Return by how many percent a number that serves goes down, rounded up; 0 when it does not, or nobody knows."""
    return 0 if not now or value is None or value >= now else math.ceil(100 * (now - value) / now)


def require_share(what: str, now: int, value: int, share: float) -> None:
    """Raise `Refused` (`fleet_share`) when more than a share of the fleet would change at once; one always may."""
    allowed = max(1, math.floor(now * share))
    if abs(value - now) > allowed:
        raise Refused(
            "fleet_share", f"{what} would go from {now} to {value}; {share:.0%} of it, so {allowed}, may change at once"
        )
