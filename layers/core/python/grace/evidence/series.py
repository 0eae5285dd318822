"""Metric series on a period grid, and the few operations Grace does on them itself.

Grace asks CloudWatch for plain series only and computes ratios, alignment and filling here, so the same
numbers come out on every engine and each can be recomputed from the recorded evidence.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat
from operator import lt, mod
from statistics import fmean
from typing import Literal

Fill = Literal["gap", "zero", "repeat"]
"""What a missing datapoint counts as: nothing at all, 0, or the last datapoint before it (a gap if there is none)."""


@dataclass(frozen=True, slots=True)
class Series:
    """Datapoints of one metric: `timestamps` (epoch seconds, start of each period) ascending, `values` in its unit.

    Every timestamp is a multiple of `period` (seconds) and every value is finite; a gap is a timestamp that is
    absent.
    Raises ValueError when that does not hold: build from raw datapoints with `Series.of`.
    """

    period: int
    timestamps: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.period <= 0:
            raise ValueError(f"a period is a positive number of seconds, got {self.period}")
        if len(self.timestamps) != len(self.values):
            raise ValueError(f"{len(self.timestamps)} timestamps but {len(self.values)} values")
        if any(map(mod, self.timestamps, repeat(self.period))):
            raise ValueError(f"timestamps must be multiples of the period of {self.period} s")
        if not all(map(lt, self.timestamps, self.timestamps[1:])):
            raise ValueError("timestamps must ascend, each one once")
        if not all(map(math.isfinite, self.values)):
            raise ValueError("values must be finite; a missing value is a gap")

    @classmethod
    def of(cls, period: int, points: Iterable[tuple[int, float]]) -> Series:
        """A series from raw (epoch seconds, value) pairs in any order; NaN and infinity are dropped as gaps.

        A timestamp inside a period belongs to that period. The same datapoint twice is one; raises ValueError for two
        different values in one period, because which of them is true is not ours to guess.
        """
        cells: dict[int, float] = {}
        for timestamp, value in points:
            if not math.isfinite(value):
                continue
            cell = timestamp - timestamp % period
            if cells.setdefault(cell, value) != value:
                raise ValueError(f"two different values, {cells[cell]} and {value}, for the period starting at {cell}")
        ordered = tuple(sorted(cells))
        return cls(period, ordered, tuple(cells[t] for t in ordered))

    def __len__(self) -> int:
        return len(self.timestamps)

    def between(self, start: int, end: int) -> Series:
        """The datapoints whose whole period lies within [start, end), so that no datapoint mixes in what is outside."""
        first, past = bisect_left(self.timestamps, start), bisect_right(self.timestamps, end - self.period)
        return Series(self.period, self.timestamps[first:past], self.values[first:past])

    def filled(self, start: int, end: int, missing: Fill) -> Series:
        """`between(start, end)` with every missing period of the grid filled as the rule says.

        `repeat` carries the last datapoint forward, also one from before `start`; periods before the first stay gaps.
        """
        if missing == "gap":
            return self.between(start, end)
        first = start + -start % self.period
        grid = range(first, end - self.period + 1, self.period)
        return self.at(grid, missing)

    def mean(self) -> float | None:
        """Arithmetic mean; None without datapoints, as for all statistics below."""
        return self._statistic(fmean)

    def sum(self) -> float | None:
        """Sum of the datapoints, without rounding error building up."""
        return self._statistic(math.fsum)

    def min(self) -> float | None:
        """Smallest datapoint."""
        return self._statistic(min)

    def max(self) -> float | None:
        """Largest datapoint."""
        return self._statistic(max)

    def percentile(self, percent: float) -> float | None:
        """The percentile (0 to 100) of the datapoints, linear between neighbours.

        Type 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50
        (1996). It is a percentile of datapoints; a percentile of requests must be asked of the source (`p95` as the
        statistic).
        Raises ValueError outside 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, got {percent}")

        def interpolate(values: tuple[float, ...]) -> float:
            ordered = sorted(values)
            position = (len(ordered) - 1) * percent / 100
            below = math.floor(position)
            above = min(below + 1, len(ordered) - 1)
            return ordered[below] + (ordered[above] - ordered[below]) * (position - below)

        return self._statistic(interpolate)

    def _statistic(self, compute: Callable[[tuple[float, ...]], float]) -> float | None:
        return compute(self.values) if self.values else None

    def at(self, grid: Iterable[int], missing: Fill) -> Series:
        """The series read at the ascending timestamps of `grid`, missing ones filled as the rule says."""
        known = dict(zip(self.timestamps, self.values, strict=True))
        earlier = iter(zip(self.timestamps, self.values, strict=True))
        upcoming = next(earlier, None)
        last: float | None = None
        out: list[tuple[int, float]] = []
        for t in grid:
            while upcoming is not None and upcoming[0] <= t:
                last, upcoming = upcoming[1], next(earlier, None)
            if t in known:
                out.append((t, known[t]))
            elif missing == "zero":
                out.append((t, 0.0))
            elif missing == "repeat" and last is not None:
                out.append((t, last))
        return Series.of(self.period, out)


def align(first: Series, second: Series) -> tuple[tuple[int, float, float], ...]:
    """(timestamp, first value, second value) for every period in which both have a datapoint.

    Raises ValueError when the periods differ: a 5-minute sum and a 1-minute sum have no common datapoints.
    """
    _same_period(first, second)
    other = dict(zip(second.timestamps, second.values, strict=True))
    return tuple((t, v, other[t]) for t, v in zip(first.timestamps, first.values, strict=True) if t in other)


def ratio(numerator: Series, denominator: Series, missing: Fill = "gap") -> Series:
    """One series divided by another, period by period, for example errors per invocation.

    Without a denominator, or with a denominator of 0, there was nothing to measure: a gap, whatever the rule. A
    missing numerator where the denominator exists follows `missing`; `zero` is right for counts that are only
    published when something happens.
    Raises ValueError when the periods differ.
    """
    _same_period(numerator, denominator)
    measured = numerator.at(denominator.timestamps, missing)
    return Series.of(
        numerator.period, ((t, above / below) for t, above, below in align(measured, denominator) if below != 0)
    )


def ratio_of_sums(numerator: Series, denominator: Series, missing: Fill = "gap") -> float | None:
    """The sum of one series divided by the sum of another, over the periods both have: the rate over a whole window.

    Unlike the mean of `ratio` it weighs a period by how much happened in it. `missing` says what a period with a
    denominator but no numerator counts as. None without common periods or with denominators that add up to 0.
    Raises ValueError when the periods differ.
    """
    _same_period(numerator, denominator)
    common = align(numerator.at(denominator.timestamps, missing), denominator)
    below = math.fsum(v for _, _, v in common)
    return math.fsum(v for _, v, _ in common) / below if below != 0 else None


def _same_period(first: Series, second: Series) -> None:
    if first.period != second.period:
        raise ValueError(
            f"series of {first.period} s and {second.period} s cannot be aligned; ask both with one period"
        )
