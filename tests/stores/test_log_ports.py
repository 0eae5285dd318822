"""What the log stands on, in memory and on AWS's interfaces: the same words, the same refusals; and lost answers there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from grace.errors import Conflict, IntegrityError, Mismatch, Unavailable
from grace.flow.audit import audit
from grace.ledger.lanes import lane_of
from grace.log_ports import Archive, LogTable, SignerRecord, Witness
from grace.model.base import sha256_hex
from grace.model.lane import GENESIS, LaneHead
from grace.model.log import Mark, SignedHead, TreeHead
from grace.stores import keys
from grace.stores.archive import PARTIAL
from grace.stores.memory import MemoryStore
from grace.stores.memory_log import MemoryArchive, MemoryLog, MemorySignerRecord, MemoryWitness
from tests.ledger.aws_ledger import BUCKET, SIGNER, Breaking, build, silence
from tests.stores.conftest import LOG, STATE
from tests.support.ledger import Ledger

SOON = datetime.now(UTC) + timedelta(days=7)


class Ports(SimpleNamespace):
    """The four ports of one body, and a log that is written to them; `breaking` where calls can be broken."""

    log: LogTable
    archive: Archive
    record: SignerRecord
    witness: Witness
    ledger: Ledger
    breaking: Breaking | None


@pytest.fixture(params=["memory", "aws"])
def ports(request: pytest.FixtureRequest) -> Iterator[Ports]:
    if request.param == "memory":
        ledger = Ledger(2)
        archive = MemoryArchive(lambda: datetime.now(UTC))
        yield Ports(log=ledger.log, archive=archive, record=MemorySignerRecord(), witness=MemoryWitness(),
                    ledger=ledger, breaking=None)  # fmt: skip
        return
    with mock_aws():
        ledger, breaking = build()
        yield Ports(log=ledger.log, archive=ledger.archive, record=ledger.record, witness=ledger.witness,
                    ledger=ledger, breaking=breaking)  # fmt: skip


@pytest.fixture
def aws() -> Iterator[tuple[Ledger, Breaking]]:
    with mock_aws():
        yield build()


def test_each_body_is_the_ports() -> None:
    memory: tuple[LogTable, Archive, SignerRecord, Witness] = (
        MemoryLog(MemoryStore()), MemoryArchive(lambda: SOON), MemorySignerRecord(), MemoryWitness(),
    )  # fmt: skip
    with mock_aws():
        made, _ = build()
    assert [type(each).__name__.removeprefix("Memory") for each in memory] == [
        type(each).__name__.removeprefix(prefix)
        for each, prefix in (
            (made.log, "Dynamo"), (made.archive, "Headed"), (made.record, "Dynamo"), (made.witness, "S3"),
        )
    ]  # fmt: skip


def test_a_head_is_written_over_the_version_it_follows_and_no_other(ports: Ports) -> None:
    """I4."""
    assert ports.log.head() == TreeHead()
    first = ports.log.move(TreeHead(current=Mark(size=3, cursors=((3, "ab" * 32, 7), (0, GENESIS, 0)))))
    assert (first.v, ports.log.head()) == (1, first)
    for stale in (TreeHead(), first.model_copy(update={"v": 7})):
        with pytest.raises(Conflict, match="somebody else was first"):
            ports.log.move(stale)
    second = ports.log.move(first.model_copy(update={"halted": "why"}))
    assert ports.log.head() == second
    assert second.current.lane(0) == LaneHead(0, 3, "ab" * 32, 7)


def test_the_signers_record_likewise(ports: Ports) -> None:
    assert ports.record.read() == SignedHead()
    ports.record.write(SignedHead(size=3, root="ab" * 32))
    with pytest.raises(Conflict):
        ports.record.write(SignedHead(size=2))
    assert (ports.record.read().size, ports.record.read().v) == (3, 1)


def test_rows_are_read_as_they_were_written_and_one_that_is_missing_is_none(ports: Ports) -> None:
    ports.ledger.write(20, streams=2)
    heads = ports.log.lane_heads()
    assert [head.lane for head in heads] == list(range(ports.log.lanes))
    assert sum(head.n for head in heads) == 20
    for head in heads:
        rows = ports.log.entries(head.lane, 1, head.n + 120)
        assert all(rows[: head.n]), "more keys than one request takes"
        assert set(rows[head.n :]) == {None}
        if head.n:
            assert sha256_hex(rows[head.n - 1] or b"") == head.h
    assert ports.log.entries(0, 3, 2) == []


def test_an_object_is_written_once_and_locked(ports: Ports) -> None:
    """I6."""
    ports.archive.put("tile/0/000", b"x" * 8192)
    ports.archive.put("tile/0/000", b"x" * 8192)
    with pytest.raises(IntegrityError, match="tile/0/000 is kept already with other bytes"):
        ports.archive.put("tile/0/000", b"y" * 8192)
    assert ports.archive.get("tile/0/000") == b"x" * 8192
    assert ports.archive.get("tile/0/001") is None
    ports.archive.put("tile/0/001.p/1", b"z" * 32, SOON)
    assert sorted(ports.archive.paths()) == ["tile/0/000", "tile/0/001.p/1"]
    [whole], [part] = ports.archive.versions("tile/0/000"), ports.archive.versions("tile/0/001.p/1")
    assert whole.until is not None
    assert part.until is not None
    assert abs(part.until - SOON) < timedelta(seconds=2)
    assert whole.until > part.until
    assert ports.archive.versions("tile/0/00") == []


def test_the_newest_checkpoint_is_replaced_by_who_saw_the_one_before(ports: Ports) -> None:
    """I7."""
    assert ports.archive.newest() is None
    ports.archive.publish(b"one\n", None)
    with pytest.raises(Mismatch):
        ports.archive.publish(b"another first\n", None)
    first = ports.archive.newest()
    assert first is not None
    assert first.note == b"one\n"
    ports.archive.publish(b"two\n", first.mark)
    with pytest.raises(Mismatch):
        ports.archive.publish(b"late\n", first.mark)
    assert ports.archive.get("checkpoint") == b"two\n"
    assert len(ports.archive.versions("checkpoint")) == 2


def test_a_witness_keeps_one_checkpoint_of_a_size(ports: Ports) -> None:
    ports.witness.keep(5, b"five\n")
    ports.witness.keep(5, b"five\n")
    with pytest.raises(IntegrityError, match="kept already"):
        ports.witness.keep(5, b"another five\n")
    assert (ports.witness.kept(5), ports.witness.kept(6)) == (b"five\n", None)


def test_a_witness_knows_its_newest_checkpoint(ports: Ports) -> None:
    assert ports.witness.newest() is None
    for size in (9, 100, 11, 99):
        ports.witness.keep(size, f"{size}\n".encode())
    assert ports.witness.newest() == b"100\n"


def test_a_mark_of_deletion_and_another_version_are_seen(aws: tuple[Ledger, Breaking]) -> None:
    """V10, F19: what the bucket's own list of versions tells."""
    ledger, breaking = aws
    s3 = breaking.clients[1]
    ledger.archive.put("checkpoints/1", b"one\n")
    ledger.archive.put("checkpoints/10", b"ten\n")
    s3.put_object(Bucket=BUCKET, Key="checkpoints/1", Body=b"another", ChecksumAlgorithm="SHA256")
    assert [each.deleted for each in ledger.archive.versions("checkpoints/1")] == [False, False]
    s3.delete_object(Bucket=BUCKET, Key="checkpoints/1")
    newest, *older = ledger.archive.versions("checkpoints/1")
    assert (newest.deleted, len(older)) == (True, 2)
    assert ledger.archive.get("checkpoints/1") is None
    assert len(ledger.archive.versions("checkpoints/10")) == 1


@pytest.mark.parametrize("page", [2, 3, 1000])
def test_every_object_is_listed_with_its_versions_page_by_page(aws: tuple[Ledger, Breaking], page: int) -> None:
    """The newest checkpoint, which has a version for each one ever, is leapt over."""
    ledger, breaking = aws
    s3 = breaking.clients[1]
    mark = None
    for number in range(7):
        ledger.archive.publish(f"{number}\n".encode(), mark)
        mark = ledger.archive.newest().mark
    paths = ["checkpoints/1", "checkpoints/10", "checkpoints/2", "tile/0/000", "vkey"]
    for path in paths:
        ledger.archive.put(path, path.encode())
    s3.put_object(Bucket=BUCKET, Key="checkpoints/10", Body=b"another", ChecksumAlgorithm="SHA256")
    s3.delete_object(Bucket=BUCKET, Key="checkpoints/2")
    real = s3.list_object_versions
    s3.list_object_versions = lambda **asked: real(**{"MaxKeys": page, **asked})
    seen, found = "", []
    while listed := ledger.archive.listed(seen):
        found += listed
        seen = listed[-1][0].path
    assert [versions[0].path for versions in found] == paths
    assert [[one.deleted for one in versions] for versions in found] == [
        [False],
        [False] * 2,
        [True, False],
        [False],
        [False],
    ]
    assert all(one.at for versions in found for one in versions)


def test_what_is_replaced_soon_carries_the_tag_that_its_removal_goes_by(aws: tuple[Ledger, Breaking]) -> None:
    ledger, breaking = aws
    s3 = breaking.clients[1]
    ledger.archive.put("tile/0/000.p/3", b"x" * 96, SOON)
    ledger.archive.put("tile/0/000", b"x" * 8192)
    key, _, value = PARTIAL.partition("=")
    tags = {path: s3.get_object_tagging(Bucket=BUCKET, Key=path)["TagSet"] for path in ("tile/0/000.p/3", "tile/0/000")}
    assert tags == {"tile/0/000.p/3": [{"Key": key, "Value": value}], "tile/0/000": []}
    assert s3.head_object(Bucket=BUCKET, Key="tile/0/000.p/3")["ObjectLockMode"] == "GOVERNANCE"


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done"])
def test_one_lost_answer_of_any_call_is_asked_again(aws: tuple[Ledger, Breaking], after: bool) -> None:
    """A write that was done counts as done where its bytes say so, and as somebody else's where only a version does."""
    ledger, breaking = aws

    def lost(call: Any) -> Any:
        breaking.on(1, silence, after=after)
        try:
            return call()
        finally:
            breaking.off()

    lost(lambda: ledger.archive.put("tile/0/000", b"x"))
    assert lost(lambda: ledger.archive.get("tile/0/000")) == b"x"
    lost(lambda: ledger.witness.keep(5, b"five\n"))
    assert lost(lambda: ledger.witness.kept(5)) == b"five\n"
    assert len(lost(lambda: list(ledger.archive.paths()))) == 1
    assert len(lost(lambda: ledger.archive.versions("tile/0/000"))) == 1
    for write, read in (
        (lambda: ledger.log.move(TreeHead(published=9)), lambda: ledger.log.head().published),
        (lambda: ledger.record.write(SignedHead(size=9)), lambda: ledger.record.read().size),
    ):
        if after:
            with pytest.raises(Conflict):
                lost(write)
        else:
            lost(write)
        assert lost(read) == 9
    if after:
        with pytest.raises(Mismatch):
            lost(lambda: ledger.archive.publish(b"one\n", None))
    else:
        lost(lambda: ledger.archive.publish(b"one\n", None))
    newest = lost(ledger.archive.newest)
    assert newest.note == b"one\n"


def test_a_body_that_breaks_off_is_a_call_without_an_answer(aws: tuple[Ledger, Breaking]) -> None:
    ledger, breaking = aws
    ledger.archive.put("tile/0/000", b"x")
    s3 = breaking.clients[1]
    real, broken = s3.get_object, []

    class Torn:
        def read(self) -> bytes:
            broken.append(1)
            raise ReadTimeoutError(endpoint_url="s3")

    def get_object(**arguments: Any) -> Any:
        return {**real(**arguments), **({"Body": Torn()} if len(broken) < torn else {})}

    s3.get_object = get_object
    torn = 1
    assert ledger.archive.get("tile/0/000") == b"x"
    torn = 9
    with pytest.raises(Unavailable):
        ledger.archive.get("tile/0/000")


@pytest.mark.parametrize("doc", [None, "not json", '{"size": -1}', '{"current": 7}'])
def test_a_head_that_somebody_spoilt_is_named(aws: tuple[Ledger, Breaking], doc: str | None) -> None:
    ledger, breaking = aws
    dynamodb = breaking.clients[0]
    for table, key, read in (
        (LOG, keys.tree_head(), ledger.log.head),
        (SIGNER, keys.signer_record(), ledger.record.read),
    ):
        item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "v": {"N": "1"}, **({"doc": {"S": doc}} if doc else {})}
        dynamodb.put_item(TableName=table, Item=item)
        if doc == '{"size": -1}' and table == LOG:
            continue  # a tree's head has no size of its own
        if doc == '{"current": 7}' and table == SIGNER:
            continue  # and a signer's record no current tree
        with pytest.raises(IntegrityError, match="was changed by somebody else"):
            read()


def test_rows_that_dynamodb_left_out_are_asked_for_again(aws: tuple[Ledger, Breaking]) -> None:
    ledger, breaking = aws
    ledger.write(9, streams=1)
    dynamodb = breaking.clients[0]
    real, asked = dynamodb.batch_get_item, []

    def batch_get_item(**arguments: Any) -> Any:
        [(table, of)] = arguments["RequestItems"].items()
        asked.append(len(of["Keys"]))
        half = of["Keys"][: max(1, len(of["Keys"]) // 2)]
        rest = of["Keys"][len(half) :]
        answer = real(RequestItems={table: {**of, "Keys": half}})
        return {**answer, "UnprocessedKeys": {table: {**of, "Keys": rest}} if rest else {}}

    dynamodb.batch_get_item = batch_get_item
    lane = next(head for head in ledger.log.lane_heads() if head.n)
    asked.clear()
    assert None not in ledger.log.entries(lane.lane, 1, 9)
    assert asked == [9, 5, 3, 2, 1]


LOST = {
    "a tree's head": ("HEAD", "h", "doc"),
    "a lane's end": ("L#{lane}", "head", "h"),
    "an entry's row": ("L#{lane}", "e000000000002", "entry"),
    "an item": ("SYS", "sub#parta", "doc"),
}


@pytest.mark.parametrize("what", LOST)
def test_a_row_that_has_lost_an_attribute_is_a_finding_and_no_crash(aws: tuple[Ledger, Breaking], what: str) -> None:
    """V11, V4, V9: the verifier says so in an entry."""
    ledger, breaking = aws
    ledger.write(3, streams=1)
    ledger.integrate()
    own, lane = (lane_of(f"sys:{name}", ledger.log.lanes) for name in ("audit", "parta"))
    assert own != lane, "where its own lane is damaged the verifier cannot write"
    pk, sk, attribute = LOST[what]
    table, key = STATE if what == "an item" else LOG, {"pk": {"S": pk.format(lane=lane)}, "sk": {"S": sk}}
    breaking.clients[0].update_item(
        TableName=table, Key=key, UpdateExpression="REMOVE #a", ExpressionAttributeNames={"#a": attribute}
    )
    with pytest.raises(IntegrityError, match="findings"):
        audit(ledger, prefix="grace")
    said = [entry.body for entry in ledger.store.story("sys:audit") if entry.type == "log.integrity_issue"]
    expected = ("V11 HEAD", "V4 lanes", f"V4 lane {lane}", "V9 sys:parta")[list(LOST).index(what)]
    assert expected in {f"{body['check']} {body['where']}" for body in said}
