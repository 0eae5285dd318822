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


@contextmanager
def told(console: Console, what: str) -> Iterator[Says]:
    """Say that something is being done, and in the end how long it took.

    What is yielded takes the lines of the CDK CLI: on a terminal the resource it is at stands beside `what`.
    """
    started = time.monotonic()
    if not console.is_terminal:
        console.print(f"{what} …")
        yield lambda _line: None
    else:
        with console.status(what) as status:

            def says(line: str) -> None:
                if found := _RESOURCE.search(line):
                    status.update(f"{what}  [dim]{found['type'].removeprefix('AWS::')} {found['name']}[/dim]")

            yield says
    console.print(f"[green]✓[/green] {what} [dim]({time.monotonic() - started:.0f} s)[/dim]")
