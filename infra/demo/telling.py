"""What is told of an incident, line by line, and how it looks: three columns on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

MARKS = {"done": ("✓", "green"), "bad": ("✗", "red"), "note": ("·", "dim"), "person": ("☺", "magenta")}
NARROW = 100
"""Below this width the three stand one above the other."""
Heard = Callable[["Telling", str, str], None]


@dataclass
class Telling:
    """One incident as it is told. `waiting` names what it waits for now."""

    title: str
    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    waiting: str = ""
    since: float = 0.0
    end: tuple[str, str] | None = None
    heard: Heard | None = None

    def say(self, text: str, mark: str = "done") -> None:
        """Tell a line; the wait before it is over."""
        self.waiting = ""
        self.lines.append((mark, text))
        self._hear(mark, text)

    def wait(self, text: str) -> None:
        """Say what is waited for."""
        if text != self.waiting:
            self.waiting, self.since = text, time.monotonic()
            self._hear("note", f"waiting {text}")

    def close(self, text: str, colour: str) -> None:
        """Say how it ended."""
        self.waiting, self.end = "", (text, colour)
        self._hear("done" if colour == "green" else "note", text)

    def _hear(self, mark: str, text: str) -> None:
        if self.heard:
            self.heard(self, mark, text)


@contextmanager
def stage(console: Console, tellings: Sequence[Telling], footer: Callable[[], str]) -> Iterator[None]:
    """Show the incidents while they are told. Without a terminal each line is printed once, as it comes."""
    if not console.is_terminal:
        started = time.monotonic()

        def printed(telling: Telling, mark: str, text: str) -> None:
            sign = MARKS[mark][0]
            console.print(f"{time.monotonic() - started:6.1f} s  {telling.name:<13} {sign} {text}", soft_wrap=True)

        for telling in tellings:
            telling.heard = printed
        yield
        return
    spinner = Spinner("dots", style="cyan")
    whole = False

    def picture() -> RenderableType:
        stacked = len(tellings) if console.width < NARROW else 1
        # The newest lines that fit, two rows each where they fold; the last picture shows them all.
        newest = None if whole else max(2, ((console.height - 2) // stacked - 4) // 2)
        panels = [_panel(telling, spinner, newest) for telling in tellings]
        return Group(_beside(panels) if stacked == 1 else Group(*panels), Text(footer(), style="dim"))

    with Live(get_renderable=picture, console=console, refresh_per_second=8):
        yield
        whole = True


def _beside(panels: Sequence[Panel]) -> RenderableType:
    table = Table.grid(expand=True)
    for _ in panels:
        table.add_column(ratio=1)
    table.add_row(*panels)
    return table


def _panel(telling: Telling, spinner: Spinner, newest: int | None) -> Panel:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for mark, text in telling.lines if newest is None else telling.lines[-newest:]:
        sign, colour = MARKS[mark]
        table.add_row(Text(sign, style=colour), Text(text, style="dim" if mark == "note" else ""))
    if telling.waiting:
        elapsed = time.monotonic() - telling.since
        table.add_row(spinner, Text(f"waiting {telling.waiting} ({elapsed:.0f} s)", style="cyan"))
    if telling.end:
        text, colour = telling.end
        table.add_row(Text("●", style=colour), Text(text, style=f"bold {colour}"))
    return Panel(table, title=telling.title, border_style=telling.end[1] if telling.end else "cyan", padding=(0, 1))
