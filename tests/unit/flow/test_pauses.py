"""I37: whoever loses a race pauses with jitter before the next try, longer each time, and gives up after five."""

from __future__ import annotations

import time
from typing import Any

import pytest

from grace.errors import Conflict
from grace.flow.loading import FIRST_PAUSE, TRIES, contended
from grace.gateways.clock import SystemClock
from grace.model.approval import Vote
from tests.support.world import World
from tests.unit.flow.scenes import every, incident, shop, vote


def losing(world: World, times: int) -> list[int]:
    """Somebody else writes first, so many times; the list has one item for each try."""
    commit, tries = world.store.commit, list[int]()

    def races(change: Any) -> Any:
        tries.append(1)
        if len(tries) <= times:
            raise Conflict("somebody else wrote first")
        return commit(change)

    world.store.commit = races
    return tries


def test_i37_a_vote_that_loses_the_race_pauses_longer_each_time() -> None:
    world = shop(2)
    contract = incident(world)
    tries = losing(world, 4)
    assert vote(world, contract, "ada").outcome == "recorded"
    assert len(tries) == 5
    assert world.clock.pauses == [FIRST_PAUSE * 2**done for done in range(4)]


def test_i37_after_five_tries_it_is_given_up_without_another_pause() -> None:
    world = shop(2)
    contract = incident(world)
    tries = losing(world, 100)
    with pytest.raises(Conflict):
        vote(world, contract, "ada")
    assert (len(tries), len(world.clock.pauses)) == (TRIES, TRIES - 1) == (5, 4)
    assert not every(world, Vote)


def test_what_goes_well_pauses_for_nobody() -> None:
    world = shop(2)
    assert contended(lambda: 7, world) == 7
    assert world.clock.pauses == []
    assert sum(FIRST_PAUSE * 2**done for done in range(TRIES - 1)) < 1, "a person waits for the answer"


def test_the_clocks_pause_has_full_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for _ in range(200):
        SystemClock().pause(0.4)
    assert all(0 <= each <= 0.4 for each in slept)
    assert max(slept) - min(slept) > 0.2, "not always the same"
