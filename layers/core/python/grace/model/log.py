"""Where the log stands: its lanes, its tree, and what was last signed of it."""

import hashlib
from typing import NamedTuple

from pydantic import Field

from grace.model.base import Instant, Item, Model
from grace.model.lane import GENESIS, LaneHead

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()
"""The root of the tree without entries."""

CHECKPOINT = "checkpoint"
"""Where the newest checkpoint lies."""
KEPT = "checkpoints/"
"""Where every checkpoint that was signed is kept, by its size."""
TILES = "tile/"
"""Where tiles and entry bundles lie."""
VKEY = "vkey"
"""Where the log states its public key; whoever checks takes it from somewhere else and compares."""


class Mark(Model):
    """The tree at one size: its root, and how far each lane had been taken into it, as `(n, h, ts)`."""

    size: int = Field(default=0, ge=0)
    root: str = Field(default=EMPTY_ROOT, pattern=r"^[0-9a-f]{64}$")
    cursors: tuple[tuple[int, str, int], ...] = ()

    def lane(self, lane: int) -> LaneHead:
        """Return where that lane was."""
        n, h, ts = self.cursors[lane] if self.cursors else (0, GENESIS, 0)
        return LaneHead(lane, n, h, ts)


class TreeHead(Model):
    """The one item that says what the tree is. Whoever writes it as version `v` + 1 has committed its batch.

    Between `previous` and `current` lies the last batch, which anybody can derive again from the lanes; `published` is
    the size of the last checkpoint that was signed and checked. `halted` says why nobody goes on, when nobody may.
    """

    v: int = Field(default=0, ge=0)
    previous: Mark = Field(default_factory=Mark)
    current: Mark = Field(default_factory=Mark)
    published: int = Field(default=0, ge=0)
    at: int = 0
    """When the batch was committed, in epoch milliseconds."""
    halted: str = ""


class SignedHead(Model):
    """What the signer last signed, or was about to: its own record, that nobody else can write.

    It is written before the signature. A signer that died in between signs the same tree again, and no other.
    """

    v: int = Field(default=0, ge=0)
    size: int = Field(default=0, ge=0)
    root: str = Field(default=EMPTY_ROOT, pattern=r"^[0-9a-f]{64}$")


class AuditPin(Item):
    """How far the verifier has come: what it checked last, and which of its findings people have been told of.

    `note` is the checkpoint it checked: what goes out with every request to an approver, whose mailbox is a witness.
    `swept` is the entry of the tree from which the next night goes on comparing the tables, 0 to begin anew; `seen` the
    object after which it goes on looking, `derived` the tree up to which all was derived again. `lock_days` is how long
    objects are locked, `lock_since` the epoch second since when that is so, 0 from the beginning.
    """

    mark: Mark = Field(default_factory=Mark)
    note: str = ""
    at: Instant
    told: tuple[str, ...] = ()
    swept: int = Field(default=0, ge=0)
    seen: str = ""
    derived: Mark = Field(default_factory=Mark)
    lock_days: int = 0
    lock_since: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """There is one."""
        return ()


class Part(NamedTuple):
    """A part of Grace that runs by itself, and within how many seconds it must be heard of."""

    name: str
    every: int


PARTS = (Part(name="reap", every=300), Part(name="integrate", every=60), Part(name="audit", every=900))
"""The parts that nobody calls. One that is silent for twice its time is a gap, which the verifier reports; its own
silence raises an alarm."""


class Issue(Model):
    """One finding of the verifier: which check, where, what, and whether it is an alarm or only worth knowing."""

    check: str
    where: str
    what: str
    alarm: bool = True

    @property
    def key(self) -> str:
        """What makes it the same finding the next time."""
        return f"{self.check} {self.where}"
