"""The integrator and the signer: F05 to F13, I2 to I8. Every call of theirs is broken once, before and after its effect."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from grace.errors import Conflict, GraceError, IntegrityError, Unavailable
from grace.flow import integrate as integrating
from grace.flow import sign as signing
from grace.flow.integrate import integrate
from grace.flow.sign import sign
from grace.ledger import note
from grace.ledger.note import parse_vkey
from grace.model.log import CHECKPOINT, KEPT, VKEY
from tests.support.ledger import ORIGIN, DirectNotary, Fault, Killed, Ledger, LocalSigning, Worker


def checkpoint(ledger: Ledger) -> note.Checkpoint:
    return note.verify(ledger.archive.objects[CHECKPOINT], [ledger.signing.verifier], ORIGIN)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 513])
def test_what_is_written_is_in_the_tree_signed_and_checkable(size: int) -> None:
    ledger = Ledger()
    ledger.write(size)
    assert ledger.integrate().added == size
    ledger.assert_sound()
    assert parse_vkey(ledger.archive.objects[VKEY].decode()) == ledger.signing.verifier.key


def test_batch_after_batch_grows_one_log() -> None:
    ledger = Ledger()
    for grown in (1, 3, 252, 1, 300, 7):
        ledger.write(grown)
        assert ledger.integrate().added == grown
    ledger.assert_sound()
    assert sorted(int(path.removeprefix(KEPT)) for path in ledger.archive.objects if path.startswith(KEPT)) == [
        1, 4, 256, 257, 557, 564,
    ]  # fmt: skip


def test_a_log_with_nothing_new_is_left_alone() -> None:
    ledger = Ledger()
    assert ledger.integrate().size == 0
    ledger.write(3)
    ledger.integrate()
    before = dict(ledger.archive.objects)
    assert ledger.integrate().added == 0
    assert (ledger.archive.objects, len(ledger.signing.signed)) == (before, 1)


def test_f10_what_waited_long_is_taken_in_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream was off for a day: the sweep finds all of it, in as many runs as it takes."""
    monkeypatch.setattr(integrating, "BATCH", 50)
    ledger = Ledger()
    ledger.write(400)
    runs = [ledger.integrate().added for _ in range(3)]
    assert runs == [250, 150, 0]
    ledger.assert_sound()


def test_f11_a_hundred_rings_make_the_same_log() -> None:
    ledger, other = Ledger(), Ledger()
    for each, rings in ((ledger, 1), (other, 100)):
        each.write(20)
        for _ in range(rings):
            each.integrate()
    assert ledger.archive.objects == other.archive.objects
    assert ledger.log.head() == other.log.head()


def scenario() -> Ledger:
    """A log that has a partial tile, and as much waiting as fills it and begins the next."""
    return _scene().copy()


@cache
def _scene() -> Ledger:
    ledger = Ledger()
    ledger.write(250)
    ledger.integrate()
    ledger.write(20)
    return ledger


def _calls() -> int:
    ledger, fault = scenario(), Fault(at=0)
    integrate(ledger.broken(fault))
    return fault.seen


@pytest.mark.parametrize(
    ("what", "error"),
    [("killed", Killed), ("refused for the moment", lambda: Unavailable("down"))],
)
def test_f05_f06_f07_wherever_it_breaks_off_the_next_runs_end_it(
    what: str, error: Callable[[], BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """I2, I5, I6, I8: no entry lost, none twice, every signed checkpoint readable, and no person needed."""
    good, faults, calls = 0, 0, _calls()
    for at in range(1, calls + 1):
        for after in (False, True):
            ledger, fault = scenario(), Fault(at, error, after)
            with pytest.raises((Killed, GraceError)):
                integrate(ledger.broken(fault))
            for size in _signed_sizes(ledger):
                every_promise_is_kept(ledger, size)
            ledger.write(3)
            while ledger.integrate().added:
                pass
            ledger.assert_sound()
            assert not ledger.messages.notified, fault.hit
            faults, good = faults + 1, good + 1
    with capsys.disabled():
        print(f"\nintegrator {what} at each call, before and after: {good} of {faults} ended by the next run")
    assert calls >= 20


def _signed_sizes(ledger: Ledger) -> list[int]:
    return [int(path.removeprefix(KEPT)) for path in ledger.archive.objects if path.startswith(KEPT)]


def every_promise_is_kept(ledger: Ledger, size: int) -> None:
    """I6: what a checkpoint that anybody can see promises can be read and leads to its root."""
    objects = dict(ledger.archive.objects)
    objects[CHECKPOINT] = objects[f"{KEPT}{size}"]
    seen = [path for path in objects if not path.startswith(KEPT) or int(path.removeprefix(KEPT)) <= size]
    from grace.ledger import fsck  # noqa: PLC0415

    assert fsck.check(objects.get, seen, ledger.signing.verifier).findings == ()


def test_a_fault_in_the_recovery_is_recovered_from_too() -> None:
    """Every pair: broken at one call, and the next run broken at another."""
    calls, pairs = _calls(), 0
    for first in range(4, calls + 1, 3):
        for second in range(1, calls + 1, 4):
            ledger = scenario()
            for at in (first, second):
                try:
                    integrate(ledger.broken(Fault(at, Killed, after=bool(at % 2))))
                except Killed:
                    pairs += 1
            while ledger.integrate().added:
                pass
            ledger.assert_sound()
    assert pairs > 50


def test_f08_of_two_integrators_one_commits_and_nothing_is_twice() -> None:
    """At each call of the first, a second one runs from beginning to end."""
    races = 0
    for at in range(1, _calls() + 1):
        ledger = scenario()

        class Between(Fault):
            def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
                self.seen += 1
                if self.seen == self.at:
                    ledger.write(5)  # noqa: B023
                    integrate(ledger)  # noqa: B023
                return function(*args, **kwargs)

        try:
            races += integrate(ledger.broken(Between(at))).raced
        except Conflict:
            races += 1
        ledger.integrate()
        ledger.assert_sound()
    assert races > 3


def test_f08_a_zombie_commits_nothing() -> None:
    """It read the head, slept ten minutes, and wakes in another world."""
    ledger = scenario()
    zombie: Any = Worker(ledger)
    old_head, old_ends = ledger.log.head(), ledger.log.lane_heads()
    ledger.integrate()
    ledger.write(30)
    ledger.integrate()
    now = ledger.log.head()

    class Asleep:
        lanes = ledger.log.lanes
        entries, move = ledger.log.entries, ledger.log.move
        head = staticmethod(lambda: old_head)
        lane_heads = staticmethod(lambda: old_ends)

    zombie.log = Asleep()
    assert integrate(zombie).raced
    assert ledger.log.head() == now
    ledger.assert_sound()


def test_i4_without_the_compare_and_set_two_integrators_spoil_the_log() -> None:
    """The mutant: a head that takes every write."""
    ledger = scenario()
    old = ledger.log.head()
    ledger.integrate()
    ledger.log.stored = ledger.log.stored.model_copy(update={"v": old.v})  # as if nobody had written

    zombie: Any = Worker(ledger)

    class Reads:
        lanes, entries, move, lane_heads = (
            ledger.log.lanes, ledger.log.entries, ledger.log.move, ledger.log.lane_heads,
        )  # fmt: skip
        head = staticmethod(lambda: old)

    zombie.log = Reads()
    ledger.write(1)
    with pytest.raises(IntegrityError):
        integrate(zombie)


def test_f09_the_same_bytes_are_no_trouble_and_other_bytes_halt_the_log() -> None:
    ledger = scenario()
    with pytest.raises(Killed):
        integrate(ledger.broken(Fault(first_call("archive.put"), Killed)))
    path = "tile/entries/000"
    true = ledger.archive.objects.pop(path, None)
    assert true is None  # not stored yet
    ledger.archive.overwrite(path, b"somebody else's")
    before = dict(ledger.archive.objects)
    for _ in range(3):
        with pytest.raises(IntegrityError, match=r"tile/entries/000 is kept already with other bytes"):
            ledger.integrate()
    assert len(ledger.messages.notified) == 1, "told once, not at every run"
    assert ledger.messages.notified[0][0] == "critical"
    assert [name for name, _ in ledger.messages.published] == ["log.integrity_issue"]
    assert "other bytes" in ledger.log.head().halted
    assert ledger.archive.objects == before, "nothing is signed while it does not fit"
    del ledger.archive.objects[path]
    ledger.integrate()
    ledger.assert_sound()


def first_call(name: str) -> int:
    """Return which call is the first of that name in the scenario."""
    names: list[str] = []

    class Names(Fault):
        def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            names.append(name)
            return function(*args, **kwargs)

    integrate(scenario().broken(Names(0)))
    return names.index(name) + 1


def test_f12_while_the_key_cannot_be_had_entries_are_taken_and_then_signed() -> None:
    ledger = scenario()
    ledger.signing.down = Unavailable("kms.sign: 503")
    size = checkpoint(ledger).size
    for _ in range(3):
        ledger.write(10)
        with pytest.raises(Unavailable):
            ledger.integrate()
    assert checkpoint(ledger).size == size
    assert not ledger.messages.notified, "the alarm on its errors tells; the log is not halted"
    ledger.signing.down = None
    while ledger.integrate().added:
        pass
    assert checkpoint(ledger).size == 300
    ledger.assert_sound()


def test_f13_an_older_checkpoint_never_replaces_a_newer_one() -> None:
    """I7: the slow signer has read its head, and publishes after a faster one has published more."""
    ledger = scenario()
    slow: Any = Worker(ledger)

    class Late:
        def __init__(self) -> None:
            self.rung = False

        def __getattr__(self, name: str) -> Any:
            return getattr(ledger.archive, name)

        def publish(self, signed: bytes, mark: str | None) -> None:
            if not self.rung:
                self.rung = True
                ledger.write(9)
                ledger.integrate()
            ledger.archive.publish(signed, mark)

    slow.archive = Late()
    slow.notary = DirectNotary(slow)
    assert integrate(slow).raced
    assert checkpoint(ledger).size == 279
    ledger.assert_sound()


def test_i5_the_signer_signs_nothing_that_does_not_extend_its_record() -> None:
    ledger = scenario()
    ledger.integrate()
    true = ledger.log.stored
    signed = len(ledger.signing.signed)
    smaller = true.current.model_copy(update={"size": 100})
    other = true.current.model_copy(update={"root": "ab" * 32})
    beyond = true.current.model_copy(update={"size": 271, "root": "ab" * 32})
    for forged in (smaller, other, beyond):
        ledger.log.stored = true.model_copy(update={"current": forged})
        with pytest.raises(IntegrityError):
            sign(ledger)
    assert len(ledger.signing.signed) == signed
    ledger.log.stored = true
    sign(ledger)
    ledger.assert_sound()


def test_i5_the_signer_checks_that_tiles_are_there_and_right() -> None:
    """I6: one byte of one new object wrong, or one object missing, and there is no signature."""
    ledger = scenario()
    with pytest.raises(Killed):
        integrate(ledger.broken(Fault(first_call("notary.sign"), Killed)))
    new = [path for path in ledger.archive.objects if path.endswith((".p/14", "/000")) and "checkpoint" not in path]
    assert len(new) >= 4
    signed = len(ledger.signing.signed)
    for path in new:
        true = ledger.archive.objects[path]
        for damaged in (None, bytes([true[0] ^ 1]) + true[1:], true[:-1]):
            if damaged is None:
                del ledger.archive.objects[path]
            else:
                ledger.archive.objects[path] = damaged
            with pytest.raises(IntegrityError):
                sign(ledger)
            ledger.archive.objects[path] = true
    assert len(ledger.signing.signed) == signed
    sign(ledger)


def test_i5_a_size_that_was_signed_is_never_signed_otherwise() -> None:
    """The record is lost, the head is forged: what was kept still binds the signer."""
    ledger = scenario()
    ledger.integrate()
    fork = Ledger()
    fork.write(270, number_of="the fork")
    fork.archive.objects[f"{KEPT}270"] = ledger.archive.objects[f"{KEPT}270"]
    with pytest.raises(IntegrityError, match="another tree of 270 entries was signed before"):
        fork.integrate()
    assert not fork.signing.signed


def test_the_integrator_believes_only_the_keys_own_signature() -> None:
    ledger = scenario()
    liar: Any = Worker(ledger)
    liar.signing = LocalSigning(seed=b"\x07" * 32)
    ledger.archive.objects.pop(VKEY)
    fresh = Ledger()
    fresh.write(3)
    forger: Any = Worker(fresh)
    forger.signing = liar.signing
    honest: Any = Worker(fresh)
    honest.notary = DirectNotary(forger)
    with pytest.raises(IntegrityError, match="carries no signature"):
        integrate(honest)
    assert fresh.log.head().published == 0


@pytest.mark.parametrize("what", ["edited", "dropped", "swapped", "lane end"])
def test_f20_a_row_changed_before_it_was_integrated_halts_the_log(what: str) -> None:
    ledger = scenario()
    rows = ledger.store._entries
    waiting = [key for key in rows if key not in _taken(ledger)]
    first = waiting[0]
    lane = int(first.pk.removeprefix("L#"))
    if what == "edited":
        rows[first] = rows[first].replace(b"quarantined", b"quarantimed")
    elif what == "dropped":
        del rows[first]
    elif what == "swapped":
        second = next(key for key in waiting[1:] if key.pk == first.pk)
        rows[first], rows[second] = rows[second], rows[first]
    else:
        end = ledger.store.lane_head(lane)
        ledger.store._lane_heads[lane] = type(end)(lane, end.n, "ab" * 32, end.ts)
    with pytest.raises(IntegrityError, match=rf"lane {lane}"):
        ledger.integrate()
    assert checkpoint(ledger).size == 250
    assert ledger.messages.notified


def _taken(ledger: Ledger) -> set[Any]:
    from grace.stores import keys  # noqa: PLC0415

    head = ledger.log.head().current
    return {keys.entry(lane, seq) for lane in range(ledger.log.lanes) for seq in range(1, head.lane(lane).n + 1)}


def test_f20_a_head_changed_by_hand_halts_the_log() -> None:
    for field, value in (("root", "cd" * 32), ("size", 251)):
        ledger = scenario()
        head = ledger.log.stored
        ledger.log.stored = head.model_copy(update={"current": head.current.model_copy(update={field: value})})
        with pytest.raises(IntegrityError):
            ledger.integrate()
        assert checkpoint(ledger).size == 250


def test_every_checkpoint_goes_to_the_witness_and_one_who_is_away_stops_nothing() -> None:
    ledger = scenario()
    ledger.integrate()
    assert ledger.witness.notes == {size: ledger.archive.objects[f"{KEPT}{size}"] for size in (250, 270)}

    class Away:
        def keep(self, size: int, signed: bytes) -> None:
            raise Unavailable("witness: no answer")

    ledger.witness = Away()
    ledger.write(1)
    ledger.integrate()
    assert ledger.telemetry.troubles == ["witness: witness: no answer"]
    ledger.assert_sound()


def test_nothing_is_signed_of_an_empty_log() -> None:
    with pytest.raises(GraceError, match="no entries"):
        sign(Ledger())


def test_mutants_of_the_signer_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its look at the growth, the signer would sign a root that no tile leads to."""
    monkeypatch.setattr(signing, "_check_growth", lambda *_: None)
    ledger = scenario()
    true = ledger.log.stored
    forged = true.current.model_copy(update={"size": 271, "root": "ab" * 32})
    ledger.log.stored = true.model_copy(update={"current": forged})
    sign(ledger)
    assert checkpoint(ledger).root.hex() == "ab" * 32
