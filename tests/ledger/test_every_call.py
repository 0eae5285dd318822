"""F05 to F09 and I8 at every call to AWS: integrator, signer and verifier are broken at each, before and after it.

One log takes all of it, one fault after the other: new entries, a run that is broken, and runs that are not. Then all is
published, whoever checks from outside finds it sound, and every entry is in it once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from moto import mock_aws

from grace.errors import Conflict, GraceError, TransientError, Unavailable
from grace.flow.audit import audit
from grace.flow.integrate import integrate
from grace.ledger import fsck
from grace.model.entry import ref
from grace.model.log import AuditPin
from tests.ledger.aws_ledger import Breaking, Error, build, killed, silence, worker
from tests.support.ledger import Killed, Ledger, Worker
from tests.unit.flow.test_audit import PREFIX, ran

World = tuple[Ledger, Breaking]
FAULTS = pytest.mark.parametrize(
    ("error", "after"),
    [(killed, False), (killed, True), (silence, False), (silence, True)],
    ids=["dies before", "dies after", "no answer, not done", "no answer, done"],
)
DYING = pytest.mark.parametrize("after", [False, True], ids=["dies before", "dies after"])


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        ledger, breaking = build()
        ledger.write(5, streams=3)
        ledger.integrate()
        yield ledger, breaking


def calls_of(run: Any, breaking: Breaking) -> list[str]:
    breaking.on(0, killed, after=False)
    run()
    names = list(breaking.names)
    breaking.off()
    return names


def report(ledger: Ledger) -> fsck.Report:
    return fsck.check(ledger.archive.get, list(ledger.archive.paths()), ledger.signing.verifier)


def all_is_published(ledger: Ledger, written: int) -> None:
    """Bring the log to its end without help."""
    while ledger.integrate().added:
        pass
    head = ledger.log.head()
    assert (head.published, head.current.size, head.halted) == (written, written, "")
    assert ledger.record.read().size == written
    assert not ledger.messages.notified


@FAULTS
def test_f05_f06_f07_the_integrator_and_the_signer_broken_at_every_call_are_ended_by_the_next_run(
    world: World, error: Error, after: bool, record_property: Any
) -> None:
    ledger, breaking = world
    ledger.write(2, streams=3)
    names = calls_of(lambda: integrate(worker(ledger, breaking)), breaking)
    assert {"dynamodb.PutItem", "s3.PutObject", "signing.sign", "notary.sign"} <= set(names), names
    written, broken = 7, Counter[str]()
    for at in range(1, len(names) + 1):
        ledger.write(2, streams=3)
        written += 2
        breaking.on(at, error, after=after)
        with suppress(Killed, TransientError):
            integrate(worker(ledger, breaking))
        broken[breaking.hit] += 1
        breaking.off()
        all_is_published(ledger, written)
    assert broken[""] <= 2, f"not every run has {len(names)} calls: {broken}"
    found = report(ledger)
    assert (found.findings, found.checkpoint.size) == ((), written)
    assert found.kept >= len(names), "each of them was signed, and all of them fit"
    how = f"integrator and signer, {error.__name__} {'after' if after else 'before'} each call"
    record_property("figure", ("broken runs of the log that the next ones ended", how, len(names), len(names)))


@DYING
def test_i8_the_verifier_broken_at_every_call_says_it_the_next_time(
    world: World, after: bool, record_property: Any
) -> None:
    ledger, breaking = world
    look(ledger, ledger)
    names = calls_of(lambda: look(worker(ledger, breaking), ledger), breaking)
    assert {"dynamodb.TransactWriteItems", "s3.GetObject", "s3.ListObjectVersions", "metrics.fetch"} <= set(names)
    for at in range(1, len(names) + 1):
        ledger.write(1, streams=3)
        ledger.integrate()
        breaking.on(at, killed, after=after)
        with suppress(Killed, TransientError):
            look(worker(ledger, breaking), ledger)
        breaking.off()
        assert look(ledger, ledger).issues == (), names[at - 1]
        ledger.integrate()
    assert not ledger.messages.notified
    assert {entry.type for entry in ledger.store.story("sys:audit")} == {"log.verified"}
    assert report(ledger).findings == ()
    how = f"verifier, killed {'after' if after else 'before'} each call"
    record_property("figure", ("broken runs of the log that the next ones ended", how, len(names), len(names)))


def look(services: Any, ledger: Ledger) -> Any:
    ran(ledger, "reap", "integrate")
    return audit(services, prefix=PREFIX)


@DYING
def test_i9_a_finding_is_told_whatever_breaks_off(world: World, after: bool) -> None:
    """Twice rather than never: people, bus and log have it when the next run is through."""
    ledger, breaking = world
    look(ledger, ledger)
    ledger.integrate()
    ledger.write(1, streams=3)
    ledger.integrate()
    s3 = breaking.clients[1]
    path = "tile/entries/000.p/7"
    s3.put_object(Bucket="grace-log-objects", Key=path, Body=ledger.archive.get(path), ChecksumAlgorithm="SHA256")
    pin = ledger.store.read(ref(AuditPin)).need(ref(AuditPin))
    assert pin.told == ()
    breaking.on(0, killed, after=False)
    with suppress(GraceError):
        audit(still(worker(ledger, breaking)), prefix=PREFIX)
    names = list(breaking.names)
    assert "messages.notify" in names
    assert "dynamodb.TransactWriteItems" not in names
    for at in range(1, len(names) + 1):
        ledger.messages.notified.clear()
        ledger.messages.published.clear()
        breaking.on(at, killed, after=after)
        with suppress(Killed, GraceError):
            audit(still(worker(ledger, breaking)), prefix=PREFIX)
        breaking.off()
        with suppress(GraceError):
            audit(still(ledger), prefix=PREFIX)
        assert [level for level, *_ in ledger.messages.notified][:1] == ["critical"], names[at - 1]
        assert ("log.integrity_issue", path) in [(name, body["where"]) for name, body in ledger.messages.published]


def still(services: Any) -> Any:
    """Services whose verifier cannot write its result, so that it finds the same thing for the first time, always."""
    made: Any = Worker(services)
    made.store = Unwritable(services.store)
    return made


class Unwritable:
    """A store that takes nothing."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, _commit: Any) -> None:
        raise Unavailable("the table does not answer")


def test_f09_an_undecided_write_of_an_object_is_asked_again(world: World) -> None:
    """409: somebody else writes there this very moment. Asked again, S3 says who was first."""
    ledger, breaking = world
    answers = [(409, "ConditionalRequestConflict"), (409, "OperationAborted"), (503, "SlowDown")]
    left: list[tuple[int, str]] = []

    def busy(**_: Any) -> Any:
        if not left:
            return None
        status, code = left.pop()
        answer = type("Answer", (), {"status_code": status})()
        return answer, {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}

    breaking.clients[1].meta.events.register("before-call.s3.PutObject", busy)
    written = 5
    for answer in answers:
        left[:] = [answer] * 4
        ledger.write(2, streams=3)
        written += 2
        with suppress(Conflict):
            ledger.integrate()
        assert left == []
        all_is_published(ledger, written)
    assert report(ledger).findings == ()
