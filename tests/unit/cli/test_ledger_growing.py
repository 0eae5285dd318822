"""`grace ledger …` on a log that grows while it is read: never a false alarm, never a copy that is not a log."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grace.ledger import fsck
from infra.cli import ledger
from infra.demo import proving
from tests.support import checker
from tests.support.documents import document
from tests.support.logs import ORIGIN, Log, entries_of, real_entries, written
from tests.unit.cli.conftest import Account, Command, Publish
from tests.unit.flow.scenes import incident, shop

SIZES = (30, 33, 250, 256, 259, 300, 520)
FIRST = 2
"""So many of them were signed before anybody looks."""


def writes(log: Log, later: Log) -> list[tuple[str, bytes]]:
    """What publishing the later log stores, in the order of the integrator and the signer."""
    new = [path for path, data in later.objects.items() if log.objects.get(path) != data]
    return [(path, later.objects[path]) for path in sorted(new, key=rank)]


def rank(path: str) -> tuple[bool, bool]:
    return not path.startswith("tile/"), not path.startswith(fsck.KEPT)


@cache
def grown() -> tuple[Log, tuple[tuple[str, bytes], ...]]:
    """The log as it is first seen, and all writes that follow."""
    entries = real_entries(max(SIZES))
    states = [written(entries[:size], *SIZES) for size in SIZES[FIRST - 1 :]]
    return states[0], tuple(one for before, after in pairwise(states) for one in writes(before, after))


class Growing:
    """An account whose log takes the next `pace` writes before every call, from call `start` on."""

    def __init__(self, account: Account, start: int, pace: int) -> None:
        log, left = grown()
        account.log, self.left = replace(log, objects=dict(log.objects)), list(left)
        self._account, self._start, self._pace = account, start, pace

    def advance(self, count: int) -> None:
        for path, data in self.left[:count]:
            self._account.log.objects[path] = data
        del self.left[:count]

    def until_published(self, _seconds: float) -> None:
        """The signer comes to its second write."""
        while self.left and self.left[0][0] != fsck.CHECKPOINT:
            self.advance(1)
        self.advance(1)

    def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        if len(self._account.calls) >= self._start:
            self.advance(self._pace)
        return Account.call(self._account, service, operation, **arguments)


@pytest.fixture
def grows(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> Any:
    def from_call(start: int, pace: int) -> Growing:
        account = publish(Log())
        growing = Growing(account, start, pace)
        monkeypatch.setattr(account, "call", growing.call)
        monkeypatch.setattr("infra.cli.ledger.time.sleep", growing.until_published)
        return growing

    return from_call


@pytest.mark.parametrize("pace", [1, 2, 4, 9])
def test_a_log_that_grows_while_it_is_verified_or_copied_is_sound(
    grace: Command, grows: Any, pace: int, tmp_path: Path
) -> None:
    """Whatever the moment: between the key, the pages of the listing and the checkpoint, and in the signer's two writes."""
    copies, key = [], ""
    for start in range(1, 12):
        grows(start, pace)
        ran = grace("ledger", "verify")
        assert (ran.code, ran.err) == (0, ""), (start, ran.words)
        copy = tmp_path / f"{pace}-{start}"
        grows(start, pace)
        assert grace("ledger", "download", copy).code == 0
        checked = grace("ledger", "verify", "--from", copy)
        assert (checked.code, checked.err) == (0, ""), (start, checked.words)
        copies.append(copy)
        key = (copy / "vkey").read_text().strip()
        for pinned in (tmp_path / "config").rglob("checkpoint"):
            pinned.unlink()  # the next log begins again at its first size
    checker.need()
    assert {says[: len(checker.SOUND)] for says in checker.verdicts(key, copies, "-lanes").values()} == {checker.SOUND}


@pytest.mark.parametrize("command", ["verify", "download"])
def test_between_the_signers_two_writes_it_is_looked_at_again(
    grace: Command, grows: Any, command: str, tmp_path: Path
) -> None:
    growing = grows(10**6, 0)
    while growing.left[0][0] != fsck.CHECKPOINT:
        growing.advance(1)
    copy = tmp_path / "copy"
    ran = grace("ledger", command, *([copy] if command == "download" else []))
    assert (ran.code, ran.err) == (0, "")
    assert f"{SIZES[FIRST]} entries" in ran.words
    assert command == "verify" or grace("ledger", "verify", "--from", copy).code == 0


def copied_by_hand(call: Callable[..., Any], copy: Path) -> None:
    """Do what the page tells an outsider to type, a call at a time."""
    step = re.compile(r'^aws s3 (sync|cp) "?s3://BUCKET/((?:\$\(.*?\)|[^\s"])+)"? copy/(\S+)', re.MULTILINE)
    steps = step.findall(document("checking-the-log.md"))
    assert [kind for kind, _, _ in steps] == ["sync", "cp", "cp", "sync"]
    for kind, source, target in steps:
        name = re.sub(r"\$\(.*", str(stated(copy)), source) if "$(" in source else source
        for each in listed(call, f"{name}/") if kind == "sync" else [name]:
            path = each if kind == "sync" or target.endswith("/") else target
            checker.lay_out(copy, {path: call("s3", "get_object", Key=each)["Body"]})


def listed(call: Callable[..., Any], prefix: str) -> list[str]:
    page: dict[str, Any] = {}
    found: list[str] = []
    while page.get("IsTruncated", True):
        more = {"ContinuationToken": page["NextContinuationToken"]} if page else {}
        page = call("s3", "list_objects_v2", **more)
        found += [each["Key"] for each in page["Contents"] if each["Key"].startswith(prefix)]
    return found


def stated(copy: Path) -> int:
    return int((copy / "checkpoint").read_text().splitlines()[1])


@pytest.mark.parametrize("pace", [1, 4])
def test_a_copy_made_by_hand_in_the_order_of_the_page_is_sound(
    grace: Command, grows: Any, pace: int, tmp_path: Path
) -> None:
    log, _ = grown()
    for start in range(1, 12):
        copy = tmp_path / f"{pace}-{start}"
        growing = grows(start, pace)
        copied_by_hand(growing.call, copy)
        ran = grace("ledger", "verify", "--from", copy, "--vkey", log.verifier.key.vkey)
        if stated(copy) < max(int(kept.name) for kept in (copy / "checkpoints").iterdir()):
            assert ran.code == 1
            copied_by_hand(growing.call, copy)  # it fell between the signer's two writes: once more
            ran = grace("ledger", "verify", "--from", copy, "--vkey", log.verifier.key.vkey)
        assert (ran.code, ran.err) == (0, ""), ran.words
        for pinned in (tmp_path / "config").rglob("checkpoint"):
            pinned.unlink()


def test_a_log_that_has_gone_back_is_still_named(grace: Command, publish: Publish, monkeypatch: Any) -> None:
    """The second look is one look: it does not excuse a checkpoint that stays behind one that was kept."""
    looks: list[float] = []
    monkeypatch.setattr("infra.cli.ledger.time.sleep", looks.append)
    log = written(real_entries(300), 100)
    log.objects["checkpoint"] = log.objects["checkpoints/100"]
    publish(log)
    ran = grace("ledger", "verify")
    assert (ran.code, looks) == (1, [ledger._AGAIN_SECONDS])
    assert "the log has gone back: checkpoints/300 was signed, and now it states 100 entries" in ran.words


def test_the_demo_proves_while_the_log_grows(publish: Publish, monkeypatch: Any, tmp_path: Path) -> None:
    world = shop()
    contract = incident(world)
    entries = entries_of(world.store)
    account = publish(written(entries, 3))
    later = [written([*entries, *real_entries(count)], 3, len(entries)) for count in range(1, 9)]
    true, listed = account.call, []

    def call(service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        if operation == "list_objects_v2" and later and "ContinuationToken" not in arguments:
            listed.append(len(later))
            account.log = later.pop(0)  # what was signed while the log was read so far
        return true(service, operation, **arguments)

    monkeypatch.setattr(account, "call", call)
    outputs = {"LogBucket": "logs", "LogKey": "key", "LogOrigin": ORIGIN}
    place: Any = SimpleNamespace(aws=account, outputs=outputs, place="", services=world)
    assert proving.prove(place, [contract], tmp_path, lambda _: None).verified
    assert listed
