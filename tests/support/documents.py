"""The documents as tests read them."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def document(name: str) -> str:
    """Return the text of a file of `docs`."""
    return (DOCS / name).read_text(encoding="utf-8")


def cells(text: str) -> list[tuple[str, ...]]:
    """Return the cells of every row of every table."""
    return [
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]
