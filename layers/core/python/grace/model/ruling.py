"""What policy said of a contract, and what it saw."""

from operator import not_

from pydantic import Field

from grace.model.base import Model

PolicyId = str
"""What a policy's `@id` says, for example `constitution.opt_in`."""


def _unknown(value: object) -> bool:
    return value is None


class Seen(Model):
    """What was so when policy was asked, beside what the contract says.

    `confidence` is the lower bound of the playbook's verified share on this diagnosis in thousandths, over `acted` acts;
    `failures` are its undone acts of the last 24 hours; `removes` is the share, in percent, of what serves that the
    action takes away. `reach` is how many targets are touched and `dependents` how much depends on them, as found at the
    draft; None where it is not known, or where no policy names either, for then nobody looks. `weekday` is 1 (Monday) to 7; hour and minute are of the calendar's zone. What is as it mostly is, is not
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
    reach: int | None = Field(default=None, exclude_if=_unknown)
    dependents: int | None = Field(default=None, exclude_if=_unknown)


class Ruling(Model):
    """What policy said of a contract: which policies permitted it, which raised its tier or lowered its mode.

    `barred` are people who may not decide it, `barred_by` the policies that say so; `tags` are those of the resource that policies name, but for the opt-in, without
    which nothing is permitted.
    """

    digest: str
    by: tuple[PolicyId, ...]
    raised_by: tuple[PolicyId, ...] = Field(default=(), exclude_if=not_)
    barred: tuple[str, ...] = Field(default=(), exclude_if=not_)
    barred_by: tuple[PolicyId, ...] = Field(default=(), exclude_if=not_)
    seen: Seen
    tags: dict[str, str] = Field(default_factory=dict, exclude_if=not_)
