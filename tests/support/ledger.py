"""The log's own world: lanes that entries are written to, the integrator, the signer, and a fault at any call of theirs.

`Ledger` is itself `ports.Services`. `Ledger.write` commits entries the way everything does; `Ledger.integrate` runs the
integrator, which asks the signer of the same world. `Fault` breaks one call, before or after it has taken effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from grace.flow.batches import stored_entries
from grace.flow.integrate import Integrated, integrate
from grace.flow.sign import sign
from grace.gateways.memory import MemoryAlarms, MemoryClock, MemoryMessages, MemoryMetrics
from grace.ledger import fsck
from grace.ledger.ed25519 import KeyVerifier, SeedSigner
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.records import Subsystem
from grace.stores.memory import MemoryStore
from grace.stores.memory_log import MemoryArchive, MemoryLog, MemorySignerRecord, MemoryWitness

ORIGIN = "grace-log/123456789012/eu-west-1"
SEED = bytes(range(32))


class Killed(BaseException):
    """The worker is gone: nothing of it runs any more."""


class LocalSigning:
    """`ports.Signing` with a key in this process; `down` is what every signature ends in while the key cannot be had."""

    def __init__(self, origin: str = ORIGIN, seed: bytes = SEED) -> None:
        self.origin = origin
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = KeyVerifier(SeedSigner(origin, seed).public)
        self.down: Exception | None = None
        self.signed: list[bytes] = []

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        if self.down:
            raise self.down
        self.signed.append(message)
        return self._key.sign(message)


class DirectNotary:
    """`ports.Notary` that runs the signer in this process."""

    def __init__(self, services: Any) -> None:
        self._services = services

    def sign(self) -> bytes:
        return sign(self._services)


@dataclass
class Fault:
    """One broken call: the `at`-th of all (from 1), by `error`, before it is made or after it has taken effect."""

    at: int
    error: Callable[[], BaseException] = Killed
    after: bool = False
    seen: int = 0
    hit: str = ""

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.seen += 1
        if self.seen != self.at:
            return function(*args, **kwargs)
        self.hit = name
        if self.after:
            function(*args, **kwargs)
        raise self.error()


class Breaks(Protocol):
    """What passes a call on, or breaks it."""

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Pass the call on."""


class Tapped:
    """A port every call of which goes past the fault."""

    def __init__(self, name: str, port: Any, fault: Breaks) -> None:
        self._name, self._port, self._fault = name, port, fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._fault.call(f"{self._name}.{name}", found, *args, **kwargs)


TAPPED = ("log", "archive", "record", "signing", "notary")


class Quiet:
    """`ports.Telemetry` that keeps what it is told."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.counts: dict[Any, int] = {}

    def count(self, metric: Any, value: int = 1) -> None:
        self.counts[metric] = self.counts.get(metric, 0) + value

    def trouble(self, what: str, error: Exception, **facts: str) -> None:
        self.troubles.append(f"{what}: {error}")

    def about(self, **ids: str) -> None:
        """Nothing of the log is about one contract."""

    def done(self, what: str) -> None:
        """Nothing of the log is done one by one."""


class Ledger:
    """Services in memory, as far as the log needs them."""

    def __init__(self, lanes: int = 4, store: MemoryStore | None = None) -> None:
        self.clock = MemoryClock()
        self.store: Any = store or MemoryStore(lanes)
        self.log: Any = MemoryLog(self.store)
        self.archive: Any = MemoryArchive(self.clock.now)
        self.record: Any = MemorySignerRecord()
        self.signing: Any = LocalSigning()
        self.notary: Any = DirectNotary(self)
        self.witness: Any = MemoryWitness()
        self.messages: Any = MemoryMessages()
        self.metrics: Any = MemoryMetrics()
        self.alarms: Any = MemoryAlarms()
        self.telemetry: Any = Quiet()
        nobody: Any = None
        """The log needs none of these."""
        self.vault = self.aws = self.workflow = self.sealer = self.macs = self.mail = self.letters = nobody
        self.permissions = self.fetch = self.catalogue = self.issuer = self.sessions = self.policy = nobody
        self.written = 0

    def write(self, count: int = 1, streams: int = 9, **body: Any) -> None:
        """Commit so many entries, the streams taking turns."""
        for _ in range(count):
            name = "part" + "abcdefghijklmnopqrstuvwxyz"[self.written % streams]
            where = ref(Subsystem, name)
            was = self.store.read(where).get(where)
            head = was or Subsystem(name=name, at=self.clock.now())
            self.store.commit(
                Commit(
                    command=command_id("write", str(self.written)),
                    head=head.model_copy(update={"count": head.count + 1, "at": self.clock.now()}),
                    was=was,
                    entries=(EntryDraft(type="signal.quarantined", body={"number": self.written, **body}),),
                    at=self.clock.now(),
                    actor="grace",
                    subsystem="triage",
                )
            )
            self.written += 1

    def copy(self) -> Ledger:
        """Return a world of its own that stands where this one does."""
        other = Ledger(self.log.lanes)
        mine, its = self.store, other.store
        its._partitions = {pk: dict(rows) for pk, rows in mine._partitions.items()}
        its._open = {pk: dict(rows) for pk, rows in mine._open.items()}
        its._entries, its._lane_heads, its._commands = (
            dict(mine._entries),
            dict(mine._lane_heads),
            dict(mine._commands),
        )
        other.log.stored, other.record.stored = self.log.stored, self.record.stored
        other.archive.objects, other.archive.history = dict(self.archive.objects), dict(self.archive.history)
        other.archive.since, other.written = self.archive.since, self.written
        other.witness.notes = dict(self.witness.notes)
        other.clock.advance((self.clock.now() - other.clock.now()).total_seconds())
        return other

    def integrate(self) -> Integrated:
        """Run the integrator once."""
        return integrate(self)

    def broken(self, fault: Fault) -> Any:
        """Return the same world as a worker sees it whose calls go past the fault."""
        worker: Any = Worker(self)
        for name in TAPPED:
            setattr(worker, name, Tapped(name, getattr(self, name), fault))
        worker.notary = Tapped("notary", DirectNotary(worker), fault)
        return worker

    @property
    def entries(self) -> list[bytes]:
        """What the lanes hold, lane after lane."""
        return [data for end in self.log.lane_heads() for data in self.log.entries(end.lane, 1, end.n)]

    def check(self) -> fsck.Report:
        """Check the whole log from nothing but its objects and the public key."""
        return fsck.check(self.archive.get, list(self.archive.paths()), self.signing.verifier)

    def assert_sound(self) -> None:
        """All that was written is in the tree exactly once, published, signed, and readable by anybody."""
        report = self.check()
        assert report.findings == ()
        head = self.log.head()
        assert (report.checkpoint.size, head.published, head.current.size) == (len(self.entries),) * 3
        assert sorted(stored(self)) == sorted(self.entries)
        assert self.record.read().size == report.checkpoint.size
        assert not head.halted


class Worker:
    """Services that are another's, but for what is set on it."""

    log: Any
    archive: Any
    notary: Any
    signing: Any

    def __init__(self, services: Any) -> None:
        self._services = services

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)


def stored(ledger: Ledger) -> list[bytes]:
    """Return every entry of the published tree, from its bundles."""
    return stored_entries(ledger.archive.get, 0, ledger.log.head().current.size)
