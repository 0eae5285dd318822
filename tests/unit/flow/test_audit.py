"""The verifier: F15 to F23, I9, I12, I13. Whatever is done to the log is named, written, and told once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from grace.errors import AccessDenied, IntegrityError
from grace.flow.audit import Audited, audit
from grace.ledger import note, proof, tiles
from grace.ledger.ed25519 import SeedSigner
from grace.ledger.entries import parse
from grace.ledger.fsck import extends
from grace.model.entry import ref
from grace.model.log import CHECKPOINT, KEPT, PARTS, AuditPin
from grace.model.records import Subsystem
from grace.model.signal import MetricRef
from grace.stores.rows import row_of
from tests.support.ledger import ORIGIN, SEED, Fault, Ledger, stored

PREFIX = "grace"


def ran(ledger: Ledger, *parts: str, until: datetime | None = None) -> None:
    """Let these parts have run in every minute of the last hour, or until then."""
    end = int((until or ledger.clock.now()).timestamp()) // 60 * 60
    for name in parts:
        metric = MetricRef(
            namespace="AWS/Lambda", name="Invocations", stat="Sum", period=60,
            dimensions={"FunctionName": f"{PREFIX}-{name}"},
        )  # fmt: skip
        ledger.metrics.put(metric, [(at, 1.0) for at in range(end - 3600, end, 60)])


def look(ledger: Ledger, *, full: bool = False) -> Audited:
    ran(ledger, "reap", "integrate")
    return audit(ledger, prefix=PREFIX, full=full)


def doubts(ledger: Ledger, *, full: bool = False) -> list[str]:
    """Run the verifier, which must find something; return what it wrote: check, place and finding."""
    with pytest.raises(IntegrityError, match="findings"):
        look(ledger, full=full)
    return [f"{e.body['check']} {e.body['where']}: {e.body['what']}" for e in last(ledger, "log.integrity_issue")]


def last(ledger: Ledger, kind: str) -> list[Any]:
    """Return the entries of that type that the last run wrote."""
    story = ledger.store.story("sys:audit")
    newest = max(n for n, e in enumerate(story) if e.type in {"log.verified", "log.doubted"})
    return [entry for entry in story[newest:] if entry.type == kind]


@cache
def _scene() -> Ledger:
    ledger = Ledger()
    ledger.write(250)
    ledger.integrate()
    look(ledger)
    ledger.integrate()
    ledger.clock.advance(900)
    ledger.write(20)
    ledger.integrate()
    return ledger


def scene() -> Ledger:
    """A log that was verified once, with a full tile and twenty entries since."""
    return _scene().copy()


def test_a_sound_log_is_verified_and_the_result_is_an_entry() -> None:
    ledger = scene()
    result = look(ledger)
    assert (result.first, result.size, result.entries, result.issues) == (250, 271, 21, ())
    [entry] = last(ledger, "log.verified")
    assert entry.body["size"] == 271
    assert entry.body["activity"]["subsystem"] == {"triage": 20, "audit": 1}
    assert entry.body["failures"]["type"] == {"signal.quarantined": 20}
    ledger.integrate()
    ledger.clock.advance(900)
    assert look(ledger, full=True).first == 271
    ledger.integrate()
    ledger.assert_sound()
    assert not ledger.messages.notified


def test_an_idle_log_gets_one_entry_and_one_checkpoint_a_run() -> None:
    ledger = scene()
    look(ledger)
    ledger.integrate()
    for _ in range(4):
        ledger.clock.advance(900)
        before = ledger.log.head().current.size
        look(ledger)
        for _ in range(15):
            ledger.integrate()
        assert ledger.log.head().current.size == before + 1


def objects_of(ledger: Ledger) -> list[str]:
    """Return one path of each kind that is new since the pin."""
    new = [place.path for place in tiles.places_between(250, 271)]
    assert len(new) >= 4
    return [*new, CHECKPOINT, f"{KEPT}271"]


@pytest.mark.parametrize("number", range(7))
def test_f15_a_bit_flipped_in_any_object_is_named(number: int) -> None:
    ledger = scene()
    paths = objects_of(ledger)
    assert len(paths) == 7
    path = paths[number]
    true = ledger.archive.objects[path]
    ledger.archive.objects[path] = true[:9] + bytes([true[9] ^ 1]) + true[10:]
    found = doubts(ledger, full=True)
    assert any(path in each or "V3" in each or "V2" in each or "V1" in each for each in found)
    assert ledger.messages.notified


def test_f15_a_bit_flipped_in_a_row_that_was_integrated_is_named() -> None:
    ledger = scene()
    rows = ledger.store._entries
    mark = ledger.log.head().current
    key = next(key for key in rows if key.sk == f"e{mark.lane(int(key.pk[2:])).n:012d}")
    rows[key] = rows[key].replace(b'"number":', b'"numbex":')
    found = doubts(ledger)
    assert any(each.startswith("V4 ") and "row" in each for each in found)


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "drop": lambda entries: [*entries[:255], *entries[256:]],
    "swap": lambda entries: [*entries[:254], entries[255], entries[254], *entries[256:]],
    "edit": lambda entries: [*entries[:255], entries[255].replace(b"quarantined", b"quarantimed"), *entries[256:]],
    "insert": lambda entries: [*entries[:255], entries[3], *entries[255:]],
    "truncate": lambda entries: entries[:-2],
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("signed", [False, True], ids=["not signed", "signed by a stolen role"])
def test_f16_another_history_with_its_tiles_computed_anew_is_refused(what: str, signed: bool) -> None:
    """Tiles and all computed again by who holds the bucket: the signature fails. By who holds the signer too: the pin."""
    ledger = scene()
    rewrite(ledger, CHANGES[what](stored(ledger)), signed=signed)
    found = doubts(ledger, full=True)
    assert any(each.split()[0] in {"V1", "V2", "V3", "V4", "V5", "V11"} for each in found)


def rewrite(ledger: Ledger, entries: list[bytes], *, signed: bool) -> None:
    """Replace every object of the log by those of another history."""
    from grace.ledger.tree import Edge  # noqa: PLC0415

    made = tiles.growth(Edge(), [], entries)
    for each in made.stored:
        ledger.archive.objects[each.place.path] = each.data
    point = note.Checkpoint(ORIGIN, made.edge.size, made.edge.root)
    signer = SeedSigner(ORIGIN, SEED if signed else b"\x01" * 32)
    ledger.archive.objects[CHECKPOINT] = ledger.archive.objects[f"{KEPT}{made.edge.size}"] = note.sign(point, [signer])


def test_f17_a_log_rolled_back_to_an_older_checkpoint_is_refused_by_the_verifier_and_by_a_letter() -> None:
    """I7: everything is set back, the tables too; whoever kept a checkpoint refuses it."""
    ledger = scene()
    letter = note.verify(ledger.archive.objects[CHECKPOINT], [ledger.signing.verifier], ORIGIN)
    look(ledger)
    ledger.archive.objects[CHECKPOINT] = ledger.archive.objects[f"{KEPT}250"]
    ledger.log.stored = ledger.log.stored.model_copy(
        update={"current": ledger.log.stored.previous.model_copy(update={"size": 250, "root": _root(ledger, 250)})}
    )
    found = doubts(ledger)
    assert any("gone back" in each or each.startswith("V11") for each in found)
    old = note.verify(ledger.archive.objects[CHECKPOINT], [ledger.signing.verifier], ORIGIN)
    with pytest.raises(IntegrityError, match="gone back"):
        extends(letter, old, ledger.archive.get)


def _root(ledger: Ledger, size: int) -> str:
    return note.verify(ledger.archive.objects[f"{KEPT}{size}"], [ledger.signing.verifier], ORIGIN).root.hex()


def test_f18_of_two_histories_that_are_signed_the_one_that_was_not_pinned_is_refused() -> None:
    ledger, pinned = scene(), scene().store.read(ref(AuditPin)).need(ref(AuditPin))
    fork = Ledger()
    fork.write(260, note="another history")
    fork.integrate()
    fork.integrate()
    put(fork, pinned.model_copy(update={"version": 0}))
    assert any(each.startswith(("V2", "V3")) for each in doubts(fork))
    mine = note.verify(ledger.archive.objects[f"{KEPT}250"], [ledger.signing.verifier], ORIGIN)
    theirs = note.verify(fork.archive.objects[CHECKPOINT], [fork.signing.verifier], ORIGIN)
    with pytest.raises(IntegrityError, match="does not begin with"):
        extends(mine, theirs, fork.archive.get)


def put(ledger: Ledger, item: Any) -> None:
    """Write an item past the one way to write."""
    ledger.store._put(row_of(item.model_copy(update={"version": item.version + 1})))


@pytest.mark.parametrize("what", ["hidden", "another version", "not locked"])
def test_f19_what_hides_or_replaces_a_locked_object_is_named(what: str) -> None:
    ledger = scene()
    path = "tile/0/000"
    if what == "hidden":
        ledger.archive.hide(path)
    elif what == "another version":
        ledger.archive.overwrite(path, ledger.archive.objects[path])
    else:
        [only] = ledger.archive.history[path]
        ledger.archive.history[path] = [type(only)(path, "v1", deleted=False, at=only.at)]
    assert any(each.startswith(("V10 tile/0/000", "V3")) for each in doubts(ledger))


def test_f19_a_partial_tile_may_go_when_the_full_one_is_there() -> None:
    ledger = scene()
    for path in ("tile/0/000.p/250", "tile/entries/000.p/250"):
        ledger.archive.hide(path)
    assert look(ledger, full=True).issues == ()


def test_f20_an_edited_head_is_named() -> None:
    for field, value in (("root", "ab" * 32), ("size", 300)):
        ledger = scene()
        true = ledger.log.stored
        ledger.log.stored = true.model_copy(update={"current": true.current.model_copy(update={field: value})})
        assert any(each.startswith(("V11", "V4")) for each in doubts(ledger))


def test_f20_the_signers_record_and_the_head_must_agree() -> None:
    ledger = scene()
    ledger.record.stored = ledger.record.stored.model_copy(update={"root": "cd" * 32})
    assert any(each.startswith("V11 HEAD") for each in doubts(ledger))
    ledger = scene()
    ledger.record.stored = ledger.record.stored.model_copy(update={"size": 5, "root": "cd" * 32})
    assert any(each.startswith("V11 SIGNER") for each in doubts(ledger))


@pytest.mark.parametrize("change", [{"count": 99}, {"version": 77}, "gone"])
def test_f21_an_item_changed_past_the_one_way_to_write_is_named(change: Any) -> None:
    """I1, I10: what the log does not say cannot be in the tables."""
    ledger = scene()
    where = ref(Subsystem, "parta")
    true = ledger.store.read(where).need(where)
    if change == "gone":
        ledger.store._partitions["SYS"].pop("sub#parta")
    else:
        ledger.store._put(row_of(true.model_copy(update=change)))
    assert any(each.startswith("V9 sys:parta") for each in doubts(ledger))


def test_f22_a_part_that_is_silent_for_twice_its_time_is_a_gap() -> None:
    """I12. Heard a moment before, it is none."""
    for name, every in ((part.name, part.every) for part in PARTS if part.name != "audit"):
        ledger = scene()
        others = [part.name for part in PARTS if part.name not in {"audit", name}]
        now = ledger.clock.now()
        ran(ledger, *others)
        ran(ledger, name, until=now - timedelta(seconds=2 * every - 60))
        assert audit(ledger, prefix=PREFIX).issues == ()

        ledger = scene()
        ran(ledger, *others)
        ran(ledger, name, until=ledger.clock.now() - timedelta(seconds=2 * every + 300))
        with pytest.raises(IntegrityError, match="silent"):
            audit(ledger, prefix=PREFIX)
        [entry] = last(ledger, "log.subsystem_gap")
        assert (entry.body["part"], entry.body["seconds"]) == (name, 2 * every)
        assert ("log.subsystem_gap", {"part": name, "seconds": 2 * every}) in ledger.messages.published


def test_f22_the_verifier_says_itself_that_it_was_silent() -> None:
    ledger = scene()
    look(ledger)
    ledger.integrate()
    ledger.clock.advance(1801)
    ledger.write(1)
    ledger.integrate()
    with pytest.raises(IntegrityError, match="audit is silent"):
        look(ledger)


@pytest.mark.parametrize(
    ("behind", "said", "alarm"), [(1, False, False), (5, True, False), (120, True, True), (86_400, True, True)]
)
def test_f23_a_writers_clock_that_is_behind_is_said_and_the_order_is_the_lanes(
    behind: int, said: bool, alarm: bool
) -> None:
    """I3. One day ahead is the same as everybody after it being a day behind."""
    ledger = scene()
    ledger.clock.advance(-behind)
    ledger.write(4)
    ledger.clock.advance(behind)
    ledger.integrate()
    if alarm:
        assert any(each.startswith("V6") for each in doubts(ledger))
    else:
        assert [(issue.check, issue.alarm) for issue in look(ledger).issues[:1]] == ([("V6", False)] if said else [])
    ledger.integrate()
    ledger.assert_sound()
    for end in ledger.log.lane_heads():
        times = [parse(data).ts for data in ledger.log.entries(end.lane, 1, end.n)]
        assert times == sorted(times)


def test_i12_what_waits_too_long_and_a_checkpoint_that_is_old_are_said() -> None:
    ledger = scene()
    ledger.write(1)
    ledger.clock.advance(59)
    assert look(ledger).issues == ()
    ledger = scene()
    ledger.write(1)
    ledger.clock.advance(62)
    assert any(each.startswith("V7 rows") for each in doubts(ledger))
    ledger = scene()
    ledger.archive.since -= timedelta(seconds=1790)
    assert look(ledger).issues == ()
    ledger = scene()
    ledger.archive.since -= timedelta(seconds=1810)
    assert any(each.startswith("V7 checkpoint") for each in doubts(ledger))


def test_the_witness_must_keep_what_was_published() -> None:
    """A1. A copy needs a moment; one that is not there after a minute is an alarm, and so is a witness nobody can ask."""
    ledger = scene()
    ledger.witness.notes[271] = ledger.witness.notes[250]
    assert any(each.startswith("V12") and "another checkpoint" in each for each in doubts(ledger))

    class Away:
        def kept(self, size: int) -> bytes | None:
            raise AccessDenied("get_object on elsewhere-log: AccessDenied")

    for gone, says in ((False, "cannot be asked"), (True, "no copy")):
        for late in (False, True):
            ledger = scene()
            if gone:
                del ledger.witness.notes[271]
            else:
                ledger.witness = Away()
            if late:
                ledger.archive.since -= timedelta(seconds=61)
                [said] = doubts(ledger)
                assert said.startswith("V12 checkpoints/271")
                assert says in said
            else:
                assert [(issue.check, issue.alarm) for issue in look(ledger).issues] == [("V12", False)]


def test_people_are_told_once_and_the_bus_every_time() -> None:
    ledger = scene()
    ledger.archive.objects["tile/0/001.p/15"] = bytes(480)
    for _ in range(3):
        doubts(ledger)
        ledger.clock.advance(10)
    assert len(ledger.messages.notified) == 1
    assert len([name for name, _ in ledger.messages.published if name == "log.integrity_issue"]) >= 3
    pin = ledger.store.read(ref(AuditPin)).need(ref(AuditPin))
    assert pin.mark.size == 250, "what is doubted is looked at again"


def test_a_halted_log_is_a_finding() -> None:
    ledger = scene()
    ledger.log.stored = ledger.log.stored.model_copy(update={"halted": "lane 3, entry 7 is missing"})
    assert any("halted" in each for each in doubts(ledger))


def test_d21_the_pin_makes_the_next_run_begin_where_this_one_ended() -> None:
    ledger = scene()
    look(ledger)
    ledger.integrate()
    read: list[str] = []
    get = ledger.archive.get

    def noted(path: str) -> bytes | None:
        read.append(path)
        return get(path)  # type: ignore[no-any-return]

    ledger.archive.get = noted
    ledger.clock.advance(900)
    look(ledger)
    assert "tile/entries/000" not in read


def test_d21_a_run_costs_what_is_new_however_long_the_log() -> None:
    """Calls, and entries that are read: the same with three hundred before as with fifteen hundred."""
    costs = []
    for before in (256 + 40, 5 * 256 + 40):
        ledger = Ledger()
        ledger.write(before)
        ledger.integrate()
        look(ledger)
        ledger.integrate()
        ledger.clock.advance(900)
        ledger.write(20)
        ledger.integrate()
        rows = 0
        entries = ledger.log.entries

        def counted(lane: int, first: int, last: int) -> Any:
            nonlocal rows
            rows += last - first + 1
            return entries(lane, first, last)  # noqa: B023

        ledger.log.entries = counted
        fault = Fault(at=0)
        ran(ledger, "reap", "integrate")
        found = audit(ledger.broken(fault), prefix=PREFIX)
        assert (found.issues, found.entries) == ((), 21)
        costs.append((fault.seen, rows))
    assert costs[0] == costs[1]
    assert costs[0][1] == 21


def test_proofs_of_a_verified_log_check_offline() -> None:
    from grace.ledger.finding import found, prove  # noqa: PLC0415

    ledger = scene()
    checkpoint = note.verify(ledger.archive.objects[CHECKPOINT], [ledger.signing.verifier], ORIGIN)
    for index in (0, 255, 256, 270):
        one = found(index, stored(ledger)[index])
        made = prove(ledger.archive.get, checkpoint, ledger.archive.objects[CHECKPOINT], one, ledger.signing.verifier)
        proof.check(proof.parse(made.data), one.data, [ledger.signing.verifier], ORIGIN)
