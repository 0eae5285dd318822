"""How long each part of a contract may take, and so when somebody must look at it again."""

from __future__ import annotations

from datetime import datetime, timedelta

from grace.model.contract import ContractHead

DRAFT_SECONDS = 120
"""A mission without a contract is drafted again after this long."""
ROLLBACK_SECONDS = 600
"""What the lease leaves for putting the resource back."""
PHASE_SECONDS = 600
"""A phase that only calls is overdue after this long."""
ACT_SECONDS = 300
"""What it usually takes at most from the draft, or from the approval, until the action's effect was seen."""


def verdict_due(at: datetime, settle: int) -> datetime:
    """Return when a contract that may run from `at` on is overdue: with no delay, late enough for its verdict.

    It is earlier than the end of the lease. Each move of a deadline costs two writes of the index, so the phases in
    between move it (see `later`) only when they are late.
    """
    return at + timedelta(seconds=ACT_SECONDS + 2 * settle + PHASE_SECONDS)


def later(head: ContractHead, at: datetime, seconds: int) -> datetime:
    """Return the head's deadline, put off when less than so many seconds are left."""
    return max(head.deadline, at + timedelta(seconds=seconds))
