"""What the audit log stands on outside the house: rows, objects, records, the key, the signer, a witness. As Protocols."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from grace.model.lane import LaneHead
    from grace.model.log import SignedHead, TreeHead


class LogTable(Protocol):
    """The log table as those read it who build the tree and check it. Of it they write the tree's head alone."""

    @property
    def lanes(self) -> int:
        """The number of lanes, fixed for the life of a log."""

    def head(self) -> TreeHead:
        """Return the tree's head, consistently read; that of an empty tree while there is none.

        Raises:
            IntegrityError: the row is there, and is not a tree's head.
        """

    def move(self, head: TreeHead) -> TreeHead:
        """Write the head as version `v` + 1 and return it so.

        Raises:
            Conflict: version `v` is not the one that is there: somebody else was first.
        """

    def lane_heads(self) -> list[LaneHead]:
        """Return where each lane ends, consistently read, in order; raises `IntegrityError` for a row that is none."""

    def entries(self, lane: int, first: int, last: int) -> list[bytes | None]:
        """Return the stored bytes of a lane's entries `first` to `last`, consistently read; None for one not there.

        Raises:
            IntegrityError: a row is there, and is not an entry's.
        """

    def noted(self) -> str:
        """Return what `note` kept last, or nothing."""

    def note(self, why: str) -> None:
        """Keep what people were told of, for when the tree's head cannot."""


class SignerRecord(Protocol):
    """What was last signed or is about to be. Only the signer can write it."""

    def read(self) -> SignedHead:
        """Return it, consistently read; that of an empty tree while nothing was signed."""

    def write(self, record: SignedHead) -> None:
        """Write it as version `v` + 1; raises `Conflict` when version `v` is not the one that is there."""


class Published(NamedTuple):
    """The newest checkpoint as it lies there: its bytes, the mark by which it may be replaced, and since when."""

    note: bytes
    mark: str
    at: datetime


class ObjectVersion(NamedTuple):
    """One version of an object of the log; `deleted` is a mark that hides those before it. `until`: locked so long.

    `until` is known for the newest version alone, and only where one object was asked for. `at`: since when it is there.
    """

    path: str
    version: str
    deleted: bool
    until: datetime | None = None
    at: datetime | None = None


class Archive(Protocol):
    """The log's objects, by path: written once and under lock. Only the newest checkpoint is ever replaced."""

    @property
    def lock(self) -> timedelta:
        """How long a full object is locked from when it is written, as this deployment is configured."""

    def get(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when there is none."""

    def put(self, path: str, body: bytes, until: datetime | None = None) -> None:
        """Write if absent; the same bytes again are success. With `until` it is locked only so long and may then go.

        Raises:
            IntegrityError: other bytes are there.
        """

    def newest(self) -> Published | None:
        """Return the newest checkpoint."""

    def publish(self, note: bytes, mark: str | None) -> None:
        """Replace the checkpoint that carries `mark` (None: there is none yet).

        Raises:
            Mismatch: it is another by now.
        """

    def paths(self) -> Iterator[str]:
        """Yield the path of every object."""

    def versions(self, path: str) -> list[ObjectVersion]:
        """Return every version of one object, the newest first."""

    def listed(self, after: str) -> list[list[ObjectVersion]]:
        """Return every version of the next thousand objects or so beyond that path, in the order of paths; none at the end.

        Of each object the newest is first. The newest checkpoint, which alone is replaced, is passed over.
        """

    def locked(self, path: str, version: str) -> datetime | None:
        """Return until when that version is locked, or None."""


class Witness(Protocol):
    """Somewhere outside this account that keeps copies of what was signed."""

    def keep(self, size: int, note: bytes) -> None:
        """Keep the checkpoint of that size; raises `IntegrityError` when another one of that size is kept."""

    def kept(self, size: int) -> bytes | None:
        """Return the checkpoint of that size as it was kept, or None."""

    def newest(self) -> bytes | None:
        """Return the largest checkpoint that was kept, or None."""


class Signing(Protocol):
    """The log's key. Nobody holds its secret half."""

    @property
    def origin(self) -> str:
        """The log's name, which is also the key's."""

    def public_key(self) -> bytes:
        """Return the Ed25519 public key as SubjectPublicKeyInfo, in DER."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature over a message (at most 4,096 bytes) as it is."""


class Notary(Protocol):
    """Whoever may sign: he looks for himself at what he signs."""

    def sign(self) -> bytes:
        """Let the tree's head be signed and published; return the checkpoint.

        Raises:
            IntegrityError: he refuses: what is there does not extend what he signed before.
            TransientError: no answer; asking again is safe.
        """
