"""I23: a link stands in its letter and nowhere else; one that is written elsewhere is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import Unavailable
from grace.flow.remind import undelivered
from grace.model.approval import Approval, Undelivered
from tests.support.world import World
from tests.unit.flow.scenes import every, incident
from tests.unit.flow.test_mail import manned, token, wait


def leaked(world: World) -> list[str]:
    """Links, or their ends, that stand anywhere but in their letters, after letters went out three times."""
    contract = incident(world)
    wait(world, 16)
    undelivered(Undelivered(contract_id=contract, person="ada", what="bounce"), world)
    secrets = [token(letter) for letter in world.mail.sent]
    assert len(secrets) >= 4
    told = repr(
        (
            world.store.story(contract),
            every(world, Approval),
            world.messages.notified,
            world.messages.published,
            world.telemetry.troubles,
            world.telemetry.named,
            world.mail.sent,
            world.workflow.executions,
        )
    )
    return [secret for secret in secrets if secret[-40:] in told]


def test_i23_a_link_stands_in_its_letter_and_nowhere_else() -> None:
    assert leaked(manned()) == []


def logs_the_letter(world: World, letter: Any) -> None:
    world.telemetry.trouble("sent", Unavailable(letter.text))


def tells_it_to_all(world: World, letter: Any) -> None:
    world.messages.notify("high", "a letter", token(letter))


def announces_it(world: World, letter: Any) -> None:
    world.messages.publish("approval.mailed", {"link": token(letter)})


@pytest.mark.parametrize("mutant", [logs_the_letter, tells_it_to_all, announces_it])
def test_i23_a_link_that_is_written_elsewhere_is_found(mutant: Callable[[World, Any], None]) -> None:
    world = manned()
    send = world.mail.send

    def sends(letter: Any) -> Any:
        done = send(letter)
        mutant(world, letter)
        return done

    world.mail.send = sends
    assert leaked(world)
