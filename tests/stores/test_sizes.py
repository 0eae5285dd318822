"""What a commit costs: a transaction's write units are two per started kilobyte of each row, checked rows included."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from grace.errors import IntegrityError
from grace.model.base import Head
from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import Ref, ref
from grace.stores import keys
from grace.stores.dynamo import SHORT, DynamoStore
from grace.stores.rows import row_of
from tests.stores.builders import AT, change, commit, contract, entry, full_grown, lease, mission, scan, written
from tests.stores.conftest import STATE


def size(row: dict[str, Any]) -> int:
    """Return DynamoDB's size of a row: names and values in UTF-8, a number a byte for two digits and one more."""

    def of(value: dict[str, Any]) -> int:
        ((kind, content),) = value.items()
        return math.ceil(len(content) / 2) + 1 if kind == "N" else len(content.encode() if kind == "S" else content)

    return sum(len(name) + of(value) for name, value in row.items())


def units(dynamodb: Any) -> list[int]:
    """Note the write units of each transaction from now on."""
    spent: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        puts = [action["Put"]["Item"] for action in params["TransactItems"]]
        spent.append(sum(2 * math.ceil(size(item) / 1024) for item in puts))

    dynamodb.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", note)
    return spent


@pytest.mark.parametrize("head", [contract(), full_grown(), mission()], ids=["new", "full-grown", "mission"])
def test_a_head_fills_one_write_unit(dynamo: DynamoStore, head: Head) -> None:
    row = dynamo._put_row(row_of(head), head.version)["Put"]["Item"]

    assert size(row) <= 1024


def test_a_commit_is_six_units_and_two_for_each_item(dynamo: DynamoStore, dynamodb: Any) -> None:
    spent = units(dynamodb)
    opened = written(dynamo, mission())
    head = written(dynamo, contract(), also=(change(opened.model_copy(update={"contract_id": "c-1"}), opened),))
    moved = {"status": ContractStatus.EXECUTING, "fence": 1, "updated_at": AT + timedelta(seconds=3)}
    written(dynamo, head.model_copy(update=moved), head, items=(lease(),))

    assert spent == [6, 10, 8]


def test_a_long_document_is_kept_deflated_and_comes_back_whole(dynamo: DynamoStore, dynamodb: Any) -> None:
    short, long = contract("1"), contract("2", resource="x" * SHORT)
    where: Ref[ContractHead] = ref(ContractHead, long.stream)
    written(dynamo, short.model_copy(update={"playbook": "p"}))
    head = written(dynamo, long)

    kept = {row["pk"]["S"]: row["doc"] for row in scan(dynamo, keys.Table.STATE)}
    assert "B" in kept[f"C#{long.stream}"]
    assert dynamo.read(where).need(where) == head

    dynamodb.update_item(
        TableName=STATE,
        Key={"pk": {"S": f"C#{long.stream}"}, "sk": {"S": "head"}},
        UpdateExpression="SET doc = :d",
        ExpressionAttributeValues={":d": {"B": b"other bytes"}},
    )
    with pytest.raises(IntegrityError, match="inflated"):
        dynamo.read(where)


def test_a_short_document_stays_text(dynamo: DynamoStore) -> None:
    written(dynamo, mission(), items=(lease(),), entries=(entry(),))

    rows = {row["sk"]["S"]: row for row in scan(dynamo, keys.Table.STATE)}
    assert "S" in rows["lease"]["doc"]
    assert commit(mission()).head.version == 0
