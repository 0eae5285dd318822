"""I2: whatever breaks off wherever, each entry that was acknowledged is in the tree exactly once, and no other is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grace.errors import Conflict, IntegrityError
from tests.ledger.breaking_off import SEED, Run
from tests.support import checker

COUNT = 20_000


def test_of_twenty_thousand_entries_none_is_lost_and_none_is_doubled(tmp_path: Path, record_property: Any) -> None:
    run = Run(SEED)
    run.until(COUNT)
    lost, doubled = run.lost_and_doubled()
    whole = len(run.acknowledged)
    record_property("figure", ("entries in the log exactly once", f"seed {SEED}", whole - lost - doubled, whole))
    assert (lost, doubled) == (0, 0)
    assert len(run.acknowledged) >= COUNT
    assert len(run.met) > 15, run.met
    run.ledger.assert_sound()
    checker.need()
    objects = {path: run.ledger.archive.get(path) or b"" for path in run.ledger.archive.paths()}
    says = checker.accept(tmp_path / "log", objects, run.ledger.signing.verifier.key.vkey, "-lanes")
    assert says == f"sound {len(run.acknowledged)} entries"


def test_without_the_mark_of_a_command_an_entry_is_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(SEED)
    monkeypatch.setattr(run.ledger.store, "_commands", Forgetful())
    with pytest.raises((Conflict, AssertionError)):
        end(run)


def test_without_the_comparison_of_the_head_entries_are_lost_or_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(SEED)
    log = run.ledger.log
    monkeypatch.setattr(type(log), "move", overwrite)
    with pytest.raises((IntegrityError, AssertionError)):
        end(run)


def end(run: Run) -> None:
    run.until(2_000)
    assert run.lost_and_doubled() == (0, 0)


def overwrite(log: Any, head: Any) -> Any:
    log.stored = head.model_copy(update={"v": head.v + 1})
    return log.stored


class Forgetful(dict[Any, Any]):
    """Remembers no command."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget it."""
