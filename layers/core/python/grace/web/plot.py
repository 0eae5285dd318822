"""The series that fired as the numbers of an inline SVG: no script, no image, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from grace.model.contract import Window
from grace.model.preview import Plot

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 28
"""The frame, and the room left for labels, in the units of the view box."""


class Tick(NamedTuple):
    """A label at a place on an axis."""

    at: float
    text: str


class Band(NamedTuple):
    """A stretch of time, drawn behind the line."""

    x: float
    width: float


class Drawing(NamedTuple):
    """Everything the template draws: paths in SVG's words, and places for lines and labels."""

    label: str
    line: str
    area: str
    dots: tuple[tuple[float, float], ...]
    threshold: Tick | None
    since: Tick | None
    healthy: Band | None
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    says: str


def draw(plot: Plot, healthy: Window | None) -> Drawing | None:
    """Return the drawing of a series, or None for fewer than two points. A missing period is a gap in the line."""
    if len(plot.points) < 2:
        return None
    start, end = plot.points[0][0], plot.points[-1][0] + plot.period
    values = [value for _, value in plot.points]
    marks = [*values, *([plot.threshold] if plot.threshold is not None else [])]
    low, high = min(0.0, *marks), max(0.0, *marks)
    top = high
    high = top + (top - low) * 0.08 or 1.0

    def x(at: float) -> float:
        return round(LEFT + (at - start) / (end - start) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    runs = _runs(plot)
    base = y(max(low, 0.0))
    return Drawing(
        label=plot.label,
        line=" ".join("M" + " L".join(f"{x(at)},{y(value)}" for at, value in run) for run in runs),
        area=" ".join(
            f"M{x(run[0][0])},{base} "
            + " ".join(f"L{x(at)},{y(value)}" for at, value in run)
            + f" L{x(run[-1][0])},{base} Z"
            for run in runs
        ),
        dots=tuple((x(run[0][0]), y(run[0][1])) for run in runs if len(run) == 1),
        threshold=Tick(y(plot.threshold), f"{plot.threshold:g}") if plot.threshold is not None else None,
        since=Tick(x(plot.since), _clock(plot.since)) if plot.since and start <= plot.since <= end else None,
        healthy=_band(healthy, start, end, x(start), x(end)),
        x_ticks=tuple(Tick(x(at), _clock(at)) for at in _steps(start, end)),
        y_ticks=tuple(Tick(y(value), f"{value:.3g}") for value in dict.fromkeys((low, (low + top) / 2, top))),
        says=_says(plot, values),
    )


def _runs(plot: Plot) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = [[]]
    for at, value in plot.points:
        if runs[-1] and at - runs[-1][-1][0] > plot.period:
            runs.append([])
        runs[-1].append((at, value))
    return runs


def _band(window: Window | None, start: int, end: int, left: float, right: float) -> Band | None:
    if window is None or window.end <= start or window.start >= end:
        return None
    scale = (right - left) / (end - start)
    first, last = max(window.start, start), min(window.end, end)
    return Band(round(left + (first - start) * scale, 1), round((last - first) * scale, 1))


def _steps(start: int, end: int) -> Sequence[int]:
    """Return four round times or fewer between start and end."""
    step = next((each for each in (60, 300, 600, 900, 1800, 3600, 7200, 21600) if (end - start) / each <= 4.5), 86400)
    return range(start + -start % step, end, step)


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def _says(plot: Plot, values: Sequence[float]) -> str:
    """Say the plot in a sentence, for those who do not see it."""
    first, last = _clock(plot.points[0][0]), _clock(plot.points[-1][0])
    sentence = f"{plot.label} from {first} to {last} UTC: latest {values[-1]:g}, lowest {min(values):g}, highest {max(values):g}"
    return sentence + (f", alarm threshold {plot.threshold:g}." if plot.threshold is not None else ".")
