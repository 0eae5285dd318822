"""What the log does not protect from, said on its pages: until integration, and in whom an entry names, a writer is trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.errors import IntegrityError
from grace.flow.audit import audit
from grace.ledger.lanes import LaneHead
from grace.model.base import sha256_hex
from grace.stores import keys
from grace.stores.keys import Key
from tests.support.documents import document
from tests.support.ledger import Ledger
from tests.unit.flow.test_audit import ran


def rewrite(ledger: Ledger, lane: int, begin: int, **changed: Any) -> None:
    """Rewrite a lane's entries from number `begin` on, each with its chain, and the lane's head: what IAM lets a writer do."""
    rows, end = ledger.store._entries, ledger.store._lane_heads[lane]
    before = sha256_hex(rows[keys.entry(lane, begin - 1)]) if begin > 1 else LaneHead(lane).h
    for number in range(begin, end.n + 1):
        where: Key = keys.entry(lane, number)
        told = json.loads(rows[where]) | {"prev": before} | changed
        rows[where] = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
        before = sha256_hex(rows[where])
    ledger.store._lane_heads[lane] = LaneHead(lane, end.n, before, end.ts)


def grown() -> Ledger:
    """A log of forty entries, thirty of them integrated."""
    ledger = Ledger()
    ledger.write(30)
    ledger.integrate()
    ledger.write(10)
    return ledger


def test_before_integration_a_holder_of_the_right_state_is_believed_and_names_whom_it_likes() -> None:
    ledger = grown()
    marks = ledger.log.head().current
    for end in ledger.log.lane_heads():
        rewrite(ledger, end.lane, marks.lane(end.lane).n + 1, actor="person:alice", subsystem="execute")
    ledger.integrate()
    ledger.assert_sound()
    ran(ledger, "reap", "integrate")
    assert audit(ledger, prefix="grace", full=True).issues == ()
    told = [json.loads(data) for data in ledger.entries]
    assert sum(entry["actor"] == "person:alice" for entry in told) == 10
    for page in ("checking-the-log.md", "security.md"):
        assert "a holder of the right `state` is trusted" in " ".join(document(page).split()), page


@pytest.mark.parametrize("deep", [True, False])
def test_once_integrated_what_is_rewritten_is_found(deep: bool) -> None:
    ledger = grown()
    ledger.integrate()
    end = next(end for end in ledger.log.lane_heads() if end.n > 3)
    rewrite(ledger, end.lane, 2 if deep else end.n, actor="person:alice")
    ran(ledger, "reap", "integrate")
    with pytest.raises(IntegrityError, match="findings"):
        audit(ledger, prefix="grace")
    ledger.write(40)
    with pytest.raises(IntegrityError):
        ledger.integrate()
