"""Where `grace ledger` reads a log: the bucket it is published in, or a folder it was copied to; and whose key it has."""

from __future__ import annotations

import email
import email.policy
import fcntl
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from grace.errors import IntegrityError, NotFound
from grace.ledger import fsck, note
from grace.ledger.ed25519 import KeyVerifier, public_key
from grace.ledger.note import PublicKey
from grace.ledger.tiles import Fetch
from grace.ports import Aws
from infra.cli.errors import CommandError
from infra.cli.reach import Reach

HELD_BYTES = 16 << 20
"""So much of a bucket is held in memory: the tiles that lead from near bundles to the root, and some of the bundles."""
BUCKET, KEY, LOG_ORIGIN = "LogBucket", "LogKey", "LogOrigin"
"""The stack outputs that say where the log is, which key signs it, and its name."""


class Source(Protocol):
    """A log's objects."""

    @property
    def place(self) -> str:
        """Where they are, in words."""

    def fetch(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when it is not there."""

    def listing(self) -> list[str]:
        """Return the paths of all objects."""


@dataclass(frozen=True)
class Folder:
    """A copy on this disk."""

    root: Path

    @property
    def place(self) -> str:
        """Where they are, in words."""
        return f"the copy in {self.root}"

    def fetch(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when it is not there."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def listing(self) -> list[str]:
        """Return the paths of all objects."""
        return sorted(file.relative_to(self.root).as_posix() for file in self.root.rglob("*") if file.is_file())


@dataclass
class Bucket:
    """The bucket, read with the caller's authority. Nothing in it changes but `checkpoint`: what is near is read once."""

    aws: Aws
    name: str
    _held: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    """What was used last, at the end."""
    _bytes: int = 0

    @property
    def place(self) -> str:
        """Where they are, in words."""
        return f"the bucket {self.name}"

    def fetch(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when it is not there."""
        if path in self._held:
            self._held.move_to_end(path)
            return self._held[path]
        try:
            body: bytes = self.aws.call("s3", "get_object", Bucket=self.name, Key=path)["Body"]
        except NotFound:
            return None
        if path != fsck.CHECKPOINT:
            self._hold(path, body)
        return body

    def _hold(self, path: str, body: bytes) -> None:
        self._held[path] = body
        self._bytes += len(body)
        while self._bytes > HELD_BYTES:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= len(dropped)

    def listing(self) -> list[str]:
        """Return the paths of all objects."""
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            answer = self.aws.call("s3", "list_objects_v2", Bucket=self.name, **more)
            found += [each["Key"] for each in answer.get("Contents", [])]
            if not answer.get("IsTruncated"):
                return found
            more = {"ContinuationToken": answer["NextContinuationToken"]}


@dataclass(frozen=True)
class Pin:
    """What this person last saw of one log: its key and its newest checkpoint, on a disk that is not the log's."""

    folder: Path

    @property
    def key(self) -> PublicKey | None:
        """The key that was trusted first; every later one must be the same. Raises `IntegrityError` when it is damaged."""
        file = self.folder / fsck.VKEY
        if not file.is_file():
            return None
        try:
            return note.parse_vkey(file.read_text(encoding="utf-8"))
        except (IntegrityError, UnicodeDecodeError) as exc:
            raise IntegrityError(f"{file} is not what was pinned here: {exc}") from exc

    def checkpoint(self, key: KeyVerifier) -> note.Checkpoint | None:
        """Return the last checkpoint seen; raises `IntegrityError` when this disk no longer holds what was written."""
        file = self.folder / fsck.CHECKPOINT
        if not file.is_file():
            return None
        try:
            return note.verify(file.read_bytes(), [key], key.name)
        except IntegrityError as exc:
            raise IntegrityError(f"{file} is not what was pinned here: {exc}") from exc

    def keep(self, key: KeyVerifier, signed: bytes, fetch: Fetch) -> None:
        """Remember a checkpoint, unless a larger one is remembered by now: another command may have been quicker.

        Raises:
            IntegrityError: what is remembered by now is of another key, or the log does not begin with it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released as it is closed
            known = self.key
            if known is None:
                self._replace(fsck.VKEY, f"{key.key.vkey}\n".encode())
            else:
                _same([known, key.key])
            point, new = self.checkpoint(key), note.verify(signed, [key], key.name)
            if point is not None and point.size > new.size:
                return
            if point is not None:
                fsck.extends(point, new, fetch)
            self._replace(fsck.CHECKPOINT, signed)

    def _replace(self, name: str, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=f"{name}.", delete=False) as new:
            new.write(data)
            new.flush()
            os.fsync(new.fileno())
        Path(new.name).replace(self.folder / name)


@dataclass(frozen=True)
class Pins:
    """The folders with what this person last saw, one for each log, by its name."""

    home: Path

    def of(self, origin: str) -> Pin:
        """Return the pin of a log, whether or not there is one yet."""
        name = "".join(char if char.isalnum() or char in "-." else "_" for char in origin)
        return Pin(self.home / name)


def pins(of_engine: Path | None, environment: dict[str, str]) -> Pins:
    """Return where pins are kept: with an engine they end as it does; else in the person's own configuration."""
    if of_engine is not None:
        return Pins(of_engine)
    config = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".config")
    return Pins(Path(config) / "grace" / "pins")


def given_key(text: str) -> PublicKey:
    """Return the key that a person names: as text, or as a file that holds it.

    Raises:
        CommandError: it is neither.
    """
    file = Path(text)
    try:
        return note.parse_vkey(file.read_text(encoding="utf-8") if file.is_file() else text)
    except (IntegrityError, OSError, UnicodeDecodeError) as exc:
        raise CommandError(f"--vkey {text!r}: {exc}.") from exc


def kept_elsewhere(file: Path, key: KeyVerifier) -> note.Checkpoint:
    """Return the checkpoint in a file that somebody kept: a checkpoint by itself, or a letter as it was saved.

    Raises:
        CommandError: the file cannot be read, or holds none.
        IntegrityError: the log's key did not sign it.
    """
    try:
        data = file.read_bytes()
        letter = email.message_from_bytes(data, policy=email.policy.default)
        body = letter.get_body(("plain",)) if "content-type" in letter else None
        text = data.decode(errors="replace") if body is None else str(body.get_content())
        found = note.within(text, key.name)
    except OSError as exc:
        raise CommandError(f"{file} cannot be read: {exc.strerror}.") from exc
    except (IntegrityError, LookupError) as exc:
        raise CommandError(f"{file}: {exc}.") from exc
    try:
        return note.verify(found, [key], key.name)
    except IntegrityError as exc:
        raise IntegrityError(f"{file}: {exc}") from exc


def published_key(place: Reach) -> PublicKey:
    """Return the key that KMS says signs this deployment's log: not what the bucket says of itself."""
    spki = place.aws.call("kms", "get_public_key", KeyId=_output(place, KEY))["PublicKey"]
    return public_key(_output(place, LOG_ORIGIN), spki)


def bucket(place: Reach) -> Bucket:
    """Return the deployment's published log."""
    return Bucket(place.aws, _output(place, BUCKET))


def one_key(*known: PublicKey | None) -> PublicKey:
    """Return the one key that all who know it agree on, the most trusted first.

    Raises:
        CommandError: nobody knows it.
        IntegrityError: two of them differ.
    """
    keys = [key for key in known if key is not None]
    if not keys:
        raise CommandError(
            "The log's public key is not known here: name it with --vkey (it is printed by `grace ledger pin`)."
        )
    _same(keys)
    return keys[0]


def _same(keys: Iterable[PublicKey]) -> None:
    first, *rest = keys
    for other in rest:
        if other != first:
            raise IntegrityError(
                f"the log {first.name} now states the key {other.key_id.hex()}, and was known with {first.key_id.hex()}: "
                "believe neither before you know why"
            )


def _output(place: Reach, name: str) -> str:
    if name not in place.outputs:
        raise CommandError(f"{place.place} has no log yet (no output {name}): deploy the stacks again.")
    return place.outputs[name]
