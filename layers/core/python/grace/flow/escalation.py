"""When nobody answers: who is asked next, and when. What is asked stays the same; who is asked grows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from grace.model.approval import Approval, ApprovalStatus, Person, Urgency

if TYPE_CHECKING:
    from grace.model.catalogue import Catalogue

STEPS = ((0.8, 2, Urgency.LATE), (0.5, 1, Urgency.HALF))
"""The share of the time that has passed, how many names of the escalation are asked from then on, and the word for it."""


def due(approval: Approval, at: datetime) -> Urgency | None:
    """Return why an approval's people should be asked again at a time, or None."""
    if approval.status is not ApprovalStatus.PENDING or at >= approval.expires_at:
        return None
    passed = (at - approval.asked_at) / (approval.expires_at - approval.asked_at)
    return next((word for share, step, word in STEPS if passed >= share and approval.escalated < step), None)


def step_of(urgency: Urgency, approval: Approval) -> int:
    """Return how many names of the escalation are asked from now on; it never falls."""
    wanted = {Urgency.LATE: 2, Urgency.HALF: 1, Urgency.UNREACHED: 1, Urgency.KEY: 0}[urgency]
    return max(wanted, approval.escalated)


def called(approval: Approval, step: int, at: datetime, catalogue: Catalogue) -> tuple[Person, ...]:
    """Return the people of the escalation's first `step` names who are not asked yet and may decide."""
    known = {*approval.approvers, *approval.excluded}
    found: dict[str, Person] = {}
    for name in catalogue.escalation[:step]:
        found |= {person.id: person for person in catalogue.directory.called(name, at) if person.id not in known}
    return tuple(found.values())
