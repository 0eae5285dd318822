"""What every document of the house has in common."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
"""Version written as `v` into every stored item and every ticket; a door reads this one and the one before."""


class Model(BaseModel):
    """A frozen document; an unknown field is an error, so a typing mistake in data never passes silently.

    Validators are built when a model is first used: a door starts with the few it needs, not with all of the house's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Item(Model):
    """A document the store keeps. `version` counts its changes: 0 before the first write, then 1, 2, ..."""

    v: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION - 1, le=SCHEMA_VERSION)
    version: int = Field(default=0, ge=0)

    @property
    def ids(self) -> tuple[str, ...]:
        """The identifiers that, with the class, say which item this is; `stores/keys.py` turns them into keys."""
        raise NotImplementedError

    @property
    def open_until(self) -> datetime | None:
        """When somebody must look at it again, while it is open; None for what is closed, or never listed."""
        return None


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs a time zone, for example 2026-01-31T12:00:00Z")
    return value


Instant = Annotated[datetime, AfterValidator(_aware)]
"""A point in time with its zone; naive times are refused at the edge."""

Json = Any
"""A JSON value that came from or goes to a place we do not type (an event's payload, a resource's own field)."""


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Json) -> bytes:
    """Return the canonical JSON bytes of `value`: UTF-8, sorted keys, no white space.

    Raises:
        ValueError: for NaN and infinities, which JSON has no words for.
    """
    return _CANONICAL.encode(value).encode()


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex characters."""
    return hashlib.sha256(data).hexdigest()


class Head(Item):
    """A versioned state item with a stream of log entries: each entry written for it raises `version` by one.

    `log` holds the positions of its entries in their lane, so its whole story is one read of the head and one
    read of the entries. `marks` holds, entry by entry, what tells the command that wrote it (`ledger.entries.mark`).
    `corr` is the correlation id of the alert that began it.
    """

    endless: ClassVar[bool] = False
    """Whether the stream goes on for ever: then its head keeps the latest of `log` alone and no marks."""

    corr: str
    log: tuple[int, ...] = ()
    marks: str = ""

    @property
    def stream(self) -> str:
        """The name of its stream in the log."""
        raise NotImplementedError

    @property
    def family(self) -> str:
        """What decides its lane: streams of one family share a lane and may change in one transaction."""
        return self.stream

    @property
    def subject(self) -> tuple[str, str]:
        """The contract its entries speak of, and the digest of that contract's body, as far as there is one."""
        return "", ""
