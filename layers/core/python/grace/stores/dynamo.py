"""`ports.Store` over two DynamoDB tables: a commit is one transaction across both."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from grace.errors import BadRequest, Conflict, GraceError, IntegrityError, StaleFence, Throttled
from grace.ledger.lanes import LaneHead, lane_of
from grace.ledger.replay import entries_of
from grace.ledger.streams import head_of
from grace.model.base import Item
from grace.model.entry import Commit, Committed, Entry, Ref
from grace.stores import keys
from grace.stores.calling import Patience, Tries
from grace.stores.errors import Cancelled
from grace.stores.keys import PARTITION, SORT, Key, Table
from grace.stores.plan import Check, Plan, Transaction, plan
from grace.stores.rows import Items, Row, item_of

T = TypeVar("T", bound=Item)
Attributes = dict[str, dict[str, Any]]

BATCH = 100
"""The keys one BatchGetItem takes."""
SHORT = 640
"""A document of more characters is kept deflated: with keys and index a long-lived head still fills one write unit."""
_FAILED = "ConditionalCheckFailed"
_UNDECIDED = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_LANE, _ROWS, _COMMAND = 0, 1, -1
"""Where a transaction's actions are: the lane's head, rows (the commit's own head first), checks and entries; last the
command of an endless stream."""


class DynamoStore:
    """The tables `state` and `log` of one deployment, with the number of lanes its log was made with.

    It remembers the lane heads it saw last, so that a commit that follows a read costs one call.
    """

    def __init__(
        self, client: Any, state_table: str, log_table: str, lanes: int, patience: Patience | None = None
    ) -> None:
        """Keep the client (see `calling.client`) and the names; nothing is called."""
        self._client = client
        self._names = {Table.STATE: state_table, Table.LOG: log_table}
        self._tables = {name: table for table, name in self._names.items()}
        self._where = f"{state_table} and {log_table}"
        self._lanes = lanes
        self._patience = patience or Patience()
        self._lane_heads: dict[int, LaneHead] = {}

    def read(self, *refs: Ref[Any], stream: str = "") -> Items:
        """Read items, and the head of the lane of `stream`'s family, consistently and in one call (up to 100 keys)."""
        wanted = {ref: keys.key(ref) for ref in refs}
        lane = lane_of(stream, self._lanes) if stream else None
        lane_keys = [] if lane is None else [keys.lane_head(lane)]
        found = self._get([*wanted.values(), *lane_keys], Tries(self._patience))
        if lane is not None:
            self._lane_heads[lane] = _lane_head(lane, found.get(lane_keys[0]))
        return Items(
            {ref: item_of(ref.kind, _row(found[key])) if key in found else None for ref, key in wanted.items()}
        )

    def members(self, kind: type[T], *ids: str) -> list[T]:
        """Return all items of a class below the first of its ids, in key order; a query per megabyte."""
        pk, prefix = keys.members(kind, ids)
        answers = self._query(
            Tries(self._patience),
            KeyConditionExpression=f"{PARTITION} = :pk AND begins_with({SORT}, :sk)",
            ExpressionAttributeValues={":pk": {"S": pk}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        return [item_of(kind, _row(attributes)) for attributes in answers]

    def open(self, kind: type[T], before: datetime) -> list[T]:
        """Return the items of a class still open with a deadline before that time, the nearest deadline first.

        The index says where to look and may be a moment behind; what is returned is the items as they stand.
        """
        tries, until = Tries(self._patience), keys.instant(before)
        named = [
            _key(attributes, Table.STATE)
            for partition in keys.open_partitions(kind)
            for attributes in self._query(
                tries,
                IndexName=keys.OPEN_INDEX,
                KeyConditionExpression=f"{keys.OPEN_PARTITION} = :pk AND {keys.OPEN_SORT} < :until",
                ExpressionAttributeValues={":pk": {"S": partition}, ":until": {"S": until}},
            )
        ]
        rows = [_row(attributes) for attributes in self._get(named, tries).values()]
        due = [(row.open[1], row.key.pk, row.key.sk, row) for row in rows if row.open and row.open[1] < until]
        return [item_of(kind, row) for *_, row in sorted(due, key=lambda found: found[:3])]

    def commit(self, commit: Commit) -> Committed:
        """Write a change and its entries in one transaction; repeating it after any error is safe.

        Raises:
            Conflict: an item is not at the version the commit carries.
            StaleFence: a fence would fall.
            IllegalTransition: the contract's status may not become that.
            InvalidCommit: it breaks a rule of writing; nothing was sent.
            Throttled: the tables or the lane stayed busy; nothing was written.
            Unavailable: no answer came, repeatedly; it may have been written, and repeating finds out.
        """
        planned, tries = plan(commit, self._lanes), Tries(self._patience)
        if planned.done is not None:
            return Committed(replayed=True, version=planned.done)
        while True:
            lane = self._lane_heads.pop(planned.lane, None) or self._lane(planned.lane, tries)
            transaction = planned.on(lane)
            try:
                tries.call(self._client.transact_write_items, self._where, TransactItems=self._actions(transaction))
            except Cancelled as exc:
                done = _done_before(exc, planned, transaction)
                if done is not None:
                    return Committed(replayed=True, version=done)
                error = _verdict(exc, transaction)
                if not isinstance(error, Throttled):
                    raise error from exc
                tries.again(error)
            else:
                self._lane_heads[planned.lane] = transaction.after
                return Committed(replayed=False, version=transaction.head.version, head=transaction.head)

    def story(self, stream: str) -> list[Entry]:
        """Return a stream's entries, oldest first; of a part of the system the latest, of an unknown stream none.

        Raises:
            IntegrityError: the head names an entry that is not there, or is another stream's.
        """
        tries = Tries(self._patience)
        where = head_of(stream)
        attributes = self._get([keys.key(where)], tries).get(keys.key(where))
        if attributes is None:
            return []
        head = item_of(where.kind, _row(attributes))
        lane = lane_of(head.family, self._lanes)
        found = self._get([keys.entry(lane, seq) for seq in head.log], tries)
        return entries_of(stream, [(seq, _bytes(found.get(keys.entry(lane, seq)))) for seq in head.log])

    def _lane(self, lane: int, tries: Tries) -> LaneHead:
        key = keys.lane_head(lane)
        return _lane_head(lane, self._get([key], tries).get(key))

    def _get(self, wanted: Sequence[Key], tries: Tries) -> dict[Key, Attributes]:
        """Return the rows that exist, consistently read, by key."""
        found: dict[Key, Attributes] = {}
        distinct = list(dict.fromkeys(wanted))
        for start in range(0, len(distinct), BATCH):
            asked: dict[str, Any] = {}
            for key in distinct[start : start + BATCH]:
                of_table = asked.setdefault(self._names[key.table], {"Keys": [], "ConsistentRead": True})
                of_table["Keys"].append(_address(key))
            while asked:
                answer = tries.call(self._client.batch_get_item, self._where, RequestItems=asked)
                for name, rows in answer["Responses"].items():
                    found |= {_key(attributes, self._tables[name]): attributes for attributes in rows}
                asked = answer.get("UnprocessedKeys", {})
                if asked:
                    tries.again(Throttled(f"reading {self._where}: the tables are busy"))
        return found

    def _query(self, tries: Tries, **arguments: Any) -> Iterator[Attributes]:
        """Yield the state table's rows of a query, page by page."""
        while True:
            answer = tries.call(self._client.query, self._where, TableName=self._names[Table.STATE], **arguments)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _actions(self, transaction: Transaction) -> list[dict[str, Any]]:
        actions = [
            self._put_lane(transaction.before, transaction.after),
            *(self._put_row(row, n) for row, n in zip(transaction.rows, transaction.expected, strict=True)),
            *(self._check(check) for check in transaction.checks),
            *(self._put(key, {"entry": {"B": data}}, 0) for key, data in transaction.entries),
        ]
        if transaction.command:
            said = {"version": _n(transaction.head.version), keys.EXPIRES: _n(transaction.command.forget_at)}
            actions.append(self._put(transaction.command.key, said, 0))
            actions[_COMMAND]["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        else:
            actions[_ROWS]["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return actions

    def _put(self, key: Key, attributes: Attributes, expected: int, **more: Any) -> dict[str, Any]:
        row = {"TableName": self._names[key.table], "Item": _address(key) | attributes}
        return {"Put": row | _at_version(expected) | more}

    def _put_row(self, row: Row, expected: int) -> dict[str, Any]:
        attributes: Attributes = {"v": _n(row.v), "version": _n(row.version), "doc": _doc(row.doc)}
        if row.open:
            attributes |= {keys.OPEN_PARTITION: {"S": row.open[0]}, keys.OPEN_SORT: {"S": row.open[1]}}
        if row.fence is None:
            return self._put(row.key, attributes, expected)
        put = self._put(row.key, attributes | {"fence": _n(row.fence)}, expected)
        if expected:
            put["Put"]["ConditionExpression"] += " AND fence <= :fence"
            put["Put"]["ExpressionAttributeValues"][":fence"] = _n(row.fence)
            put["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return put

    def _put_lane(self, before: LaneHead, after: LaneHead) -> dict[str, Any]:
        attributes = {"n": _n(after.n), "h": {"S": after.h}, "ts": _n(after.ts)}
        condition = {
            "ConditionExpression": "n = :n AND h = :h",
            "ExpressionAttributeValues": {":n": _n(before.n), ":h": {"S": before.h}},
        }
        return self._put(keys.lane_head(after.lane), attributes, 0, **(condition if before.n else {}))

    def _check(self, check: Check) -> dict[str, Any]:
        row = {"TableName": self._names[check.key.table], "Key": _address(check.key)}
        return {"ConditionCheck": row | _at_version(check.version)}


def _done_before(exc: Cancelled, planned: Plan, transaction: Transaction) -> int | None:
    """Return the version that the command led to when it was carried out before, whatever else has failed now.

    Where it was, the head has moved on, so its condition failed and the answer brings it as it stands.
    """
    reason = exc.reasons[_COMMAND if transaction.command else _ROWS]
    if reason.get("Code") != _FAILED:
        return None
    if transaction.command:
        return int(reason["Item"]["version"]["N"])
    return planned.done_by(item_of(type(transaction.head), _row(reason["Item"]))) if "Item" in reason else None


def _verdict(exc: Cancelled, transaction: Transaction) -> GraceError:
    """Return what a cancelled transaction means: `Throttled` when the same commit may still succeed."""
    codes = [str(reason.get("Code")) for reason in exc.reasons]
    named = [*(row.key for row in transaction.rows), *(check.key for check in transaction.checks)]
    for index, key in enumerate(named):
        if codes[_ROWS + index] == _FAILED:
            return _item_verdict(exc.reasons[_ROWS + index], key, index, transaction)
    if codes[_LANE] == _FAILED or any(code in _UNDECIDED for code in codes):
        return Throttled(f"lane {transaction.before.lane} stayed busy: nothing was written")
    if _FAILED in codes:
        return IntegrityError(
            f"lane {transaction.before.lane} holds an entry beyond its head: the log was tampered with"
        )
    return BadRequest(f"{exc}: {next((str(r['Message']) for r in exc.reasons if r.get('Message')), 'no reason given')}")


def _item_verdict(reason: dict[str, Any], key: Key, index: int, transaction: Transaction) -> GraceError:
    old: Attributes = reason.get("Item", {})
    if "fence" in old and int(old["version"]["N"]) == transaction.expected[index]:
        return StaleFence(f"{key.pk}/{key.sk} is at fence {old['fence']['N']}, which may not fall")
    return Conflict(f"{key.pk}/{key.sk} is not as it was read: somebody else wrote first")


def _at_version(expected: int) -> dict[str, Any]:
    if expected == 0:
        return {"ConditionExpression": f"attribute_not_exists({PARTITION})"}
    return {"ConditionExpression": "version = :version", "ExpressionAttributeValues": {":version": _n(expected)}}


def _n(number: int) -> dict[str, str]:
    return {"N": str(number)}


def _address(key: Key) -> Attributes:
    return {PARTITION: {"S": key.pk}, SORT: {"S": key.sk}}


def _key(attributes: Attributes, table: Table) -> Key:
    return Key(table, attributes[PARTITION]["S"], attributes[SORT]["S"])


def _lane_head(lane: int, attributes: Attributes | None) -> LaneHead:
    if attributes is None:
        return LaneHead(lane)
    try:
        return LaneHead(lane, int(attributes["n"]["N"]), attributes["h"]["S"], int(attributes["ts"]["N"]))
    except (KeyError, ValueError) as exc:
        raise IntegrityError(f"the head of lane {lane} cannot be read: it was changed by somebody else") from exc


def _bytes(attributes: Attributes | None) -> bytes | None:
    # A row that has lost its bytes is there, and is no entry.
    return None if attributes is None else bytes(attributes.get("entry", {}).get("B", b""))


def _row(attributes: Attributes) -> Row:
    fence, partition = attributes.get("fence"), attributes.get(keys.OPEN_PARTITION)
    key = _key(attributes, Table.STATE)
    try:
        return Row(
            key=key,
            v=int(attributes["v"]["N"]),
            version=int(attributes["version"]["N"]),
            doc=_text(attributes["doc"]),
            fence=None if fence is None else int(fence["N"]),
            open=None if partition is None else (partition["S"], attributes[keys.OPEN_SORT]["S"]),
        )
    except (KeyError, ValueError) as exc:
        raise IntegrityError(f"{key.pk}/{key.sk} cannot be read: it was changed by somebody else") from exc


def _doc(text: str) -> dict[str, Any]:
    return {"S": text} if len(text) <= SHORT else {"B": zlib.compress(text.encode())}


def _text(doc: dict[str, Any]) -> str:
    if "S" in doc:
        return str(doc["S"])
    try:
        return zlib.decompress(bytes(doc["B"])).decode()
    except (zlib.error, ValueError) as exc:
        raise IntegrityError("a stored document cannot be inflated: its bytes were changed") from exc
