"""The verifier before rows that cannot be read: each is a finding with a name, and the run's result is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.errors import IntegrityError
from grace.ledger.entries import SKEW
from grace.ledger.lanes import LaneHead, lane_of
from grace.model.base import sha256_hex
from grace.stores import keys
from tests.support.ledger import Ledger
from tests.unit.flow.test_audit import doubts, look, scene


@pytest.mark.parametrize(
    ("port", "name", "says"),
    [("record", "read", "V11 SIGNER"), ("log", "head", "V11 HEAD"), ("log", "lane_heads", "V4 lanes")],
)
def test_a_head_that_cannot_be_read_is_a_finding(port: str, name: str, says: str) -> None:
    ledger = scene()
    true = getattr(getattr(ledger, port), name)

    def damaged() -> Any:
        raise IntegrityError("it was changed by somebody else")

    setattr(getattr(ledger, port), name, damaged)
    assert doubts(ledger) == [f"{says}: it was changed by somebody else"]
    setattr(getattr(ledger, port), name, true)
    ledger.integrate()
    ledger.clock.advance(900)
    assert look(ledger).first == (271 if name == "lane_heads" else 250), "what could not be checked is checked again"


@pytest.mark.parametrize("which", ["previous", "current"])
def test_f20_a_head_that_has_lost_a_lane_is_a_finding(which: str) -> None:
    ledger = scene()
    true = getattr(ledger.log.stored, which)
    cut = true.model_copy(update={"cursors": true.cursors[:-1]})
    ledger.log.stored = ledger.log.stored.model_copy(update={which: cut})
    assert doubts(ledger) == ["V11 HEAD: it states the ends of 3 lanes of 4"]


def waiting(ledger: Ledger, **changes: Any) -> Ledger:
    """Write one entry that waits, then change it and its lane's end so that both still fit."""
    lane = lane_of("sys:parta", ledger.log.lanes)
    ledger.written = 0
    ledger.store._commands.clear()
    ledger.write(1)
    end = ledger.store.lane_head(lane)
    key = keys.entry(lane, end.n)
    entry = json.loads(ledger.store._entries[key])
    data = json.dumps(entry | changes).encode()
    ledger.store._entries[key] = data
    ledger.store._lane_heads[lane] = LaneHead(lane, end.n, sha256_hex(data), end.ts)
    return ledger


@pytest.mark.parametrize(
    "changes", [{"actor": 7}, {"more": 1}, {"body": {SKEW: "much"}}], ids=["kind", "field", "skew"]
)
def test_an_entry_that_waits_and_is_no_entry_is_a_finding(changes: dict[str, Any]) -> None:
    assert any(each.startswith("V4 ") for each in doubts(waiting(scene(), **changes)))
