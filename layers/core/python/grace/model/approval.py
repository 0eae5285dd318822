"""Who may decide, who did, on exactly which digest."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from grace.model.base import Instant, Item, Model


class ApprovalStatus(StrEnum):
    """All but `pending` are final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class Approval(Item):
    """The record that decides. `need` distinct people of `approvers`, none of them excluded, on one digest, in time.

    `task_token` is the workflow's wake-up, encrypted; it authorises nothing, the record does. `key_id` is the key that
    MACed this generation's links, empty when no mail was sent.
    """

    contract_id: str
    generation: int = Field(ge=1)
    status: ApprovalStatus
    digest: str
    tier: Literal[2, 3]
    need: int = Field(ge=1, le=10)
    approvers: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    asked_at: Instant
    expires_at: Instant
    votes: tuple[str, ...] = ()
    decided_at: Instant | None = None
    decided_by: tuple[str, ...] = ()
    task_token: str = Field(default="", repr=False)
    key_id: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract and generation."""
        return (self.contract_id, str(self.generation))


class Vote(Item):
    """One person's decision, written once."""

    contract_id: str
    person: str
    decision: Literal["approve", "reject"]
    digest: str
    via: Literal["iam", "link"]
    at: Instant

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract and person."""
        return (self.contract_id, self.person)


class Person(Model):
    """One entry of the directory. `principals` are IAM principal ARNs (a role's ARN covers its sessions)."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")
    name: str = Field(min_length=1, max_length=128)
    mail: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    groups: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()


class Directory(Model):
    """The people who may be asked."""

    people: tuple[Person, ...] = ()

    def by_principal(self, arn: str) -> Person | None:
        """Return the person behind an IAM principal; an assumed role's session counts as its role."""
        role = _role_of(arn)
        return next((p for p in self.people if arn in p.principals or (role and role in p.principals)), None)

    def by_id(self, person: str) -> Person | None:
        """Return the person with that id."""
        return next((p for p in self.people if p.id == person), None)

    def members(self, group: str) -> tuple[Person, ...]:
        """Return the people of a group, in the directory's order."""
        return tuple(p for p in self.people if group in p.groups)


def _role_of(arn: str) -> str | None:
    """Return the role's ARN for an assumed-role session ARN."""
    head, _, tail = arn.partition(":assumed-role/")
    if not tail:
        return None
    return head.replace(":sts:", ":iam:") + ":role/" + tail.split("/", 1)[0]


class Decision(Model):
    """What `grace decide` sends to the `answer` door; the caller's identity is not in it, it is proved."""

    contract_id: str = Field(min_length=1, max_length=64)
    decision: Literal["approve", "reject"]
    digest: str
