"""Each mechanism of the transaction taken away in turn: the scenario that needs it must then fail.

The same scenarios pass on the store as it is, so each shows both that the mechanism works and that it is the one that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import Conflict, GraceError, StaleFence
from grace.ledger.replay import LATEST
from grace.model.base import Item
from grace.model.contract import ContractHead
from grace.model.entry import Ref, ref
from grace.model.records import Lease, Subsystem
from grace.stores.dynamo import DynamoStore
from grace.stores.plan import Transaction
from grace.stores.rows import row_of
from tests.stores.builders import ALIAS, AT, assert_sound, commit, contract, lease, mission, number_of_entries, written
from tests.stores.conftest import LANES, LOG, STATE, Waits

Actions = list[dict[str, Any]]


class Mutant(DynamoStore):
    """The store with one mechanism missing from its transactions."""

    def __init__(self, client: Any, mutate: Callable[[Actions, Transaction], Actions]) -> None:
        super().__init__(client, STATE, LOG, LANES, Waits())
        self._mutate = mutate

    def _actions(self, transaction: Transaction) -> Actions:
        return self._mutate(super()._actions(transaction), transaction)


def unconditional(action: dict[str, Any]) -> dict[str, Any]:
    (kind, row), *_ = action.items()
    dropped = {"ConditionExpression", "ExpressionAttributeValues", "ReturnValuesOnConditionCheckFailure"}
    return {kind: {name: value for name, value in row.items() if name not in dropped}}


def rows_of(transaction: Transaction) -> slice:
    return slice(1, 1 + len(transaction.rows))


def nothing_missing(actions: Actions, _: Transaction) -> Actions:
    return actions


def no_command_mark(actions: Actions, _: Transaction) -> Actions:
    return [*actions[:-1], unconditional(actions[-1])]


def no_marks(actions: Actions, transaction: Transaction) -> Actions:
    bare = row_of(transaction.head.model_copy(update={"marks": ""}))
    actions[1]["Put"]["Item"]["doc"] = {"S": bare.doc}
    return actions


def no_head_told(actions: Actions, _: Transaction) -> Actions:
    del actions[1]["Put"]["ReturnValuesOnConditionCheckFailure"]
    return actions


def no_versions(actions: Actions, transaction: Transaction) -> Actions:
    there = rows_of(transaction)
    return [actions[0], *map(unconditional, actions[there]), *actions[there.stop :]]


def no_lane_condition(actions: Actions, transaction: Transaction) -> Actions:
    entries = len(actions) - len(transaction.entries)
    return [unconditional(actions[0]), *actions[1:entries], *map(unconditional, actions[entries:])]


def no_checks(actions: Actions, _: Transaction) -> Actions:
    return [action for action in actions if "ConditionCheck" not in action]


def no_fence(actions: Actions, _: Transaction) -> Actions:
    for action in actions:
        put = action.get("Put", {})
        if "fence <=" in put.get("ConditionExpression", ""):
            put["ConditionExpression"] = put["ConditionExpression"].split(" AND ")[0]
            del put["ExpressionAttributeValues"][":fence"]
    return actions


def no_entry(actions: Actions, transaction: Transaction) -> Actions:
    return actions[: len(actions) - len(transaction.entries)]


def no_state(actions: Actions, transaction: Transaction) -> Actions:
    there = rows_of(transaction)
    return [*actions[: there.start], *actions[there.stop :]]


def head_of(store: DynamoStore) -> ContractHead:
    where: Ref[ContractHead] = ref(ContractHead, contract().stream)
    return store.read(where).need(where)


def said_once(store: DynamoStore) -> None:
    """I2, F02, F04: who did not hear the answer reads again and repeats the command on what it finds."""
    written(store, contract(), command="draft")
    head = head_of(store)
    store.commit(commit(head, head, command="draft"))
    assert number_of_entries(store) == 1


def known_again(store: DynamoStore) -> None:
    """F02: who repeats without reading hears that it was done, though another command has followed."""
    head = written(store, contract(), command="draft")
    written(store, head, head)
    again = None
    with expected(Conflict):
        again = store.commit(commit(contract(), command="draft"))
    assert again is not None
    assert (again.replayed, again.version) == (True, 1)


def said_once_for_ever(store: DynamoStore) -> None:
    """F04: a stream without an end, whose head has forgotten its first entries."""
    part = written(store, Subsystem(name="triage", at=AT), command="first")
    for _ in range(LATEST + 1):
        part = written(store, part, part)
    store.commit(commit(part, part, command="first"))
    assert number_of_entries(store) == LATEST + 2


def no_lost_update(store: DynamoStore) -> None:
    first = written(store, contract(), items=(lease(1),))
    written(store, first.model_copy(update={"reason": "theirs"}), first)
    with expected(Conflict):
        store.commit(commit(first.model_copy(update={"reason": "ours"}), first, command="late"))
    assert head_of(store).reason == "theirs"


def one_chain(store: DynamoStore) -> None:
    """I3: two writers of one lane, the second with an old picture of it."""
    late = Mutant(store._client, store._mutate) if isinstance(store, Mutant) else store
    head = written(store, contract())
    late.read(ref(ContractHead, head.stream), stream=head.family)
    opened = written(store, mission())
    late.commit(commit(head, head, command="late"))
    assert number_of_entries(store) == 3
    assert_sound(store, head, opened)


def seen_is_checked(store: DynamoStore) -> None:
    written(store, mission(), items=(lease(),))
    with expected(Conflict):
        store.commit(commit(contract(), unchanged=(lease(version=7),)))
    with expected(Conflict):
        store.commit(commit(contract(), absent=(ref(Lease, ALIAS),)))
    assert number_of_entries(store) == 1


def fences_hold(store: DynamoStore) -> None:
    """I32."""
    head = written(store, contract(), items=(lease(5),))
    with expected(StaleFence):
        store.commit(commit(head, head, items=(lease(4, version=1),)))
    where: Ref[Item] = ref(Lease, ALIAS)
    held = store.read(where).need(where)
    assert isinstance(held, Lease)
    assert held.fence == 5


def no_change_unsaid(store: DynamoStore) -> None:
    """I1: the state is what the log says, and the other way round."""
    head = written(store, contract())
    written(store, head.model_copy(update={"reason": "why"}), head)
    try:
        assert_sound(store, head)
    except GraceError as exc:
        raise AssertionError(str(exc)) from exc


class expected:  # noqa: N801 - reads as a word of the sentence
    """The error may come; whether it had to is what the assertion after it says."""

    def __init__(self, error: type[GraceError]) -> None:
        self._error = error

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._error)


MECHANISMS = [
    (said_once, no_marks),
    (known_again, no_marks),
    (known_again, no_head_told),
    (said_once_for_ever, no_command_mark),
    (no_lost_update, no_versions),
    (one_chain, no_lane_condition),
    (seen_is_checked, no_checks),
    (fences_hold, no_fence),
    (no_change_unsaid, no_entry),
    (no_change_unsaid, no_state),
]


@pytest.mark.parametrize(("scenario", "missing"), MECHANISMS)
def test_the_scenario_passes_with_everything_in_place(dynamodb: Any, scenario: Any, missing: Any) -> None:
    scenario(Mutant(dynamodb, nothing_missing))


@pytest.mark.parametrize(("scenario", "missing"), MECHANISMS)
def test_the_scenario_fails_without_the_mechanism(dynamodb: Any, scenario: Any, missing: Any) -> None:
    with pytest.raises(AssertionError):
        scenario(Mutant(dynamodb, missing))
