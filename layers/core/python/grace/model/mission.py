"""Everything that follows from one group of signals."""

from datetime import datetime, timedelta
from enum import StrEnum

from grace.model.base import Head, Instant, Item, Model
from grace.model.diagnosis import DiagnosisCode
from grace.model.signal import Severity

ATTENTION = timedelta(days=7)
"""So long a mission waits for a person; then it is closed as one that nobody attended to, and people are told."""


class MissionStatus(StrEnum):
    """`needs_attention`: a person has to look; Grace will not act on it."""

    OPEN = "open"
    NEEDS_ATTENTION = "needs_attention"
    CLOSED = "closed"


class Mission(Head):
    """The head of a mission. `attach_until`: later signals of the group join it up to then, and open a new one after.

    `alarm` is the ARN of the alarm that opened it, empty for an event; `cause` is the contract whose relapse it is.
    `deadline` is when the sweep looks at it: to draft it again, or to close what nobody attended to.
    `requested_by` is who wants its present attempt: the person who ordered it, or Grace itself.
    """

    mission_id: str
    group: str
    status: MissionStatus
    opened_at: Instant
    attach_until: Instant
    updated_at: Instant
    deadline: Instant
    severity: Severity
    diagnosis: DiagnosisCode
    alarm: str
    signals: int = 1
    attempt: int = 1
    contract_id: str | None = None
    cause: str | None = None
    requested_by: str = "grace"
    reason: str = ""

    @property
    def open_until(self) -> datetime | None:
        """Its deadline, while it is open."""
        return None if self.status is MissionStatus.CLOSED else self.deadline

    @property
    def ids(self) -> tuple[str, ...]:
        """One head per mission."""
        return (self.mission_id,)

    @property
    def subject(self) -> tuple[str, str]:
        """The contract, as far as there is one."""
        return self.contract_id or "", ""

    @property
    def stream(self) -> str:
        """Its own id."""
        return self.mission_id


class StateChange(Model):
    """When an alarm changed its state; `alarm` is the first 12 characters of its ARN's SHA-256."""

    alarm: str
    at: Instant


class OpenGroup(Item):
    """Which mission a group's signals join; replaced when the next mission of the group opens.

    `seen` holds the first 12 characters of the fingerprints of its latest signals, so a repeated alert costs one
    read and changes nothing.
    """

    group: str
    mission_id: str
    attach_until: Instant
    seen: tuple[str, ...] = ()
    changes: tuple[StateChange, ...] = ()
    """The latest changes of its alarms, newest last, as far as the flapping rule looks back."""

    @property
    def ids(self) -> tuple[str, ...]:
        """One per group."""
        return (self.group,)


class DraftRequest(Model):
    """What triage and reap send to the `contract` door."""

    mission_id: str
    attempt: int = 1
