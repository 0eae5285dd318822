"""A pin only goes forward, whoever is at work on it at the same time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from grace.errors import IntegrityError
from grace.ledger.ed25519 import KeyVerifier, SeedSigner
from infra.cli.log_source import Pin
from tests.support.logs import Log, real_entries, written
from tests.unit.cli.conftest import Command, Publish


def size_of(pin: Pin, log: Log) -> int:
    point = pin.checkpoint(log.verifier)
    return point.size if point else 0


def test_a_long_check_that_ends_after_a_later_pin_leaves_it(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = publish(written(real_entries(300), 100))
    true = account.call
    pinned: list[int] = []

    def call(service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        if arguments.get("Key", "").startswith("tile/entries/") and not pinned:
            account.log = written(real_entries(500), 100, 300)
            pinned.append(grace("ledger", "pin").code)  # somebody else's, in the middle of it
        return true(service, operation, **arguments)

    monkeypatch.setattr(account, "call", call)
    assert grace("ledger", "verify").code == 0
    assert pinned == [0]
    assert size_of(Pin(tmp_path / "config" / "grace" / "pins" / "log.example_grace"), account.log) == 500


def test_a_pin_is_replaced_only_by_a_larger_one_that_extends_it(tmp_path: Path) -> None:
    pin = Pin(tmp_path / "pin")
    log, earlier = written(real_entries(500), 300), written(real_entries(300))
    fork = written([*real_entries(100), *real_entries(500, size=60)[100:]], 300)
    for kept, expected in ((earlier, 300), (log, 500), (earlier, 500), (log, 500)):
        pin.keep(kept.verifier, kept.objects["checkpoint"], kept.fetch)
        assert size_of(pin, log) == expected
    larger = written([*fork.entries, b"{}"], 300)
    for forked in (fork, larger):
        with pytest.raises(IntegrityError):
            pin.keep(forked.verifier, forked.objects["checkpoint"], forked.fetch)
        assert size_of(pin, log) == 500
    other = KeyVerifier(SeedSigner(log.signer.name, b"x" * 32).public)
    with pytest.raises(IntegrityError, match="was known with"):
        pin.keep(other, log.objects["checkpoint"], log.fetch)
    assert sorted(file.name for file in pin.folder.iterdir()) == ["checkpoint", "lock", "vkey"]


def test_many_at_once_leave_the_largest_whole(tmp_path: Path) -> None:
    pin = Pin(tmp_path / "pin")
    log = written(real_entries(300), *range(20, 300, 20))
    failed: list[BaseException] = []

    def keep(size: int) -> None:
        try:
            pin.keep(log.verifier, log.objects[f"checkpoints/{size}"], log.fetch)
        except IntegrityError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=keep, args=(size,)) for size in log.signed[::-1] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failed, size_of(pin, log)) == ([], 300)
    assert sorted(file.name for file in pin.folder.iterdir()) == ["checkpoint", "lock", "vkey"]
