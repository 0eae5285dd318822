"""Saying what is going on: one moving line on a terminal, plain lines where there is none."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

_RESOURCE = re.compile(
    r"\|\s*(?P<status>\w+_(?:COMPLETE|IN_PROGRESS|FAILED))\s*\|\s*(?P<type>AWS::\S+)\s*\|\s*(?P<name>\S+)"
)
Says = Callable[[str], None]


def resource_in(line: str) -> str:
    """Return the resource that a line of the CDK CLI is about, or nothing."""
    found = _RESOURCE.search(line)
    return f"{found['type'].removeprefix('AWS::')} {found['name']}" if found else ""


@contextmanager
def told(console: Console, what: str) -> Iterator[Says]:
    """Say that something is being done, and in the end how long it took.

    What is yielded takes a few words that stand beside `what` while it lasts; without a terminal they are not said.
    """
    started = time.monotonic()
    if not console.is_terminal:
        console.print(f"{what} …")
        yield lambda _words: None
    else:
        with console.status(what) as status:
            yield lambda words: status.update(f"{what}  [dim]{words}[/dim]") if words else None
    console.print(f"[green]✓[/green] {what} [dim]({time.monotonic() - started:.0f} s)[/dim]")
