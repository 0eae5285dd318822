"""Who may decide, who did, on exactly which digest."""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field, field_validator

from grace.model.base import Instant, Item, Model


class ApprovalStatus(StrEnum):
    """All but `pending` are final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


Via = Literal["iam", "link", "oidc"]
"""How a person proved who they are: an IAM identity, their link, or their link and a sign-in."""


class Approval(Item):
    """The record that decides. `need` distinct people of `approvers`, none of them excluded, on one digest, in time.

    `task_token` is the workflow's wake-up, encrypted; it authorises nothing, the record does. `key_id` is the key that
    MACed this generation's links, empty when no mail was sent. `escalated` counts the groups and rotas asked beyond the
    first; `unreached` are people whose mail did not arrive.
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
    escalated: int = Field(default=0, ge=0)
    unreached: tuple[str, ...] = ()

    @property
    def open_until(self) -> datetime | None:
        """Its deadline, while it is open."""
        return self.expires_at if self.status is ApprovalStatus.PENDING else None

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
    via: Via
    at: Instant

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract and person."""
        return (self.contract_id, self.person)


class Urgency(StrEnum):
    """Why people are asked again."""

    HALF = "half"
    """Half of the time has passed."""
    LATE = "late"
    """Four fifths of it have."""
    UNREACHED = "unreached"
    """Somebody's mail came back."""
    KEY = "key"
    """The key that proved the links is no longer there."""


class Reminder(Model):
    """What the sweep asks of the `ask` door: look at an approval again."""

    contract_id: str = Field(min_length=1, max_length=64)
    urgency: Urgency


class Undelivered(Model):
    """A mail of ours that did not reach its person, or that they called unwanted."""

    contract_id: str = Field(min_length=1, max_length=64)
    person: str = Field(min_length=1, max_length=64)
    what: Literal["bounce", "complaint", "reject"]


ADDRESS = r"^[A-Za-z0-9._%+'-]+@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$"
"""A mail address as it is really used: nothing that could end a header or name a second recipient."""


class LinkTries(Item):
    """How often a person's link of one generation was used with a wrong challenge."""

    contract_id: str
    person: str
    generation: int = Field(ge=1)
    failures: int = Field(default=0, ge=0)

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract and person."""
        return (self.contract_id, self.person)


class Person(Model):
    """One entry of the directory. `principals` are IAM principal ARNs (a role's ARN covers its sessions), roles without
    their path.

    Who has no `mail` is told through `grace-notify` alone.
    `subject` is the `sub` that the identity provider gives the person; without one they decide nothing of tier 3 by link.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")
    name: str = Field(min_length=1, max_length=128)
    mail: str = Field(default="", max_length=254, pattern=rf"^$|{ADDRESS}")
    groups: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    subject: str = Field(default="", max_length=255)

    @field_validator("principals")
    @classmethod
    def _without_paths(cls, principals: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(pathless, principals))


class Rota(Model):
    """People who take turns on call, in this order. Each turn has the same length; the first begins at `starts`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    people: tuple[str, ...] = Field(min_length=1, max_length=100)
    starts: Instant
    turn_hours: int = Field(default=168, ge=1, le=8760)

    def on_call(self, at: datetime) -> str:
        """Return the id of the person whose turn it is; before the first turn, of the one who begins."""
        turns = int((at - self.starts).total_seconds() // (self.turn_hours * 3600))
        return self.people[max(0, turns) % len(self.people)]


class Directory(Model):
    """The people who may be asked, and who of them is on call when."""

    people: tuple[Person, ...] = ()
    rotas: tuple[Rota, ...] = ()

    def by_principal(self, arn: str) -> Person | None:
        """Return the person behind an IAM principal; an assumed role's session counts as its role."""
        named, role = pathless(arn), role_of(arn)
        return next((p for p in self.people if named in p.principals or (role and role in p.principals)), None)

    def by_claim(self, claim: str) -> Person | None:
        """Return the person whom an id, a mail address in any case, a subject or an IAM principal stands for."""
        return (
            self.by_id(claim)
            or next((p for p in self.people if p.mail and p.mail.lower() == claim.lower()), None)
            or self.by_subject(claim)
            or self.by_principal(claim)
        )

    def by_id(self, person: str) -> Person | None:
        """Return the person with that id."""
        return next((p for p in self.people if p.id == person), None)

    def by_subject(self, subject: str) -> Person | None:
        """Return the person whom the identity provider knows as that subject."""
        return next((p for p in self.people if subject and p.subject == subject), None)

    def members(self, group: str) -> tuple[Person, ...]:
        """Return the people of a group, in the directory's order."""
        return tuple(p for p in self.people if group in p.groups)

    def called(self, name: str, at: datetime) -> tuple[Person, ...]:
        """Return the people a name stands for at a time: who is on call, for a rota; a group's members."""
        rota = next((each for each in self.rotas if each.name == name), None)
        if rota is None:
            return self.members(name)
        person = self.by_id(rota.on_call(at))
        return (person,) if person else ()


def counted(votes: Iterable[Vote], approval: Approval, directory: Directory) -> set[str]:
    """Return the people whose approval of this digest counts: asked, not excluded, and in the directory as it is now."""
    yes = {vote.person for vote in votes if vote.decision == "approve" and vote.digest == approval.digest}
    return (yes & set(approval.approvers) & {person.id for person in directory.people}) - set(approval.excluded)


def role_of(arn: str) -> str | None:
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


_ROLE_PATH = re.compile(r"^(arn:[^:]+:iam::[0-9]+:role/).*/")


def pathless(arn: str) -> str:
    """Return a role's ARN without its path, any other ARN as it is.

    A role's name is unique in its account whatever its path, and the ARN of a session never holds the path: so roles
    under one, as IAM Identity Center makes them, are known by name.
    """
    return _ROLE_PATH.sub(r"\1", arn)
