"""What policy is asked, what it was told, and what it said."""

from __future__ import annotations

from datetime import time
from operator import not_
from typing import Literal, Self

from pydantic import Field, model_validator

from grace.model.base import Instant, Model

PolicyId = str
"""What a policy's `@id` says, for example `constitution.opt_in`."""


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


class Seen(Model):
    """What was so when policy was asked, beside what the contract says.

    `confidence` is the lower bound of the playbook's verified share on this diagnosis in thousandths, over `acted` acts;
    `failures` are its undone acts of the last 24 hours; `removes` is the share, in percent, of what serves that the
    action takes away. `weekday` is 1 (Monday) to 7; hour and minute are of the calendar's zone. What is as it mostly is, is not
    written, nor the time, which the contract has: it is small.
    """

    confidence: int = Field(default=0, exclude_if=not_)
    acted: int = Field(default=0, exclude_if=not_)
    weekday: int = Field(default=0, exclude=True)
    hour: int = Field(default=0, exclude=True)
    minute: int = Field(default=0, exclude=True)
    in_window: bool = Field(default=True, exclude_if=bool)
    failures: int = Field(default=0, exclude_if=not_)
    breaker_open: bool = Field(default=False, exclude_if=not_)
    in_flight: int = Field(default=0, exclude_if=not_)
    hold: bool = Field(default=False, exclude_if=not_)
    kill_switch: bool = Field(default=False, exclude_if=not_)
    frozen: str = Field(default="", exclude_if=not_)
    removes: int = Field(default=0, exclude_if=not_)
    erases: bool = Field(default=False, exclude_if=not_)


class Ruling(Model):
    """What policy said of a contract: which policies permitted it, which raised its tier or lowered its mode.

    `barred` are people who may not decide it; `tags` are those of the resource that policies name, but for the opt-in, without
    which nothing is permitted.
    """

    digest: str
    by: tuple[PolicyId, ...]
    raised_by: tuple[PolicyId, ...] = Field(default=(), exclude_if=not_)
    barred: tuple[str, ...] = Field(default=(), exclude_if=not_)
    seen: Seen
    tags: dict[str, str] = Field(default_factory=dict, exclude_if=not_)


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

    Denied by none, nothing permits it. `reasons` are the policies' own words, in the same order.
    """

    allowed: bool
    policies: tuple[PolicyId, ...] = ()
    reasons: tuple[str, ...] = ()
