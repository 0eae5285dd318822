"""The state table's stream, read as changed items. Pure: what the change was is read from the table itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grace.model.base import Json
from grace.model.entry import Ref
from grace.stores import keys


def changes(records: Sequence[dict[str, Json]]) -> list[tuple[str, Ref[Any]]]:
    """Return sequence number and item of each stream record, in order; rows this code does not know are left out."""
    found = []
    for record in records:
        row = record["dynamodb"]
        where = keys.parse(row["Keys"][keys.PARTITION]["S"], row["Keys"][keys.SORT]["S"])
        if where is not None:
            found.append((str(row["SequenceNumber"]), where))
    return found
