"""What a deployment lays down as policy, what policy is asked, and what it answers."""

from datetime import time
from typing import Literal, Self

from pydantic import Field, model_validator

from grace.model.base import Instant, Model
from grace.model.ruling import PolicyId


class PolicyFile(Model):
    """One file of policies: its name as people know it, and its text."""

    name: str
    text: str


class Freeze(Model):
    """A stretch of time in which nothing is changed."""

    start: Instant
    end: Instant
    reason: str = Field(min_length=3, max_length=120)

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.end <= self.start:
            raise ValueError(
                f"a freeze ends after it began: {self.end.isoformat()} is not after {self.start.isoformat()}"
            )
        return self


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ChangeWindow(Model):
    """Hours of some days, in the calendar's zone, in which Grace may act without asking; `end` is not included."""

    days: tuple[Day, ...] = Field(min_length=1)
    start: time
    end: time

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a change window ends after it began, on the same day: write two for one over midnight")
        return self


class Calendar(Model):
    """When changes are welcome. Without a window every hour is; `timezone` is a name of the IANA database."""

    timezone: str = "UTC"
    freezes: tuple[Freeze, ...] = ()
    windows: tuple[ChangeWindow, ...] = ()


class PolicySource(Model):
    """The policies of a deployment beside the constitution, the schema they were checked against, and the digest of all.

    The constitution is not in here: it belongs to the code, and the digest covers it.
    """

    files: tuple[PolicyFile, ...] = ()
    own_schema: str = ""
    digest: str = ""


class Question(Model):
    """One question in Cedar's terms: entity ids as `Type::"id"` parts, attributes and context as plain values."""

    principal: tuple[Literal["Playbook", "Person"], str]
    groups: tuple[str, ...] = ()
    action: str
    resource: str
    attributes: dict[str, str | bool]
    tags: dict[str, str]
    context: dict[str, str | int | bool]


class PolicyAnswer(Model):
    """Whether it is allowed, and the policies that decided: those that permit, or those that forbid.

    Denied by none, nothing permits it. `reasons` of a denial are the policies' own words, in the same order.
    """

    allowed: bool
    policies: tuple[PolicyId, ...] = ()
    reasons: tuple[str, ...] = ()
