"""What no store writes, whoever asks: each test runs on memory and on DynamoDB."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grace.errors import Conflict, IllegalTransition, InvalidCommit, StaleFence
from grace.model.contract import TERMINAL, TRANSITIONS, ContractStatus
from grace.model.entry import ref
from grace.model.records import Lease
from tests.stores.builders import (
    ALIAS,
    AT,
    change,
    commit,
    contract,
    entry,
    in_status,
    lease,
    mission,
    number_of_entries,
    stored,
    written,
)


def test_the_transitions_are_the_table(store: Any) -> None:
    """Every pair of statuses: what the table holds passes the rule, everything else is refused by name."""
    for before in ContractStatus:
        for after in ContractStatus:
            was = contract(status=before, version=3)
            attempt = commit(was.model_copy(update={"status": after}), was, command=f"{before}-{after}")
            allowed = after in TRANSITIONS[before] or after is before
            with pytest.raises(Conflict if allowed else IllegalTransition):
                store.commit(attempt)


@pytest.mark.parametrize("status", ContractStatus)
def test_how_a_contract_may_begin(store: Any, status: ContractStatus) -> None:
    may = {"drafted", "refused", "superseded", "expired", "shadowed"}

    if status.value in may:
        assert written(store, contract(status=status)).status is status
    else:
        with pytest.raises(IllegalTransition, match="begin"):
            store.commit(commit(contract(status=status)))


@pytest.mark.parametrize("field", ["reason", "verdict", "confidence", "stop", "after_digest", "fence"])
def test_the_end_is_final(store: Any, field: str) -> None:
    head = in_status(store, ContractStatus.VERIFIED)
    value = 7 if field == "fence" else "late"

    with pytest.raises(IllegalTransition, match=field):
        store.commit(commit(head.model_copy(update={field: value}), head))


def test_the_sweep_may_count_the_executions_that_close_an_ended_contract(store: Any) -> None:
    head = in_status(store, ContractStatus.VERIFIED)

    assert written(store, head.model_copy(update={"rollbacks": 1}), head).rollbacks == 1


def test_closing_after_the_end(store: Any) -> None:
    head = in_status(store, ContractStatus.VERIFIED)
    later = {"updated_at": AT + timedelta(minutes=1), "deadline": AT + timedelta(minutes=9)}

    closed = written(store, head.model_copy(update={"closed": True, **later}), head)

    assert stored(store, closed).closed
    with pytest.raises(IllegalTransition, match="opened again"):
        store.commit(commit(closed.model_copy(update={"closed": False}), closed))


def test_nothing_is_closed_before_its_end(store: Any) -> None:
    head = in_status(store, ContractStatus.VERIFYING)
    assert head.status not in TERMINAL

    with pytest.raises(IllegalTransition, match="closed before"):
        store.commit(commit(head.model_copy(update={"closed": True}), head))


def test_a_fence_never_falls(store: Any) -> None:
    """I32: neither a lease's nor a contract's, and the version alone would not have stopped it."""
    head = written(store, contract(fence=5), items=(lease(5),))

    with pytest.raises(StaleFence, match="5"):
        store.commit(commit(head, head, command="lease", items=(lease(4, version=1),)))
    with pytest.raises(StaleFence, match="5"):
        store.commit(commit(head.model_copy(update={"fence": 4}), head, command="head"))

    assert stored(store, lease()).fence == 5
    same = written(store, head, head, items=(lease(5, version=1),))
    assert written(store, same.model_copy(update={"fence": 6}), same).fence == 6


def test_an_old_fence_of_an_old_version_is_a_conflict(store: Any) -> None:
    """Who lost the race reads again and then sees who holds the lease."""
    head = written(store, contract(), items=(lease(5),))
    written(store, head, head, items=(lease(6, version=1),))

    with pytest.raises(Conflict):
        store.commit(commit(mission(), command="late", items=(lease(5, version=1),)))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda head: commit(head, None), "as it was read"),
        (lambda head: commit(head, head.model_copy(update={"version": 9})), "does not follow"),
        (lambda head: commit(head, mission(version=1)), "does not follow"),
        (lambda head: commit(contract("2"), head), "does not follow"),
        (lambda head: commit(head, head, entries=()), "without an entry"),
        (lambda head: commit(head, head, also=(change(mission("2")),)), "one family"),
        (lambda head: commit(head, head, items=(mission("1"),)), "entries of its own"),
        (lambda head: commit(head, head, items=(lease(), lease())), "twice"),
        (lambda head: commit(head, head, unchanged=(lease(),)), "as absent"),
        (lambda head: commit(head, head, items=(lease(),), absent=(ref(Lease, ALIAS),)), "twice"),
        (lambda head: commit(head, head, entries=(entry(set="mine"),)), "store alone"),
        (lambda head: commit(head, head, entries=(entry(skew=1),)), "store alone"),
        (lambda head: commit(head, head, entries=tuple(entry() for _ in range(98))), "101 actions"),
    ],
)
def test_what_is_no_commit(store: Any, wrong: Any, says: str) -> None:
    head = written(store, contract())

    with pytest.raises(InvalidCommit, match=says):
        store.commit(wrong(head))

    assert number_of_entries(store) == 1


def test_a_full_transaction_is_carried_out(store: Any) -> None:
    head = written(store, contract(), entries=tuple(entry() for _ in range(97)))

    assert (head.version, len(store.story(head.stream))) == (97, 97)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"x": 0.5}, "x is a float"),
        ({"x": float("nan")}, "x is a float"),
        ({"a": [1, {"b": 1.0}]}, r"a\.1\.b is a float"),
        ({"x": "x" * 60_001}, "60000 allowed"),
        ({"x": object()}, "x is a object"),
        ({"x": {1: "a"}}, "not named by text"),
        ({"x": "\ud800"}, "UTF-8"),
    ],
)
def test_f14_bad_entries_are_refused_before_anything_is_sent(store: Any, body: dict[str, Any], says: str) -> None:
    """F14."""
    with pytest.raises(InvalidCommit, match=says):
        store.commit(commit(contract(), entries=(entry(**body),)))

    assert number_of_entries(store) == 0
    assert stored(store, contract()) is None


def test_f14_a_depth_bomb_is_refused(store: Any) -> None:
    """F14: as deep as it may be, one deeper, and far deeper than the interpreter's own limit."""

    def nested(depth: int) -> Any:
        value: Any = "x"
        for _ in range(depth):
            value = [value]
        return value

    written(store, mission(), entries=(entry(x=nested(19)),))
    for depth in (20, 100_000):
        with pytest.raises(InvalidCommit, match="deeper than 20"):
            store.commit(commit(contract(), entries=(entry(x=nested(depth)),)))


def test_a_large_entry_is_written_and_said(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    written(store, contract(), entries=(entry(x="x" * 9_000),))
    assert "belongs in the vault" in caplog.text


def test_an_item_that_has_no_text_is_refused(store: Any) -> None:
    with pytest.raises(InvalidCommit, match="cannot be stored"):
        store.commit(commit(contract(), items=(lease(owner="\ud800"),)))


def test_what_could_not_be_read_again_is_not_written(store: Any) -> None:
    """A changed copy of a frozen document is not checked when it is made: the store checks before it writes."""
    head = written(store, contract())

    with pytest.raises(InvalidCommit, match=r"ContractHead .* reason: .*at most 240"):
        store.commit(commit(head.model_copy(update={"reason": "x" * 241}), head))
    with pytest.raises(InvalidCommit, match=r"(?s)Lease .*fence"):
        store.commit(commit(head, head, items=(lease().model_copy(update={"fence": "one"}),)))

    assert stored(store, head) == head
