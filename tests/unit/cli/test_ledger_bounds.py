"""A log may be larger than this machine's memory: what is read of it is held only near to where it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.ledger import finding
from grace.ledger.entries import parse
from grace.ledger.lanes import LaneHead
from grace.ledger.note import Checkpoint
from grace.ledger.signed import SignedEntries
from infra.cli import log_source
from infra.cli.log_source import Bucket
from tests.support.logs import NOW, Log, real_entries, written
from tests.unit.cli.conftest import Account, Command, Publish

HOUR = 3_600_000


def test_of_a_bucket_no_more_than_a_bound_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_source, "HELD_BYTES", 40_000)
    log = written(real_entries(900), 300, 600)
    account = Account(log)
    bucket: Any = Bucket(account, "logs")
    for path in [*log.objects, *log.objects]:
        assert bucket.fetch(path) == log.objects[path]
        assert sum(map(len, bucket._held.values())) == bucket._bytes <= 40_000
    account.calls.clear()
    assert bucket.fetch("checkpoints/600") == bucket.fetch("checkpoints/600")
    assert len(account.calls) <= 1, "what is near is read once"


def test_a_log_is_verified_and_told_whatever_is_held(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_source, "HELD_BYTES", 0)
    publish(written(real_entries(900), 300, 600))
    assert grace("ledger", "verify").code == 0
    assert grace("ledger", "story", "c-3").code == 0


def days(count: int) -> Log:
    """A log of 256 entries a day."""
    entries = [json.loads(data) for data in real_entries(256 * count, lanes=1)]
    head, sealed = LaneHead(0), []
    for number, document in enumerate(entries):
        document |= {"ts": NOW + number // 256 * 24 * HOUR + number, "prev": head.h}
        data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        head = LaneHead(0, head.n + 1, "", document["ts"])
        sealed.append(data)
    return written(sealed)


def test_the_activity_of_a_day_reads_no_more_than_what_is_near_it(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = days(9)
    account = publish(log)
    last = parse(log.entries[-1]).ts
    monkeypatch.setattr("infra.cli.ledger.time.time", lambda: last / 1000)
    asked: list[str] = []
    true = account.call

    def call(service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        asked.append(arguments.get("Key", ""))
        return true(service, operation, **arguments)

    monkeypatch.setattr(account, "call", call)
    document = json.loads(grace("ledger", "activity", "--hours", "25", "--json").out)
    assert document["entries"] == document["activity"]["actor"]["grace"] == 512
    assert sum(key.startswith("tile/entries/") for key in asked) == 3
    whole = json.loads(grace("ledger", "activity", "--hours", "1000", "--json").out)
    assert whole["entries"] == len(log.entries)


def test_an_entry_that_waited_to_be_integrated_is_counted() -> None:
    """Another lane's older entry may stand after it: the search goes on as long as one can have waited."""
    log = days(4)
    signed = SignedEntries(log.fetch, Checkpoint(log.signer.name, log.edge.size, log.edge.root))
    newest = [one.index for one in finding.since(signed, NOW + 2 * 24 * HOUR)]
    assert newest == list(reversed(range(512, 1024)))
    late = NOW + 24 * HOUR + 511 + finding.WAITED  # so long after the second day's last: its bundle is read through
    asked: list[str] = []

    def fetch(path: str) -> bytes | None:
        asked.append(path)
        return log.fetch(path)

    assert len(list(finding.since(SignedEntries(fetch, signed.head), late))) == 512
    assert "tile/entries/000" in asked
