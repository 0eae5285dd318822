"""F40: a key that makes no links for a while costs nobody their link, and nobody is taken for unreachable."""

from __future__ import annotations

import pytest

from grace.errors import Unavailable
from grace.flow.remind import undelivered
from grace.model.approval import Approval, Undelivered
from tests.unit.flow.scenes import incident, need, shop
from tests.unit.flow.test_mail import authentic, manned, to, wait


def test_f40_a_key_that_is_disabled_for_a_moment_leaves_the_links_that_were_sent() -> None:
    world = shop(2)
    contract = incident(world)
    key = world.macs.keys.pop("key-1")
    with pytest.raises(Unavailable):
        wait(world, 5)
    approval = need(world, Approval, contract, "1")
    assert (world.head(contract).generation, approval.key_id, approval.unreached) == (1, "key-1", ())
    assert len(world.mail.sent) == 2
    world.macs.keys["key-1"] = key
    assert all(authentic(world, letter) for letter in world.mail.sent)
    wait(world, 11)
    assert to(world)[2:] == ["ada", "bob"], "at half of the time they are asked as ever"


def test_f40_the_next_sweep_sends_links_as_soon_as_there_is_a_key() -> None:
    world = shop(2)
    contract = incident(world)
    world.macs.keys.clear()
    with pytest.raises(Unavailable):
        wait(world, 5)
    world.macs.keys["key-0"] = b"another"
    world.macs.rotate()
    wait(world, 5)
    assert to(world)[2:] == ["ada", "bob"]
    assert all(authentic(world, letter) for letter in world.mail.sent[2:])
    assert need(world, Approval, contract, "2").unreached == ()


def test_f40_without_a_key_at_first_they_have_their_links_at_half_of_the_time() -> None:
    world = shop(2)
    key = world.macs.keys.pop("key-1")
    incident(world)
    assert world.mail.sent == []
    world.macs.keys["key-1"] = key
    wait(world, 16)
    assert to(world) == ["ada", "bob"]


def test_f37_f40_a_bounce_while_no_link_can_be_made_is_taken_when_it_comes_again() -> None:
    world = manned()
    contract = incident(world)
    key, bounce = world.macs.keys.pop("key-1"), Undelivered(contract_id=contract, person="ada", what="bounce")
    with pytest.raises(Unavailable):
        undelivered(bounce, world)
    assert need(world, Approval, contract, "1").unreached == ()
    world.macs.keys["key-1"] = key
    assert undelivered(bounce, world)
    assert need(world, Approval, contract, "2").unreached == ("ada",)
