"""What a measurement says: one row of the table, and the same as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.constructs.layers import ROOT

OUTPUT = ROOT / "var" / "bench.json"


class NotMeasured(Exception):
    """A measurement could not be made; the message is one sentence."""


@dataclass(frozen=True)
class Row:
    """One budget: `passed` is None where nothing was asked for, and the figure stands for itself."""

    goal: str
    what: str
    budget: str
    measured: str
    passed: bool | None
    how: str
    facts: dict[str, Any] = field(default_factory=dict)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title="Budgets", title_justify="left", expand=True)
    for name, width in (("goal", 5), ("what", 30), ("budget", 16), ("measured", 22), ("", 7), ("how", None)):
        table.add_column(name, width=width, overflow="fold", ratio=None if width else 1)
    before = ""
    for row in rows:
        if before and row.goal != before:
            table.add_section()
        before = row.goal
        verdict = {True: "[green]pass[/]", False: "[red]missed[/]", None: ""}[row.passed]
        table.add_row(row.goal, row.what, row.budget, row.measured, verdict, f"[dim]{row.how}[/]")
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    judged = [row for row in rows if row.passed is not None]
    console.print(f"{sum(bool(row.passed) for row in judged)} of {len(judged)} budgets kept")


def write(rows: Sequence[Row], errors: dict[str, str], file: Path = OUTPUT) -> None:
    """Write what was measured, what could not be, when, and on what."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"python": platform.python_version(), "system": platform.platform(terse=True)},
        "rows": [asdict(row) for row in rows],
        "errors": errors,
    }
    file.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the middle two."""
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
