"""I5: whoever replaces the whole log while a signer dies, or sleeps, or another signs, gets no second history signed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import combinations
from typing import Any

import pytest

from grace.errors import Conflict, GraceError, IntegrityError, NotFound, Unavailable
from grace.flow import sign as signing
from grace.flow.integrate import integrate
from grace.flow.sign import sign
from grace.ledger import tree
from grace.ledger.note import Checkpoint
from grace.model.log import SignedHead
from tests.support.ledger import ORIGIN, Fault, Killed, Ledger, stored

BEFORE, TRUE, OTHER = 10, 3, 4


def begun() -> Ledger:
    """A log of ten signed entries."""
    ledger = Ledger()
    ledger.write(BEFORE)
    ledger.integrate()
    return ledger


def replace(ledger: Ledger, other: Ledger) -> None:
    """Put another history's rows, head and tiles over this log's. What is locked or the signer's own stays as it is."""
    ledger.store._entries, ledger.store._lane_heads = other.store._entries, other.store._lane_heads
    ledger.log.stored = other.log.stored.model_copy(update={"v": ledger.log.stored.v + 1})
    ledger.archive.objects |= {path: data for path, data in other.archive.objects.items() if path.startswith("tile/")}


def prepared() -> tuple[Ledger, Ledger]:
    """Return a log with three entries that are not in its tree yet, and another future of it, of four."""
    true, other = begun(), begun()
    true.write(TRUE)
    other.write(OTHER, note="another history")
    with pytest.raises(Killed):
        integrate(other.broken(Fault(_sign_call(other), Killed)))
    return true, other


def _sign_call(ledger: Ledger) -> int:
    names: list[str] = []

    class Names(Fault):
        def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            names.append(name)
            return function(*args, **kwargs)

    integrate(ledger.copy().broken(Names(0)))
    return names.index("notary.sign") + 1


def signed_histories(ledger: Ledger, worlds: tuple[Ledger, Ledger]) -> list[list[bytes]]:
    """Return the entries of every tree whose checkpoint the key has signed, whether or not anybody kept it."""
    known: dict[bytes, list[bytes]] = {}
    for world in worlds:
        while world.integrate().added:
            pass
        entries = stored(world)
        for size in range(1, len(entries) + 1):
            root = tree.Edge().grow(tree.leaves(entries[:size]))[0].root
            known[Checkpoint(ORIGIN, size, root).text] = entries[:size]
    return [known[text] for text in set(ledger.signing.signed)]


def two_are_signed(how: str) -> tuple[int, int]:
    """Break a signer at each of its calls, replace the log, let it be signed again; return (forks, attempts)."""
    forks, at = 0, 0
    while True:
        at += 1
        true, other = prepared()
        worlds = (true.copy(), other.copy())
        with pytest.raises(Killed):
            integrate(true.broken(Fault(_sign_call(true), Killed)))

        class Broken(Fault):
            def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
                self.seen += 1
                if self.seen != self.at:
                    return function(*args, **kwargs)
                self.hit = name
                if how == "dies after":
                    function(*args, **kwargs)
                if how != "sleeps":
                    raise Killed
                replaced(true, other)  # noqa: B023
                return function(*args, **kwargs)

        fault = Broken(at)
        with suppress(Killed, GraceError):
            sign(true.broken(fault))
        if not fault.hit:
            return forks, at - 1
        if how != "sleeps":
            replaced(true, other)
        histories = signed_histories(true, worlds)
        forks += any(a != b[: len(a)] and b != a[: len(b)] for a, b in combinations(histories, 2))


def replaced(ledger: Ledger, other: Ledger) -> None:
    """Replace the log, and have the signer asked."""
    replace(ledger, other)
    try:
        sign(ledger)
    except (IntegrityError, Conflict, NotFound):
        return


@pytest.mark.parametrize("how", ["dies before", "dies after", "sleeps"])
def test_i5_of_a_log_replaced_at_any_call_of_the_signer_one_history_is_signed(how: str) -> None:
    forks, attempts = two_are_signed(how)
    assert (forks, attempts) == (0, attempts)
    assert attempts > 10


@pytest.mark.parametrize("how", ["dies after", "sleeps"])
def test_i5_without_the_record_before_the_signature_two_are(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the record is written last."""
    true_newest, true_record = signing._newest, signing._record
    late: list[SignedHead] = []

    def newest(signed: bytes, size: int, key: Any, services: Any) -> None:
        true_newest(signed, size, key, services)
        while late:
            true_record(late.pop(), services)

    monkeypatch.setattr(signing, "_newest", newest)
    monkeypatch.setattr(signing, "_record", lambda record, _services: late.append(record))
    assert two_are_signed(how)[0] > 0


def test_i5_without_the_comparison_a_signer_that_slept_signs_beside_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def over(record: SignedHead, services: Any) -> None:
        services.record.write(record.model_copy(update={"v": services.record.read().v}))

    monkeypatch.setattr(signing, "_record", over)
    assert two_are_signed("sleeps")[0] > 0


def test_i5_a_signer_that_died_before_the_signature_signs_the_same_tree_again() -> None:
    """The record is ahead of what was signed: asked again, it signs, and the log goes on without a person."""
    ledger = begun()
    ledger.write(TRUE)
    ledger.signing.down = Unavailable("kms.sign: 503")
    with pytest.raises(Unavailable):
        ledger.integrate()
    assert (ledger.record.read().size, len(ledger.signing.signed)) == (BEFORE + TRUE, 1)
    ledger.signing.down = None
    ledger.integrate()
    ledger.assert_sound()


def test_i5_of_two_signers_at_work_on_one_tree_both_publish_it() -> None:
    ledger = begun()
    ledger.write(TRUE)
    with pytest.raises(Killed):
        integrate(ledger.broken(Fault(_sign_call(ledger), Killed)))

    class Between(Fault):
        def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if name == "record.write":
                sign(ledger)
            return function(*args, **kwargs)

    assert sign(ledger.broken(Between(0))) == sign(ledger)
    ledger.integrate()
    ledger.assert_sound()


def test_f18_a_witness_who_keeps_another_checkpoint_halts_the_log() -> None:
    """A1: two histories were signed, and he has the proof; the next run does not pass over it."""
    ledger = begun()
    ledger.write(TRUE)
    ledger.witness.notes[13] = b"another checkpoint of this size"
    for _ in range(3):
        with pytest.raises(IntegrityError, match="the witness keeps another checkpoint"):
            ledger.integrate()
        ledger.write(1)
    assert "witness" in ledger.log.head().halted
    assert (ledger.log.head().published, ledger.log.head().current.size) == (10, 13)
    assert [level for level, *_ in ledger.messages.notified] == ["critical"]
    del ledger.witness.notes[13]
    ledger.integrate()
    ledger.assert_sound()
