"""What a person orders of a playbook at run time: lower its mode, or close its breaker. Raising is for configuration."""

from __future__ import annotations

from typing import Literal, NamedTuple

from grace.errors import Refused
from grace.flow.standing import effective, in_force, lowest
from grace.model.base import Json
from grace.model.contract import Mode
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.records import Demotion, Standing, Subsystem
from grace.ports import Services

STREAM = "operate"
"""The part of Grace whose stream holds the orders that concern a playbook and no contract."""
_EVENTS = {"demote": "demoted", "close_breaker": "breaker_closed"}


class _Order(NamedTuple):
    """What is written of an order, by whom, and what people are told of it."""

    what: str
    body: dict[str, Json]
    person: str
    says: str


def demote(playbook: str, to: Literal[Mode.SHADOW, Mode.APPROVAL], reason: str, person: str, services: Services) -> str:
    """Let the playbook do at most `to`, from now on, until a deployed configuration names this demotion as lifted.

    Raises:
        Refused: there is no such playbook, it may not do more than that already, or nobody could be asked.
    """
    standing = _standing(playbook, services)
    catalogue = services.catalogue
    now = in_force(standing, catalogue)
    ceiling = lowest((catalogue.mode(playbook), *([now.to] if now else [])))
    if lowest((ceiling, to)) is ceiling:
        raise Refused("no_demotion", f"{playbook} is in {ceiling.value} already: an order can only lower a mode")
    tier = next(each.spec.tier for each in catalogue.playbooks if each.spec.name == playbook)
    group = catalogue.group_for(playbook, tier)
    if to is Mode.APPROVAL and not catalogue.directory.members(group):
        raise Refused("nobody_to_ask", f"the group {group!r} is empty: demote {playbook} to shadow")
    at = services.clock.now()
    key = "d-" + command_id("demote", playbook, str(standing.version))[2:14]
    demotion = Demotion(id=key, to=to, by=person, reason=reason, at=at)
    body: dict[str, Json] = {"playbook": playbook, "to": to.value, "was": ceiling.value, "demotion": key}
    told = (
        f"{playbook} is in {to.value}, from {ceiling.value}, as {key}. What waits or has not begun is held to it. "
        f"It ends when a deployed configuration says so: lifted: {playbook}: {key}"
    )
    after = standing.model_copy(update={"demotion": demotion})
    _commit(_Order("demote", body | {"reason": reason}, person, f"{reason}\n{told}"), after, services)
    return told


def close_breaker(playbook: str, reason: str, person: str, services: Services) -> str:
    """Close the playbook's breaker; the count begins again. Its mode is then what configuration and demotion say.

    Raises:
        Refused: there is no such playbook, or its breaker is not open.
    """
    standing = _standing(playbook, services)
    if standing.opened_at is None:
        raise Refused("breaker_closed", f"the breaker of {playbook} is not open")
    after = standing.model_copy(update={"opened_at": None, "undone": ()})
    mode = effective(playbook, after, services.catalogue).mode
    told = f"The breaker of {playbook} is closed; the playbook is in {mode.value}."
    body: dict[str, Json] = {
        "playbook": playbook,
        "because_of": [end.contract_id for end in standing.undone],
        "reason": reason,
    }
    _commit(_Order("close_breaker", body, person, f"{reason}\n{told}"), after, services)
    return told


def _standing(playbook: str, services: Services) -> Standing:
    if playbook not in {each.spec.name for each in services.catalogue.playbooks}:
        raise Refused("no_playbook", f"there is no playbook {playbook!r}: grace autonomy lists them")
    where = ref(Standing, playbook)
    return services.store.read(where).get(where) or Standing(playbook=playbook)


def _commit(order: _Order, after: Standing, services: Services) -> None:
    """Tell people, and write the order with its entry. Somebody else's change in between is a `Conflict`."""
    at, head_ref = services.clock.now(), ref(Subsystem, STREAM)
    # The event that the log's entry is about, for whoever listens: at least once, like what people are told.
    services.messages.publish(f"playbook.{_EVENTS[order.what]}", {**order.body, "by": order.person})
    title = f"{order.what.replace('_', ' ')}: {after.playbook}"
    services.messages.notify("high", title[:100], f"{order.person}: {order.says}")
    was = services.store.read(head_ref, stream=f"sys:{STREAM}").get(head_ref)
    head = was or Subsystem(name=STREAM, at=at)
    services.store.commit(
        Commit(
            command=command_id(order.what, after.playbook, str(after.version)),
            head=head.model_copy(update={"count": head.count + 1, "at": at}),
            was=was,
            entries=(EntryDraft(type=f"operator.{order.what}", body=order.body),),
            at=services.clock.now(),
            actor=f"person:{order.person}",
            subsystem="operate",
            items=(after,),
        )
    )
