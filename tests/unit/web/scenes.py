"""The scene of the page's tests: an incident whose approvers have mail, and what must not have changed."""

from __future__ import annotations

from typing import Any

from grace.model.approval import Directory, LinkTries, Vote
from tests.support.links import SITE, approval_of
from tests.support.world import PEOPLE, World
from tests.unit.flow.scenes import every, incident, shop

SUBJECTS = {"ada": "sub-ada", "bob": "sub-bob", "eve": "sub-eve"}


def mailed(tier: int = 2, **catalogue: Any) -> tuple[World, str]:
    """A world that sends mail, with an incident that waits for people; its contract's id."""
    world = shop(tier, **catalogue)
    people = tuple(person.model_copy(update={"subject": SUBJECTS[person.id]}) for person in PEOPLE.people)
    world.catalogue = world.catalogue.model_copy(update={"directory": Directory(people=people)})
    world.mail.base_url = SITE
    contract = incident(world)
    return world, contract


def state(world: World, contract: str) -> tuple[Any, ...]:
    """Everything that a decision would change."""
    return (
        world.head(contract),
        approval_of(world, contract),
        tuple(every(world, Vote)),
        tuple(every(world, LinkTries)),
        len(world.store.story(contract)),
        tuple(world.messages.published),
    )
