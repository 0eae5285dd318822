"""Two checkers that share no code, ours and one on Go's library, agree: every true log is sound, no tampered one is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grace.ledger.ed25519 import SeedSigner
from grace.model.entry import Entry
from tests.ledger.judges import ours, refuses, reject
from tests.ledger.tampering import KINDS, SEED, Objects, tamperings
from tests.support import checker
from tests.support.logs import ORIGIN, Log, real_entries, written

COUNT = 250
SIZES = (1, 2, 255, 256, 257, 300, 511, 512, 513, 600)


@pytest.fixture(scope="module")
def logs() -> list[Log]:
    return [written(real_entries(size), 1, 100, 256, 290, 512, 580) for size in (3, 257, 600)]


@pytest.mark.parametrize("size", SIZES)
def test_both_accept_every_true_log(size: int, tmp_path: Path) -> None:
    log = written(real_entries(size), *SIZES)
    report = ours(log, log.objects)

    assert report.findings == ()
    assert (report.checkpoint.size, report.first, report.lanes) == (size, 0, min(4, size))
    checker.need()
    assert go(tmp_path / "log", log, log.objects) == f"sound {size} entries"


def test_both_accept_a_log_of_the_sizes_where_a_third_row_of_tiles_begins(tmp_path: Path) -> None:
    log = written(real_entries(65_537, size=9), 65_535, 65_536)
    assert {"tile/1/000", "tile/2/000.p/1", "tile/0/256.p/1", "tile/entries/255"} <= set(log.objects)
    report = ours(log, log.objects)
    assert (report.findings, report.checkpoint.size, report.kept) == ((), 65_537, 3)
    checker.need()
    assert go(tmp_path / "log", log, log.objects) == "sound 65537 entries"


def test_both_accept_a_log_whose_replaced_partials_are_gone(tmp_path: Path) -> None:
    log = written(real_entries(600), *range(7, 600, 31))
    kept = {path: data for path, data in log.objects.items() if path.partition(".p/")[0] not in log.objects or (
        ".p/" not in path
    )}  # fmt: skip
    assert len(kept) < len(log.objects)
    assert ours(log, kept).findings == ()
    checker.need()
    assert go(tmp_path / "log", log, kept) == "sound 600 entries"


def test_go_rejects_every_tampering(logs: list[Log], tmp_path: Path, record_property: Any) -> None:
    checker.need()
    believed, kinds = reject(logs, SEED, COUNT, tmp_path)
    record_property("figure", ("tamperings refused", f"by Go's library, seed {SEED}", COUNT - len(believed), COUNT))
    assert believed == []
    assert kinds == len(KINDS)


def test_i14_without_the_logs_own_key_and_a_pin_go_would_believe_another_history(
    logs: list[Log], tmp_path: Path
) -> None:
    """The mutants: a log that is signed by whoever wrote it, and a check that remembers nothing."""
    checker.need()
    true = logs[-1]
    other, last = real_entries(600, size=50), true.entries[-1].replace(b"r-1", b"r-2")
    forger = SeedSigner(ORIGIN, b"y" * 32)
    forged, forked = written(other, 100, signer=forger), written([*true.entries[:-1], last], 100)
    assert not go(tmp_path / "forged", true, forged.objects).startswith(checker.SOUND)
    assert go(tmp_path / "believed", forged, forged.objects) == "sound 600 entries"
    (tmp_path / "pin").write_bytes(true.objects["checkpoint"])
    folder = checker.lay_out(tmp_path / "forked", forked.objects)
    vkey = true.verifier.key.vkey
    assert not checker.verdicts(vkey, [folder], "-lanes", "-pin", str(tmp_path / "pin"))[folder].startswith(
        checker.SOUND
    )
    assert checker.verdicts(vkey, [folder], "-lanes")[folder] == "sound 600 entries"


def test_ours_rejects_every_tampering(logs: list[Log], record_property: Any) -> None:
    believed = [what for what, log, objects in tamperings(logs, SEED, COUNT) if not refuses(log, objects)]
    record_property("figure", ("tamperings refused", f"by our own check, seed {SEED}", COUNT - len(believed), COUNT))
    assert believed == []


def go(folder: Path, log: Log, objects: Objects) -> str:
    return checker.accept(folder, objects, log.verifier.key.vkey, "-lanes")


def test_go_checks_proof_files_and_believes_no_other_entry(logs: list[Log], tmp_path: Path) -> None:
    checker.need()
    log = logs[-1]
    true, false = [], []
    for index in range(0, 600, 41):
        made = log.prove(index)
        true.append(tmp_path / f"{index}.tlog-proof")
        true[-1].write_bytes(made.data)
        false.append(tmp_path / f"{index}-false.tlog-proof")
        false[-1].write_bytes(
            made.data.replace(f"index {index}\n".encode(), f"index {index + 1}\n".encode())
            if index % 2
            else made.data.replace(b"extra ey", b"extra eZ")
        )
    says = checker.verdicts(log.verifier.key.vkey, [*true, *false], "-proof")
    assert {says[place] for place in true} == {"sound 600 entries"}
    assert not any(says[place].startswith(checker.SOUND) for place in false)


@pytest.mark.parametrize("name", sorted(Entry.model_fields))
def test_d20_no_field_of_an_entry_can_be_edited(name: str) -> None:
    """Whichever field, time and subsystem among them, with tiles made anew: five kinds of five are detected."""
    log = written(real_entries(300), 100)
    document = json.loads(log.entries[150])
    document[name] = {"x": 1} if name == "body" else f"{document[name]}1" if isinstance(document[name], str) else 77
    edited = [*log.entries]
    edited[150] = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    forged = written(edited, 100)
    objects = forged.objects | {path: data for path, data in log.objects.items() if path.startswith("checkpoint")}
    assert refuses(log, objects)
    assert refuses(log, forged.objects), "signed anew, it is refused by whoever pinned a checkpoint"


def test_d20_dropping_reordering_cutting_and_forking_are_detected(logs: list[Log], tmp_path: Path) -> None:
    checker.need()
    entries = logs[-1].entries
    cases = {
        "the middle dropped": [*entries[:300], *entries[301:]],
        "the tail dropped": entries[:-1],
        "reordered": [*entries[:300], entries[301], entries[300], *entries[302:]],
        "forked": [*entries[:-1], entries[-1].replace(b"r-1", b"r-2")],
    }
    (tmp_path / "pin").write_bytes(logs[-1].objects["checkpoint"])
    for what, changed in cases.items():
        forged = written(changed, 100)
        assert refuses(logs[-1], forged.objects), what
        folder = checker.lay_out(tmp_path / what.replace(" ", "-"), forged.objects)
        says = checker.verdicts(forged.verifier.key.vkey, [folder], "-lanes", "-pin", str(tmp_path / "pin"))
        assert not says[folder].startswith(checker.SOUND), what
