"""The command in this process: its output, its exit code, and a deployment in memory for what it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.cli import orders, policies, reading
from infra.cli.main import main

Deployed = Callable[[Any], None]
"""Lets the commands reach these services, as if they were deployed."""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The output as one line, however it was folded."""
        return " ".join(self.out.split())


class Command:
    """`grace`, run here."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str | Path) -> Ran:
        try:
            code = main([str(each) for each in argv])
        except SystemExit as left:  # argparse leaves by itself
            code = int(left.code or 0)
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)


@pytest.fixture
def grace(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    def reach(services: Any) -> None:
        place = SimpleNamespace(services=services, place="a deployment in memory")
        for module in (reading, orders, policies):
            monkeypatch.setattr(module, "reach", lambda _prefix, _root: place)

    return reach
