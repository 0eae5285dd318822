"""`ports.Store`: what every body of it does. Each test runs on memory and on DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from grace.errors import Conflict, IntegrityError, NotFound
from grace.ledger.replay import LATEST, replay
from grace.model.approval import Approval, ApprovalStatus, Vote
from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import ref
from grace.model.mission import Mission, MissionStatus
from grace.model.records import Breaker, InFlight, KillSwitch, Lease, Subsystem
from grace.stores.memory import MemoryStore
from tests.stores.builders import (
    ALIAS,
    AT,
    assert_sound,
    change,
    commit,
    contract,
    entry,
    in_status,
    lease,
    log_of,
    mission,
    number_of_entries,
    stored,
    written,
)

FAR = datetime(9999, 1, 1, tzinfo=UTC)


def approval(contract_id: str, generation: int = 1, **update: Any) -> Approval:
    base = Approval(
        contract_id=contract_id,
        generation=generation,
        status=ApprovalStatus.PENDING,
        digest="d",
        tier=2,
        need=1,
        approvers=("ada",),
        asked_at=AT,
        expires_at=AT + timedelta(minutes=30),
        task_token="sealed",
    )
    return base.model_copy(update=update)


def vote(contract_id: str, person: str) -> Vote:
    return Vote(contract_id=contract_id, person=person, decision="approve", digest="d", via="iam", at=AT)


def test_what_is_committed_is_read_back_whole(store: Any) -> None:
    head = written(store, contract(), items=(lease(),), entries=(entry(), entry("contract.drafted", cause_of="x")))

    assert (head.version, len(head.log)) == (2, 2)
    assert stored(store, head) == head
    assert stored(store, lease()) == lease(version=1)
    assert_sound(store, head)


def test_reading_what_is_not_there(store: Any) -> None:
    view = store.read(ref(Lease, ALIAS), stream="m-1")

    assert view.get(ref(Lease, ALIAS)) is None
    with pytest.raises(NotFound, match="Lease"):
        view.need(ref(Lease, ALIAS))
    with pytest.raises(KeyError):
        view.get(ref(Lease, "another"))


def test_more_items_than_one_batch_holds(store: Any) -> None:
    for part in range(2):
        limits = tuple(Breaker(service=f"s{part}{n:03d}", failures=n) for n in range(60))
        written(store, mission(str(part)), items=limits)
    wanted = [ref(Breaker, f"s{part}{n:03d}") for part in range(2) for n in range(60)]

    view = store.read(*wanted, *wanted, stream="m-1")

    assert [view.need(where).failures for where in wanted] == [*range(60), *range(60)]


def test_a_newer_version_wins_and_nothing_of_the_older_commit_is_kept(store: Any) -> None:
    first = written(store, contract(), items=(lease(),))
    written(store, first.model_copy(update={"reason": "theirs"}), first)
    before = number_of_entries(store)

    with pytest.raises(Conflict):
        store.commit(
            commit(first.model_copy(update={"reason": "ours"}), first, command="late", items=(lease(9, version=1),))
        )

    assert stored(store, first).reason == "theirs"
    assert stored(store, lease()).fence == 1
    assert number_of_entries(store) == before
    assert_sound(store, first)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"items": (lease(),)}, id="an item that exists already"),
        pytest.param({"items": (lease(version=2),)}, id="an item at another version"),
        pytest.param({"unchanged": (lease(version=2),)}, id="a read item that has changed"),
        pytest.param({"unchanged": (Breaker(service="s", version=1),)}, id="a read item that is gone"),
        pytest.param({"absent": (ref(Lease, ALIAS),)}, id="an absent item that is there"),
    ],
)
def test_each_condition_refuses_the_whole(store: Any, more: dict[str, Any]) -> None:
    written(store, mission(), items=(lease(),))

    with pytest.raises(Conflict):
        store.commit(commit(contract(), **more))

    assert stored(store, contract()) is None
    assert stored(store, lease()) == lease(version=1)
    assert number_of_entries(store) == 1


def test_conditions_that_hold_let_it_pass(store: Any) -> None:
    written(store, mission(), items=(lease(),))

    head = written(store, contract(), unchanged=(lease(version=1),), absent=(ref(InFlight),))

    assert stored(store, head) == head
    assert stored(store, lease()) == lease(version=1), "what is only checked is not written"


def test_f04_a_repeated_command_changes_nothing(store: Any) -> None:
    """F02, F04: also when another command has followed, and however long ago it was."""
    first = commit(contract(), command="draft", entries=(entry(), entry()), items=(lease(),))
    head = store.commit(first).head
    written(store, head.model_copy(update={"reason": "later"}), head)
    before = log_of(store)

    for at in (AT, AT + timedelta(minutes=11), AT + timedelta(days=90)):
        again = store.commit(commit(contract(), command="draft", entries=(entry(), entry()), items=(lease(),), at=at))
        assert (again.replayed, again.version, again.head) == (True, 2, None)

    assert log_of(store) == before
    assert stored(store, head).reason == "later"


def test_a_command_decided_anew_is_still_the_same_command(store: Any) -> None:
    """The caller that lost the answer reads again and repeats on what it finds: one entry."""
    head = written(store, contract(), command="draft")

    again = store.commit(commit(head.model_copy(update={"reason": "twice"}), head, command="draft"))

    assert again.replayed
    assert stored(store, head).reason == ""
    assert number_of_entries(store) == 1


def test_a_contract_and_its_mission_change_together(store: Any) -> None:
    opened = written(store, mission())
    drafted = contract()

    head = written(
        store,
        drafted,
        also=(change(opened.model_copy(update={"contract_id": drafted.contract_id}), opened),),
    )

    assert stored(store, opened).contract_id == head.contract_id
    assert [e.lseq for e in store.story(opened.stream)] == [1, 3]
    assert [(e.lseq, e.contract, e.digest) for e in store.story(head.stream)] == [(2, head.contract_id, head.digest)]
    assert_sound(store, head, opened)


def test_all_or_nothing_over_both_streams(store: Any) -> None:
    opened = written(store, mission())
    written(store, opened.model_copy(update={"signals": 2}), opened)

    with pytest.raises(Conflict):
        store.commit(commit(contract(), also=(change(opened.model_copy(update={"signals": 3}), opened),)))

    assert stored(store, contract()) is None
    assert number_of_entries(store) == 2


def test_members_come_in_key_order_and_alone(store: Any) -> None:
    head = written(store, contract())
    for person in ("grace", "ada", "alan"):
        head = written(store, head, head, items=(vote(head.contract_id, person),))
    other = written(store, contract("2"))
    written(store, other, other, items=(vote(other.contract_id, "eve"), approval(other.contract_id)))

    assert [v.person for v in store.members(Vote, head.contract_id)] == ["ada", "alan", "grace"]
    assert [type(a) for a in store.members(Approval, other.contract_id)] == [Approval]
    assert store.members(Approval, head.contract_id) == []


def test_generations_are_ordered_as_numbers(store: Any) -> None:
    head = written(store, contract())
    written(store, head, head, items=tuple(approval(head.contract_id, n) for n in (10, 2, 9)))

    assert [a.generation for a in store.members(Approval, head.contract_id)] == [2, 9, 10]


def test_open_lists_what_is_open_and_due_by_deadline(store: Any) -> None:
    made = [written(store, mission(str(n), deadline=AT + timedelta(minutes=n))) for n in range(12)]
    written(store, made[3].model_copy(update={"status": MissionStatus.CLOSED}), made[3])
    written(store, made[4].model_copy(update={"deadline": AT + timedelta(hours=9)}), made[4])
    written(store, made[5].model_copy(update={"status": MissionStatus.NEEDS_ATTENTION}), made[5])
    written(store, contract("0"))

    due = store.open(Mission, AT + timedelta(minutes=8))

    assert [m.mission_id for m in due] == [made[n].mission_id for n in (0, 1, 2, 5, 6, 7)]
    assert store.open(Mission, FAR)[-1].mission_id == made[4].mission_id
    assert store.open(Mission, AT) == [], "a deadline at that very time is not before it"


def test_open_contracts_and_approvals(store: Any) -> None:
    head = in_status(store, ContractStatus.VERIFIED)
    asked = written(store, contract("2"))
    asked = written(store, asked, asked, items=(approval(asked.contract_id), approval(asked.contract_id, 2)))

    assert {h.contract_id for h in store.open(ContractHead, FAR)} == {head.contract_id, asked.contract_id}
    written(store, head.model_copy(update={"closed": True}), head)
    assert [h.contract_id for h in store.open(ContractHead, FAR)] == [asked.contract_id]

    assert [a.generation for a in store.open(Approval, FAR)] == [1, 2]
    decided = approval(asked.contract_id, version=1, status=ApprovalStatus.APPROVED)
    written(store, asked, asked, items=(decided,))
    assert [a.generation for a in store.open(Approval, FAR)] == [2]


def test_deadlines_are_compared_as_times_not_as_texts(store: Any) -> None:
    west = timezone(timedelta(hours=-8))
    written(store, mission(deadline=datetime(2026, 1, 31, 4, tzinfo=west)))

    assert len(store.open(Mission, AT + timedelta(microseconds=1))) == 1
    assert store.open(Mission, AT) == []


def test_what_is_never_listed_cannot_be_asked_for(store: Any) -> None:
    with pytest.raises(KeyError):
        store.open(Lease, FAR)


def test_a_story_is_its_own_stream_oldest_first(store: Any) -> None:
    one, two = written(store, contract("1")), written(store, mission("1"))
    for n in range(3):
        one = written(store, one, one, entries=(entry("contract.step", n=n),))
        two = written(store, two, two, entries=(entry("mission.step", n=n),))

    assert [e.body["n"] for e in store.story(one.stream)[1:]] == [0, 1, 2]
    assert [e.sseq for e in store.story(two.stream)] == [1, 2, 3, 4]
    assert store.story(contract("9").stream) == []
    with pytest.raises(NotFound, match="no stream"):
        store.story("x-1")


def test_the_switch_and_the_subsystems_have_streams(store: Any) -> None:
    switch = written(store, KillSwitch(on=True, reason="drill", by="ada", at=AT))
    part = written(store, Subsystem(name="triage", at=AT))
    for n in range(LATEST + 3):
        part = written(store, part.model_copy(update={"count": n}), part)

    assert_sound(store, switch)
    assert [e.type for e in store.story("sys:kill")] == ["contract.changed"]
    latest = store.story("sys:triage")
    assert [e.sseq for e in latest] == list(range(5, LATEST + 5)), "a stream without an end keeps its latest positions"
    assert len(stored(store, part).log) == LATEST
    with pytest.raises(IntegrityError, match="what follows"):
        replay(Subsystem, latest)


def test_time_never_falls_within_a_lane(store: Any) -> None:
    head = written(store, contract(), at=AT + timedelta(seconds=5))
    head = written(store, head, head, at=AT)
    head = written(store, head, head, at=AT + timedelta(seconds=6))

    ts = [e.ts for e in store.story(head.stream)]
    base = int(AT.timestamp()) * 1000
    assert ts == [base + 5000, base + 5000, base + 6000]
    assert [e.body.get("skew") for e in store.story(head.stream)] == [None, 5000, None]
    assert_sound(store, head)


def test_an_entry_says_who_what_and_why(store: Any) -> None:
    head = written(
        store, contract(), entries=(entry(), entry("contract.drafted", tier=1)), actor="ada", subsystem="contract"
    )

    first, last = store.story(head.stream)
    assert (last.actor, last.subsystem, last.corr) == ("ada", "contract", head.corr)
    assert (last.v, last.type, last.contract, last.digest) == (1, "contract.drafted", head.contract_id, head.digest)
    assert (first.sseq, last.sseq, last.body["tier"]) == (1, 2, 1)
    assert "set" not in first.body
    assert last.body["set"]["status"] == "drafted"
    assert first.id != last.id


def test_an_entry_carries_only_what_changed(store: Any) -> None:
    head = written(store, contract())
    head = written(store, head.model_copy(update={"reason": "why"}), head)
    head = written(store, head, head)

    assert [e.body.get("set") for e in store.story(head.stream)][1:] == [{"reason": "why"}, None]


def test_the_version_of_the_schema_is_checked(store: Any) -> None:
    """This one and the one before are read, any other is refused before any effect."""
    head = written(store, contract())
    for v, fine in ((0, True), (1, True), (2, False)):
        _write_v(store, head, v)
        if fine:
            assert stored(store, head).v == v
        else:
            with pytest.raises(IntegrityError, match="schema version 2"):
                stored(store, head)


def test_an_old_item_is_written_as_the_present_version(store: Any) -> None:
    head = written(store, contract())
    _write_v(store, head, 0)
    old = stored(store, head)

    assert written(store, old, old).v == 1
    assert stored(store, head).v == 1


def test_a_shape_we_do_not_read_is_named(store: Any) -> None:
    head = written(store, contract())
    _spoil(store, head)

    with pytest.raises(IntegrityError, match=r"head is not a ContractHead: surprise"):
        stored(store, head)


def _write_v(store: Any, head: ContractHead, v: int) -> None:
    """Change the stored schema version behind the store's back."""
    pk, sk = f"C#{head.contract_id}", "head"
    if isinstance(store, MemoryStore):
        rows = store._partitions[pk]
        rows[sk] = type(rows[sk])(rows[sk].key, v, rows[sk].version, rows[sk].doc, rows[sk].fence, rows[sk].open)
        return
    store._client.update_item(
        TableName="grace-state",
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"N": str(v)}},
    )


def _spoil(store: Any, head: ContractHead) -> None:
    pk, sk = f"C#{head.contract_id}", "head"
    if isinstance(store, MemoryStore):
        rows = store._partitions[pk]
        doc = rows[sk].doc[:-1] + ',"surprise":1}'
        rows[sk] = type(rows[sk])(rows[sk].key, 1, rows[sk].version, doc, rows[sk].fence, rows[sk].open)
        return
    doc = store.read(ref(ContractHead, head.stream)).need(ref(ContractHead, head.stream)).model_dump_json()
    store._client.update_item(
        TableName="grace-state",
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="SET doc = :d",
        ExpressionAttributeValues={":d": {"S": doc[:-1] + ',"surprise":1}'}},
    )
