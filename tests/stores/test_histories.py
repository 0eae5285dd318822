"""Random histories and many writers at once: no update is lost, every lane is one chain, the log gives the state (I10)."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from grace.errors import Conflict, TransientError
from grace.model.contract import TERMINAL, TRANSITIONS, ContractHead
from grace.model.entry import Ref, ref
from grace.model.mission import Mission
from grace.model.records import Breaker, Lease
from grace.stores.calling import client
from grace.stores.dynamo import DynamoStore
from grace.stores.memory import MemoryStore
from tests.stores.builders import (
    ALIAS,
    AT,
    assert_sound,
    change,
    commit,
    contract,
    entry,
    log_of,
    mission,
    number_of_entries,
    written,
)
from tests.stores.conftest import LANES, LOG, STATE, Waits, make_tables

FAMILIES = ("1", "2", "3")
STEP = st.fixed_dictionaries(
    {
        "of": st.sampled_from(FAMILIES),
        "what": st.sampled_from(["mission", "contract", "both", "repeat", "stale"]),
        "choice": st.integers(0, 20),
        "entries": st.integers(1, 3),
        "text": st.text(alphabet=st.characters(codec="utf-8"), max_size=12),
        "seconds": st.integers(-100, 100),
    }
)


class History:
    """One writer that does as it is told, and keeps what it read for a stale attempt later."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.done: list[Any] = []
        self.changes = 0

    def step(self, n: int, *, of: str, what: str, choice: int, entries: int, text: str, seconds: int) -> None:
        if what == "repeat":
            if self.done:
                assert self.store.commit(self.done[choice % len(self.done)]).replayed
            return
        if what == "stale":
            if self.done:
                self._stale(n, self.done[choice % len(self.done)])
            return
        mission_ref: Ref[Mission] = ref(Mission, mission(of).mission_id)
        contract_ref: Ref[ContractHead] = ref(ContractHead, contract(of).contract_id)
        view = self.store.read(mission_ref, contract_ref, stream=mission(of).family)
        opened, drafted = view.get(mission_ref), view.get(contract_ref)
        new_mission = (opened or mission(of)).model_copy(update={"signals": choice, "reason": text})
        new_contract = self._moved(drafted, contract(of), choice, text)
        drafts = tuple(entry("thing.happened", n=n, text=text) for _ in range(entries))
        at = AT + timedelta(seconds=seconds)
        if what == "mission":
            made = commit(new_mission, opened, command=str(n), entries=drafts, at=at)
        else:
            also = (change(new_mission, opened),) if what == "both" else ()
            made = commit(new_contract, drafted, command=str(n), entries=drafts, also=also, at=at)
        assert not self.store.commit(made).replayed
        self.done.append(made)
        self.changes += entries + (what == "both")

    def _moved(self, was: ContractHead | None, new: ContractHead, choice: int, text: str) -> ContractHead:
        if was is None:
            return new
        if was.status in TERMINAL:
            return was.model_copy(update={"closed": was.closed or choice > 9})
        moves = [was.status, *sorted(TRANSITIONS[was.status])]
        return was.model_copy(update={"status": moves[choice % len(moves)], "reason": text, "fence": was.fence + 1})

    def _stale(self, n: int, old: Any) -> None:
        with pytest.raises(Conflict):
            self.store.commit(commit(old.head, old.was, command=f"stale-{n}"))

    def check(self) -> None:
        streams = {commit.head.stream: commit.head for commit in self.done}
        streams |= {other.head.stream: other.head for commit in self.done for other in commit.also}
        assert_sound(self.store, *streams.values())
        assert number_of_entries(self.store) == self.changes


@given(st.lists(STEP, max_size=25))
@settings(max_examples=150, deadline=None)
def test_the_log_gives_the_state_in_memory(steps: list[dict[str, Any]]) -> None:
    history = History(MemoryStore(2))
    for n, step in enumerate(steps):
        history.step(n, **step)
    history.check()


@given(st.lists(STEP, max_size=12))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_log_gives_the_state_in_dynamo(session: boto3.Session, steps: list[dict[str, Any]]) -> None:
    with mock_aws():
        dynamodb = client(session, "dynamodb")
        make_tables(dynamodb)
        history = History(DynamoStore(dynamodb, STATE, LOG, 2, Waits()))
        for n, step in enumerate(steps):
            history.step(n, **step)
        history.check()


class OneAtATime:
    """A client whose calls do not overlap (moto's tables are plain dictionaries), while their callers do."""

    def __init__(self, real: Any) -> None:
        self._real, self._lock = real, Lock()

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._real, name)

        def call(**arguments: Any) -> Any:
            with self._lock:
                return function(**arguments)

        call.__name__ = name
        return call


def writers(body: str, request: pytest.FixtureRequest, count: int) -> list[Any]:
    """Return as many writers, all on the same tables."""
    if body == "memory":
        return [MemoryStore(LANES)] * count
    dynamodb = OneAtATime(request.getfixturevalue("dynamodb"))
    return [DynamoStore(dynamodb, STATE, LOG, LANES, Waits()) for _ in range(count)]


@pytest.mark.parametrize("body", ["memory", "dynamo"])
def test_many_writers_lose_nothing(body: str, request: pytest.FixtureRequest) -> None:
    """Each adds one, again and again, to one shared counter and to its own mission; every addition is there at the end."""
    count, rounds = (8, 60) if body == "memory" else (4, 6)
    stores = writers(body, request, count)
    written(stores[0], mission("shared"), items=(Breaker(service="s"),))
    limit: Ref[Breaker] = ref(Breaker, "s")

    def work(me: int) -> None:
        store, own = stores[me], None
        for n in range(rounds):
            while True:
                used = store.read(limit, stream=mission(str(me)).family).need(limit)
                fresh = (own or mission(str(me))).model_copy(update={"signals": n + 1})
                made = commit(
                    fresh, own, command=f"{me}-{n}", items=(used.model_copy(update={"failures": used.failures + 1}),)
                )
                try:
                    done = store.commit(made)
                except TransientError:
                    continue
                own = done.head
                break

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))

    assert stores[0].read(limit).need(limit).failures == count * rounds
    assert number_of_entries(stores[0]) == count * rounds + 1
    assert_sound(stores[0], *(mission(str(me)) for me in range(count)))


@pytest.mark.parametrize("body", ["memory", "dynamo"])
def test_one_command_from_many_hands_is_one_change(body: str, request: pytest.FixtureRequest) -> None:
    """I33: the same commit, at once, from each: one carries it out, the others hear that it has been."""
    stores = writers(body, request, 6)
    made = commit(contract(), command="once", items=(Lease(resource=ALIAS, fence=1, until=AT),))

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda store: store.commit(made), stores))

    assert sorted(d.replayed for d in done) == [False, True, True, True, True, True]
    assert number_of_entries(stores[0]) == 1
    assert_sound(stores[0], contract())


@pytest.mark.parametrize("body", ["memory", "dynamo"])
def test_one_of_many_takes_the_lease(body: str, request: pytest.FixtureRequest) -> None:
    """I26: each for its own contract, all having seen it free: one has it, whatever lanes they are in."""
    stores = writers(body, request, 6)
    free = Lease(resource=ALIAS, until=AT)

    def take(me: int) -> str:
        head = contract(str(me))
        try:
            stores[me].commit(
                commit(head, command=str(me), items=(free.model_copy(update={"owner": head.contract_id, "fence": 1}),))
            )
        except Conflict:
            return ""
        return head.contract_id

    with ThreadPoolExecutor(6) as pool:
        owners = [owner for owner in pool.map(take, range(6)) if owner]

    where: Ref[Lease] = ref(Lease, ALIAS)
    assert owners == [stores[0].read(where).need(where).owner]
    assert number_of_entries(stores[0]) == 1


@pytest.mark.parametrize("seed", range(4))
def test_writers_in_any_order_with_calls_and_answers_lost(dynamodb: Any, seed: int) -> None:
    """Interleaved writers whose calls fail before and after taking effect: each command is one entry in the end."""
    chance = random.Random(seed)
    quiet = [False]

    def lose(**_: Any) -> None:
        if not quiet[0] and chance.random() < 0.3:
            raise ReadTimeoutError(endpoint_url="dynamodb")

    for when in ("before-call", "after-call"):
        dynamodb.meta.events.register(f"{when}.dynamodb", lose)
    stores = [DynamoStore(dynamodb, STATE, LOG, 1, Waits()) for _ in range(3)]
    jobs = [(writer, n) for writer in range(3) for n in range(6)]
    chance.shuffle(jobs)
    for writer, n in jobs:
        while True:
            try:
                where: Ref[ContractHead] = ref(ContractHead, contract().stream)
                was = stores[writer].read(where, stream=contract().family).get(where)
                head = (was or contract()).model_copy(update={"rollbacks": (was.rollbacks if was else 0) + 1})
                stores[writer].commit(commit(head, was, command=f"{writer}-{n}"))
            except TransientError:
                continue
            break
    quiet[0] = True

    assert number_of_entries(stores[0]) == len(jobs)
    assert stores[0].read(where).need(where).rollbacks == len(jobs)
    assert_sound(stores[0], contract())
    assert len(log_of(stores[0])) == 1
