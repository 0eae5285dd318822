"""`ports.LogTable` and `ports.SignerRecord` over DynamoDB: rows read consistently, heads written on condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from grace.errors import Conflict, IntegrityError, Mismatch, Throttled
from grace.model.lane import LaneHead
from grace.model.log import SignedHead, TreeHead
from grace.stores import keys
from grace.stores.calling import Patience, Tries
from grace.stores.keys import PARTITION, SORT, Key

Attributes = dict[str, dict[str, Any]]
M = TypeVar("M", TreeHead, SignedHead)

BATCH = 100
"""The keys one BatchGetItem takes."""


class _Rows:
    """One table: rows read consistently by key, and documents that are written only over the version they follow."""

    def __init__(self, client: Any, table: str, patience: Patience | None) -> None:
        self._client = client
        self._table = table
        self._patience = patience or Patience()

    def get(self, wanted: Sequence[Key]) -> dict[Key, Attributes]:
        """Return the rows that exist."""
        found: dict[Key, Attributes] = {}
        tries = Tries(self._patience)
        for start in range(0, len(wanted), BATCH):
            asked: dict[str, Any] = {
                self._table: {"Keys": [_address(key) for key in wanted[start : start + BATCH]], "ConsistentRead": True}
            }
            while asked:
                answer = tries.call(self._client.batch_get_item, self._table, RequestItems=asked)
                for row in answer["Responses"].get(self._table, []):
                    found[Key(wanted[0].table, row[PARTITION]["S"], row[SORT]["S"])] = row
                asked = answer.get("UnprocessedKeys", {})
                if asked:
                    tries.again(Throttled(f"reading {self._table}: the table is busy"))
        return found

    def document(self, kind: type[M], key: Key) -> M:
        """Return the document at a key, or an empty one; raises `IntegrityError` when it is not of that shape."""
        row = self.get([key]).get(key)
        if row is None:
            return kind()
        try:
            return kind.model_validate_json(row["doc"]["S"]).model_copy(update={"v": int(row["v"]["N"])})
        except (ValidationError, KeyError, ValueError) as exc:
            raise _spoilt(key, kind.__name__) from exc

    def replace(self, key: Key, document: M) -> M:
        """Write the document as the version after its own; raises `Conflict` when another is there.

        A repeated call whose first answer was lost finds its own version and loses: the caller reads again.
        """
        after = document.model_copy(update={"v": document.v + 1})
        condition: dict[str, Any] = (
            {
                "ConditionExpression": "v = :v",
                "ExpressionAttributeValues": {":v": {"N": str(document.v)}},
            }
            if document.v
            else {"ConditionExpression": f"attribute_not_exists({PARTITION})"}
        )
        item = _address(key) | {"v": {"N": str(after.v)}, "doc": {"S": after.model_dump_json(exclude={"v"})}}
        try:
            Tries(self._patience).call(
                self._client.put_item, self._table, TableName=self._table, Item=item, **condition
            )
        except Mismatch as exc:
            raise Conflict(f"{key.pk}/{key.sk} is not at version {document.v}: somebody else was first") from exc
        return after

    def write(self, key: Key, attributes: Attributes) -> None:
        """Write a row over whatever is there."""
        Tries(self._patience).call(
            self._client.put_item, self._table, TableName=self._table, Item=_address(key) | attributes
        )


class DynamoLog:
    """`ports.LogTable` over the log table of one deployment."""

    def __init__(self, client: Any, table: str, lanes: int, patience: Patience | None = None) -> None:
        """Keep the client (see `calling.client`) and the names; nothing is called."""
        self._rows = _Rows(client, table, patience)
        self._lanes = lanes

    @property
    def lanes(self) -> int:
        """The number of lanes."""
        return self._lanes

    def head(self) -> TreeHead:
        """Return the tree's head."""
        return self._rows.document(TreeHead, keys.tree_head())

    def move(self, head: TreeHead) -> TreeHead:
        """Write the head as its next version; raises `Conflict` when somebody else was first."""
        return self._rows.replace(keys.tree_head(), head)

    def lane_heads(self) -> list[LaneHead]:
        """Return where each lane ends, in order."""
        wanted = [keys.lane_head(lane) for lane in range(self._lanes)]
        found = self._rows.get(wanted)
        return [_lane_head(lane, found.get(key)) for lane, key in enumerate(wanted)]

    def entries(self, lane: int, first: int, last: int) -> list[bytes | None]:
        """Return the stored bytes of a lane's entries; None for one that is not there."""
        wanted = [keys.entry(lane, seq) for seq in range(first, last + 1)]
        found = self._rows.get(wanted)
        return [_entry(key, found.get(key)) for key in wanted]

    def noted(self) -> str:
        """Return what people were last told of."""
        row = self._rows.get([keys.told()]).get(keys.told(), {})
        return str(row.get("why", {}).get("S", ""))

    def note(self, why: str) -> None:
        """Write down what people were told of, beside the tree's head."""
        self._rows.write(keys.told(), {"why": {"S": why}})


class DynamoSignerRecord:
    """`ports.SignerRecord` over a table of its own."""

    def __init__(self, client: Any, table: str, patience: Patience | None = None) -> None:
        """Keep the client and the name; nothing is called."""
        self._rows = _Rows(client, table, patience)

    def read(self) -> SignedHead:
        """Return what was last signed."""
        return self._rows.document(SignedHead, keys.signer_record())

    def write(self, record: SignedHead) -> None:
        """Write it as its next version; raises `Conflict` when another is there."""
        self._rows.replace(keys.signer_record(), record)


def _lane_head(lane: int, row: Attributes | None) -> LaneHead:
    if row is None:
        return LaneHead(lane)
    try:
        return LaneHead(lane, int(row["n"]["N"]), row["h"]["S"], int(row["ts"]["N"]))
    except (KeyError, ValueError) as exc:
        raise _spoilt(keys.lane_head(lane), LaneHead.__name__) from exc


def _entry(key: Key, row: Attributes | None) -> bytes | None:
    try:
        return None if row is None else bytes(row["entry"]["B"])
    except KeyError as exc:
        raise _spoilt(key, "row of an entry") from exc


def _spoilt(key: Key, kind: str) -> IntegrityError:
    return IntegrityError(f"{key.pk}/{key.sk} is not a {kind}: it was changed by somebody else")


def _address(key: Key) -> Attributes:
    return {PARTITION: {"S": key.pk}, SORT: {"S": key.sk}}
