"""The command in this process: its output, its exit code, and a deployment in memory for what it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grace.errors import NotFound
from infra.cli import ledger, orders, policies, reading
from infra.cli.main import main
from tests.support.logs import ORIGIN, Log

SPKI = bytes.fromhex("302a300506032b6570032100")
Publish = Callable[[Log], "Account"]
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


class Account:
    """An account in which a log is published: the bucket, and the key as KMS states it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.calls: list[str] = []

    def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        self.calls.append(f"{service}.{operation}")
        match operation:
            case "get_public_key":
                return {"PublicKey": SPKI + self.log.signer.public.raw}
            case "get_object":
                if arguments["Key"] not in self.log.objects:
                    raise NotFound("no such key")
                return {"Body": self.log.objects[arguments["Key"]]}
            case "list_objects_v2":
                names = sorted(self.log.objects)
                at = int(arguments.get("ContinuationToken", 0))
                page = {"Contents": [{"Key": name} for name in names[at : at + 5]], "IsTruncated": at + 5 < len(names)}
                return page | {"NextContinuationToken": str(at + 5)}
        raise AssertionError(operation)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether one runs in this checkout is not to matter."""
    monkeypatch.setattr(ledger, "Engine", lambda _root: SimpleNamespace(status=lambda: None))


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_engine: None) -> Publish:
    assert no_engine is None
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def to(log: Log) -> Account:
        account = Account(log)
        outputs = {"LogBucket": "logs", "LogKey": "key", "LogOrigin": ORIGIN}
        place = SimpleNamespace(aws=account, outputs=outputs, place="an account in memory")
        monkeypatch.setattr(ledger, "reach", lambda _prefix, _root: place)
        return account

    return to


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, no_engine: None) -> None:
    assert no_engine is None

    def refuse(_prefix: str, _root: Path) -> None:
        raise AssertionError("no account may be asked")

    monkeypatch.setattr(ledger, "reach", refuse)
