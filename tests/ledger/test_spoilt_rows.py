"""F15, F20, I8: a row of the log that was damaged is named, the log halts, and people are told, not at every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from grace.errors import IntegrityError
from grace.stores import keys
from tests.ledger.aws_ledger import SIGNER, Breaking, build
from tests.ledger.test_every_call import all_is_published
from tests.stores.conftest import LOG
from tests.support.ledger import Ledger

World = tuple[Ledger, Breaking]
Damage = Callable[[dict[str, Any]], object]
HEAD, RECORD = keys.tree_head(), keys.signer_record()


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        ledger, breaking = build()
        ledger.write(5, streams=3)
        ledger.integrate()
        ledger.write(2, streams=3)
        yield ledger, breaking


def without(name: str) -> Damage:
    return lambda row: row.pop(name)


def document(old: str, new: str) -> Damage:
    def change(row: dict[str, Any]) -> None:
        assert old in row["doc"]["S"]
        row["doc"]["S"] = row["doc"]["S"].replace(old, new)

    return change


ROWS: dict[str, tuple[keys.Key, str, Damage]] = {
    "the head's document is gone": (HEAD, LOG, without("doc")),
    "the head's version is gone": (HEAD, LOG, without("v")),
    "the head's document is cut off": (HEAD, LOG, lambda row: row.update(doc={"S": row["doc"]["S"][:-9]})),
    "a bit of the head's document": (HEAD, LOG, document('"current"', '"curreot"')),
    "the head's size": (HEAD, LOG, document('"size":5', '"size":4')),
    "what the head states as published": (HEAD, LOG, document('"published":5', '"published":9')),
    "a lane's hash is gone": (keys.lane_head(0), LOG, without("h")),
    "a lane's number is no number": (keys.lane_head(1), LOG, lambda row: row.update(n={"S": "1"})),
    "an entry's bytes are gone": (keys.entry(0, 1), LOG, without("entry")),
    "the signer's document is gone": (RECORD, SIGNER, without("doc")),
    "the signer's root": (RECORD, SIGNER, document('"root":"', '"root":"x')),
}


@pytest.mark.parametrize("what", ROWS)
def test_f15_f20_a_damaged_row_halts_the_log_and_people_are_told(world: World, what: str) -> None:
    ledger, breaking = world
    key, table, damage = ROWS[what]
    if key == keys.entry(0, 1):
        key = waiting(ledger)
    dynamodb = breaking.clients[0]
    address = {"pk": {"S": key.pk}, "sk": {"S": key.sk}}
    true = dynamodb.get_item(TableName=table, Key=address)["Item"]
    row = {name: dict(value) for name, value in true.items()}
    damage(row)
    dynamodb.put_item(TableName=table, Item=row)
    signed = len(ledger.signing.signed)
    for _ in range(3):
        with pytest.raises(IntegrityError):
            ledger.integrate()
    assert [level for level, *_ in ledger.messages.notified] == ["critical"], "once, not at every run"
    [(name, said)] = ledger.messages.published
    assert name == "log.integrity_issue"
    assert key.pk in said["what"] or "tree's head" in said["what"]
    assert len(ledger.signing.signed) == signed
    ledger.clock.advance(3600)
    with pytest.raises(IntegrityError):
        ledger.integrate()
    hourly = what.startswith(("the head's document", "the head's version", "a bit"))
    assert len(ledger.messages.notified) == (2 if hourly else 1), "a head that cannot be read keeps no reason"
    if key == HEAD and not hourly:
        true["v"] = dynamodb.get_item(TableName=table, Key=address)["Item"]["v"]
    dynamodb.put_item(TableName=table, Item=true)
    ledger.messages.notified.clear()
    all_is_published(ledger, 7)


def waiting(ledger: Ledger) -> keys.Key:
    """Return the address of an entry that is not in the tree yet."""
    head = ledger.log.head().current
    end = next(end for end in ledger.log.lane_heads() if end.n > head.lane(end.lane).n)
    return keys.entry(end.lane, end.n)
