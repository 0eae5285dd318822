"""Small documents of the right shape, and what every log must look like whatever happened to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from grace.ledger.entries import entry_id, mark
from grace.ledger.lanes import LaneHead, check_lane
from grace.ledger.replay import replay
from grace.model.base import Head, Item
from grace.model.contract import ContractHead, ContractStatus, Pointer
from grace.model.diagnosis import DiagnosisCode
from grace.model.entry import Change, Commit, EntryDraft, Ref
from grace.model.ids import command_id, contract_id, mission_id
from grace.model.mission import Mission, MissionStatus
from grace.model.records import Lease
from grace.model.signal import Severity
from grace.stores import keys
from grace.stores.dynamo import DynamoStore
from grace.stores.memory import MemoryStore

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALIAS = "arn:aws:lambda:eu-central-1:123456789012:function:checkout-service-production:live"
DIGEST = "7d" * 32


def mission(name: str = "1", **update: Any) -> Mission:
    base = Mission(
        corr="r-abcdefghijklmnopqrstuvwxyz",
        mission_id=mission_id(name, "0" * 64),
        group="123456789012/eu-central-1/lambda/errors",
        status=MissionStatus.OPEN,
        opened_at=AT,
        attach_until=AT + timedelta(minutes=5),
        updated_at=AT,
        deadline=AT + timedelta(hours=1),
        severity=Severity.HIGH,
        diagnosis=DiagnosisCode.ELEVATED_ERRORS,
        alarm="arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout-errors",
    )
    return base.model_copy(update=update)


def contract(name: str = "1", **update: Any) -> ContractHead:
    of = mission_id(name, "0" * 64)
    base = ContractHead(
        corr="r-abcdefghijklmnopqrstuvwxyz",
        contract_id=contract_id(of, "roll_back_lambda_alias", 1),
        mission_id=of,
        playbook="roll_back_lambda_alias",
        resource=ALIAS,
        tier=1,
        status=ContractStatus.DRAFTED,
        digest=DIGEST,
        created_at=AT,
        updated_at=AT,
        deadline=AT + timedelta(minutes=10),
    )
    return base.model_copy(update=update)


def lease(fence: int = 1, **update: Any) -> Lease:
    return Lease(resource=ALIAS, owner="c-1", fence=fence, until=AT + timedelta(minutes=20)).model_copy(update=update)


def entry(kind: str = "contract.changed", **body: Any) -> EntryDraft:
    return EntryDraft(type=kind, body=body)


def commit(head: Head, was: Head | None = None, *, command: str = "do", **update: Any) -> Commit:
    fields: dict[str, Any] = {
        "command": command_id(command),
        "head": head,
        "was": was,
        "entries": (entry(),),
        "at": AT,
        "actor": "grace",
        "subsystem": "test",
    }
    return Commit(**fields | update)


def written(store: Any, head: Head, was: Head | None = None, **update: Any) -> Any:
    """Commit and return the head as it stands then."""
    update.setdefault("command", f"{head.stream}/{head.version}")
    done = store.commit(commit(head, was, **update))
    assert not done.replayed
    return done.head


def change(head: Head, was: Head | None = None, *entries: EntryDraft) -> Change:
    return Change(head, was, entries or (entry("mission.changed"),))


def in_status(store: Any, status: ContractStatus, name: str = "1") -> ContractHead:
    """Return a stored contract that went the lawful way to a status."""
    ways = {
        ContractStatus.DRAFTED: (),
        ContractStatus.EXECUTING: ("executing",),
        ContractStatus.VERIFYING: ("executing", "verifying"),
        ContractStatus.VERIFIED: ("executing", "verifying", "verified"),
    }
    head: ContractHead = written(store, contract(name))
    for step in ways[status]:
        head = written(store, head.model_copy(update={"status": ContractStatus(step)}), head)
    return head


def full_grown() -> ContractHead:
    """A head with every field filled as far as a long life fills it."""
    return contract(
        version=14,
        log=tuple(range(1_234_000, 1_234_014)),
        marks="".join(mark(entry_id("k-1", n)) for n in range(14)),
        fence=12,
        reason="the promise did not hold: errors 0.08 of 0.02 allowed over 300 s",
        preflight=DIGEST,
        snapshot=Pointer(key=f"snapshots/{contract().contract_id}/12.json", sha256=DIGEST),
        after_digest=DIGEST,
        acted_at=AT + timedelta(seconds=12, microseconds=345678),
        created_at=AT + timedelta(microseconds=345678),
        updated_at=AT + timedelta(microseconds=345678),
        deadline=AT + timedelta(microseconds=345678),
        verdict="failed",
        confidence="0.97",
        status=ContractStatus.ROLLING_BACK,
    )


def stored(store: Any, item: Item) -> Any:
    where: Ref[Any] = Ref(type(item), item.ids)
    return store.read(where).get(where)


def log_of(store: Any) -> dict[int, tuple[LaneHead, list[bytes]]]:
    """Return every lane as it is stored: its head and its entries in order."""
    if isinstance(store, MemoryStore):
        by_lane: dict[int, tuple[LaneHead, list[bytes]]] = {}
        for lane, head in store._lane_heads.items():
            pk = keys.lane_head(lane).pk
            rows = sorted((key.sk, data) for key, data in store._entries.items() if key.pk == pk)
            by_lane[lane] = (head, [data for _, data in rows])
        return by_lane
    assert isinstance(store, DynamoStore)
    found: dict[int, tuple[LaneHead, list[bytes]]] = {}
    lane_rows = [row for row in scan(store, keys.Table.LOG) if row["pk"]["S"].startswith("L#")]
    for row in lane_rows:
        if row["sk"]["S"] == "head":
            lane = int(row["pk"]["S"].removeprefix("L#"))
            mine = [r for r in lane_rows if r["pk"] == row["pk"] and r is not row]
            mine.sort(key=lambda r: r["sk"]["S"])
            at = LaneHead(lane, int(row["n"]["N"]), row["h"]["S"], int(row["ts"]["N"]))
            found[lane] = (at, [bytes(r["entry"]["B"]) for r in mine])
    assert {row["pk"]["S"] for row in lane_rows} == {f"L#{lane}" for lane in found}, "entries without a lane head"
    return found


def scan(store: DynamoStore, table: keys.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        answer = store._client.scan(TableName=store._names[table], ConsistentRead=True, **more)
        rows += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return rows
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def number_of_entries(store: Any) -> int:
    return sum(len(entries) for _, entries in log_of(store).values())


def assert_sound(store: Any, *streams: Head | Item) -> None:
    """I1, I3, I10: every lane is whole and in order, and each head is what its entries say."""
    for head, entries in log_of(store).values():
        assert check_lane(head, entries) == []
    for item in streams:
        assert isinstance(item, Head)
        where: Ref[Any] = Ref(type(item), item.ids)
        stored = store.read(where).need(where)
        assert replay(type(item), store.story(item.stream)) == stored


class Answer(SimpleNamespace):
    """What botocore calls the HTTP answer, for an answer we make up."""


def refusal(code: str, status: int = 400, **more: Any) -> tuple[Answer, dict[str, Any]]:
    """Return the answer that a `before-call` handler gives instead of the service's."""
    body = {
        "Error": {"Code": code, "Message": "as the test wants it"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return Answer(status_code=status), body


def cancelled(reasons: list[str]) -> tuple[Answer, dict[str, Any]]:
    return refusal("TransactionCanceledException", CancellationReasons=[{"Code": reason} for reason in reasons])
