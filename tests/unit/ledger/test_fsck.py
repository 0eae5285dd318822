"""The check of a whole log names what is wrong: the entry, the byte of the tile, the checkpoint, the missing object."""

from __future__ import annotations

import json

import pytest

from grace.errors import IntegrityError
from grace.ledger import fsck, note, tiles
from grace.ledger.fsck import Report
from grace.ledger.note import Checkpoint
from tests.support.logs import ORIGIN, Log, real_entries, written

SIZES = (1, 100, 256, 290, 512, 580)


@pytest.fixture(scope="module")
def log() -> Log:
    return written(real_entries(600), *SIZES)


def check(log: Log, changed: dict[str, bytes | None] | None = None, **options: object) -> Report:
    objects = {path: data for path, data in (log.objects | (changed or {})).items() if data is not None}
    return fsck.check(objects.get, objects, log.verifier, **options)  # type: ignore[arg-type]


def newest(log: Log) -> Checkpoint:
    return fsck.newest(log.fetch, log.verifier)[0]


def says(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


def spoilt(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_sound_log_is_counted(log: Log) -> None:
    done: list[tuple[int, int]] = []
    report = check(log, progress=lambda at, of: done.append((at, of)))

    assert report.sound
    assert (report.checkpoint.size, report.first, report.kept, report.lanes) == (600, 0, 7, 4)
    assert done == sorted(done)
    assert done[-1] == (600, 600)


def test_an_entry_of_the_middle_is_named(log: Log) -> None:
    bundle = log.objects["tile/entries/001"]
    changed = bundle.replace(b'"lseq":75,', b'"lseq":76,', 1)
    number = next(n for n in range(256, 512) if b'"lseq":75,' in real_entries(600)[n])
    data = real_entries(600)[number]
    first = bundle.index(data)

    report = check(log, {"tile/entries/001": changed})

    where = f"tile/entries/001, bytes {first} to {first + len(data) - 1}"
    assert f"entry {number}: is not the one that was signed ({where})" in says(report)
    assert any(f"entry {number}: lane" in line for line in says(report)), "the lane does not follow either"


def test_a_byte_of_a_tile_is_named(log: Log) -> None:
    for path, at in (("tile/0/001", 3_333), ("tile/1/000.p/2", 40), ("tile/0/002.p/88", 5), ("tile/0/000.p/100", 99)):
        report = check(log, {path: spoilt(log.objects[path], at)})
        assert says(report) == [f"{path}: byte {at} is not what its entries lead to"]


def test_what_is_missing_is_named_and_the_rest_still_judged(log: Log) -> None:
    for path in ("tile/0/000", "tile/entries/001", "tile/1/000.p/2"):
        assert says(check(log, {path: None})) == [f"{path} is missing"]
    both = check(log, {"tile/entries/001": None, "tile/0/000": spoilt(log.objects["tile/0/000"], 7)})
    assert says(both) == [
        "tile/entries/001 is missing",
        "tile/0/000: byte 7 is not what its entries lead to",
    ]


def test_entry_and_tile_changed_alike_are_both_named(log: Log) -> None:
    entries = log.entries
    entries[300] = entries[300].replace(b"r-1", b"r-2")
    forged = written(entries, *SIZES)
    changed = {path: forged.objects[path] for path in ("tile/entries/001", "tile/0/001")}

    found = says(check(log, dict(changed)))

    assert "checkpoint: the 600 entries of the log do not lead to the root that was signed" in found


def test_a_partial_bundle_must_hold_what_the_full_one_does(log: Log) -> None:
    path = "tile/entries/000.p/100"
    changed = log.objects[path].replace(b'"r-1"', b'"r-9"', 1)
    found = says(check(log, {path: changed}))

    assert found == [
        f"{path}: its entry 0 (bytes 2 to {len(real_entries(1)[0]) + 1}) is not the one the log had before"
    ]


def test_two_histories_under_one_key_are_named(log: Log) -> None:
    entries = log.entries[:290]
    entries[7] = entries[7].replace(b"r-1", b"r-2")
    forked = written(entries).objects["checkpoint"]

    assert says(check(log, {"checkpoints/290": forked})) == [
        "checkpoints/290: signs another log than this one was at that size: two histories were signed"
    ]


def test_a_log_that_went_back_is_named_by_what_it_kept_and_by_the_pin(log: Log) -> None:
    older = log.objects["checkpoints/512"]
    assert "checkpoints/580 was signed, and now it states 512" in says(check(log, {"checkpoint": older}))[0]

    back = written(log.entries[:512], *SIZES)
    assert says(check(back)) == []
    assert says(check(back, pin=newest(log))) == [
        "checkpoint: the log has gone back: it had 600 entries, and now states 512"
    ]


def test_a_fork_is_named_by_the_pin_alone(log: Log) -> None:
    entries = real_entries(700)
    entries[599] = entries[599].replace(b"r-1", b"r-2")
    forked = written(entries[:600])

    assert check(forked).sound
    assert says(check(forked, pin=newest(log)))[0].startswith("checkpoint: the log of 600 entries does not begin with")


def test_since_the_pin_only_what_is_new_is_read(log: Log) -> None:
    early = note.verify(log.objects["checkpoints/290"], [log.verifier], ORIGIN)
    read: list[str] = []

    def fetch(path: str) -> bytes | None:
        read.append(path)
        return log.objects.get(path)

    report = fsck.check(fetch, list(log.objects), log.verifier, pin=early, whole=False)

    assert report.sound
    kept = {int(path.removeprefix("checkpoints/")) for path in read if path.startswith("checkpoints/")}
    assert kept == {size for size in log.signed if size > 290}
    assert (report.first, report.checkpoint.size) == (290, 600)
    assert "tile/entries/000" not in read
    spoils = {"tile/entries/002.p/88": log.objects["tile/entries/002.p/88"].replace(b"r-1", b"r-2", 1)}
    assert says(check(log, dict(spoils), pin=early, whole=False))


def test_lanes_are_followed_where_nothing_else_could_tell(log: Log) -> None:
    """Entries lost or changed before they were signed: the tree is sound, the lane is not."""
    entries = real_entries(300)
    gone = written([*entries[:150], *entries[151:]])
    assert any(line.startswith("entry 15") and "does not follow" in line for line in says(check(gone)))
    edited = json.loads(entries[150]) | {"actor": "eve"}
    changed = written(
        [*entries[:150], json.dumps(edited, sort_keys=True, separators=(",", ":")).encode(), *entries[151:]]
    )
    assert any("does not follow" in line for line in says(check(changed)))
    nonsense = written([*entries[:150], b"nonsense", *entries[150:]])
    assert any(line.startswith("entry 150: is not an entry") for line in says(check(nonsense)))


def test_what_has_no_place_in_a_log_is_named(log: Log) -> None:
    for path in ("tile/0/0", "readme", "checkpoints/0600", "checkpoints/x"):
        assert says(check(log, {path: b"x"})) == [f"{path}: is no object of a log"]
    assert "checkpoints/7: is a checkpoint of 100 entries" in says(
        check(log, {"checkpoints/7": log.objects["checkpoints/100"]})
    )
    assert "checkpoints/600: is missing" in says(check(log, {"checkpoints/600": None}))[0]


def test_without_a_signed_checkpoint_there_is_nothing_to_check(log: Log) -> None:
    for changed in ({"checkpoint": None}, {"checkpoint": spoilt(log.objects["checkpoint"], 30)}):
        with pytest.raises(IntegrityError):
            check(log, changed)  # type: ignore[arg-type]


def test_the_list_of_findings_ends_somewhere(log: Log) -> None:
    changed: dict[str, bytes | None] = {"tile/0/000": b"\x00" * 8192}
    assert len(check(log, changed).findings) == fsck.MOST


def test_an_empty_log_is_sound() -> None:
    empty = written([])
    assert check(empty).sound
    assert list(tiles.places_between(0, 0)) == []


def test_partials_that_no_checkpoint_needs_are_looked_at_too(log: Log) -> None:
    between = written(real_entries(600), *SIZES, 400, 580)
    unsigned = {path: data for path, data in between.objects.items() if path != "checkpoints/400"}
    assert fsck.check(unsigned.get, unsigned, between.verifier).sound
    for path in ("tile/0/001.p/144", "tile/entries/001.p/144"):
        changed = unsigned | {path: spoilt(unsigned[path], 800)}
        assert not fsck.check(changed.get, changed, between.verifier).sound
