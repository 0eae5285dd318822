"""What no change may do, whoever asks: skip a status, reopen an end, write a head without its entry. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from grace.errors import IllegalTransition, InvalidCommit
from grace.model.base import Head, Json
from grace.model.contract import TERMINAL, TRANSITIONS, ContractHead, ContractStatus
from grace.model.entry import Change

FIRST = frozenset({ContractStatus.DRAFTED}) | (TRANSITIONS[ContractStatus.DRAFTED] & TERMINAL)
"""What a contract may begin as: drafted, or refused, shadowed ... in the very commit that drafts it."""
AFTER_THE_END = frozenset({"closed", "updated_at", "deadline", "rollbacks"})
"""All that may change once the status is terminal: `deadline` is when `reap` looks whether it was closed, `rollbacks`
counts the executions it starts to close what could not close itself."""


def check_past(change: Change) -> None:
    """Refuse a change whose head does not follow from the head it says it was.

    Raises:
        InvalidCommit: no entries; a head that exists without `was`, or a `was` that is not this head's.
    """
    head, was = change.head, change.was
    name = f"{type(head).__name__} {head.stream}"
    if not change.entries:
        raise InvalidCommit(f"{name} changes without an entry: no state changes unsaid")
    if was is None and head.version == 0:
        return
    if was is None:
        raise InvalidCommit(f"{name} is at version {head.version}: the commit must carry the head as it was read")
    if (type(was), was.ids, was.version) != (type(head), head.ids, head.version):
        raise InvalidCommit(f"{name} at version {head.version} does not follow from {was.stream} at {was.version}")


def check_transition(head: Head, was: Head | None, changed: Mapping[str, Json]) -> None:
    """Refuse a contract's change that the table of transitions does not hold. `changed` are the fields that differ.

    Raises:
        IllegalTransition: the status may not become that, or the contract has ended.
    """
    if not isinstance(head, ContractHead):
        return
    before = was.status if isinstance(was, ContractHead) else None
    name = f"contract {head.contract_id}"
    if before is None and head.status not in FIRST:
        raise IllegalTransition(f"{name} may not begin as {head.status}")
    if before is not None and head.status is not before and head.status not in TRANSITIONS[before]:
        raise IllegalTransition(f"{name} is {before} and may not become {head.status}")
    if before in TERMINAL and not changed.keys() <= AFTER_THE_END:
        late = ", ".join(sorted(changed.keys() - AFTER_THE_END))
        raise IllegalTransition(f"{name} is {before}, which is final: {late} may not change any more")
    if head.closed and head.status not in TERMINAL:
        raise IllegalTransition(f"{name} is {head.status} and may not be closed before it has ended")
    if isinstance(was, ContractHead) and was.closed and not head.closed:
        raise IllegalTransition(f"{name} is closed and may not be opened again")
