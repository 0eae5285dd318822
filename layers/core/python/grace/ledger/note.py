"""Checkpoints: what the log was at one moment, signed. C2SP tlog-checkpoint, in the form of C2SP signed-note. Pure.

A note is text that ends with a line feed, a blank line, and signature lines `— <name> <base64(key id || signature)>`.
The text of a checkpoint is three lines: origin, size, base64 of the root hash. Whoever signs, here or in a key service,
signs those bytes as they are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from grace.errors import IntegrityError
from grace.ledger.tree import HASH

ED25519 = 0x01
"""The signature type of notes that Ed25519 keys sign; it is part of the key's id and of its published form."""
PUBLIC_KEY = 32
KEY_ID = 4
LARGEST = 128 * 1024
"""A note beyond this many bytes is refused; a checkpoint has about 200."""
MOST = 100
"""A note with more signature lines than this is refused."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MARK = "— "


class Signer(Protocol):
    """Whoever can sign for the log: a key in this process, or one in a key service."""

    @property
    def name(self) -> str:
        """The key's name: the log's origin."""

    @property
    def key_id(self) -> bytes:
        """The key's four bytes, as `key_id` computes them."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature over the message as it is."""


class Verifier(Protocol):
    """Whoever can tell whether a key signed."""

    @property
    def name(self) -> str:
        """The key's name."""

    @property
    def key_id(self) -> bytes:
        """The key's four bytes."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is the key's over the message as it is."""


class Checkpoint(NamedTuple):
    """What the log `origin` was: so many entries under this root hash."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The bytes that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


class PublicKey(NamedTuple):
    """A log's public key with its name: what everybody who checks must have from somewhere else than the log."""

    name: str
    raw: bytes
    """The 32 bytes of the Ed25519 key."""

    @property
    def key_id(self) -> bytes:
        """The key's four bytes."""
        return key_id(self.name, self.raw)

    @property
    def vkey(self) -> str:
        """Its published form: `name+hex(key id)+base64(0x01 || key)`."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([ED25519]) + self.raw).decode()}"


def key_id(name: str, raw: bytes) -> bytes:
    """Return the four bytes by which a signature line names an Ed25519 key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + raw).digest()[:KEY_ID]


def parse_vkey(text: str) -> PublicKey:
    """Return the public key that a published form states.

    Raises:
        IntegrityError: it is no such form, or its parts do not belong together.
    """
    name, first, rest = text.strip().partition("+")
    stated, second, encoded = rest.partition("+")
    raw = unbase64(encoded, "the public key")
    if not first or not second or not _is_name(name) or raw[:1] != bytes([ED25519]) or len(raw) != 1 + PUBLIC_KEY:
        raise IntegrityError("this is not the public key of a log: name+8 hex digits+base64 of an Ed25519 key")
    key = PublicKey(name, raw[1:])
    if key.vkey != text.strip() or stated != key.key_id.hex():
        raise IntegrityError(f"the public key of {name} is damaged: its id does not follow from its name and key")
    return key


def sign(checkpoint: Checkpoint, signers: Iterable[Signer]) -> bytes:
    """Return the checkpoint as a signed note.

    Raises:
        ValueError: the checkpoint or a signer's name cannot stand in a note.
    """
    if not _is_name(checkpoint.origin) or checkpoint.size < 0 or len(checkpoint.root) != HASH:
        raise ValueError(f"{checkpoint} cannot be written: an origin has no blanks and no +, a root has {HASH} bytes")
    text = checkpoint.text
    lines = []
    for signer in signers:
        if not _is_name(signer.name):
            raise ValueError(f"{signer.name!r} cannot be the name of a key: it may hold no blanks and no +")
        lines.append(f"{_MARK}{signer.name} {base64.b64encode(signer.key_id + signer.sign(text)).decode()}\n")
    return text + b"\n" + "".join(lines).encode()


def verify(note: bytes, verifiers: Sequence[Verifier], origin: str) -> Checkpoint:
    """Return the checkpoint of a note that at least one of the keys signed, and none of them is misquoted in.

    Signatures of keys we do not know are passed over, as the format asks: witnesses may add theirs.

    Raises:
        IntegrityError: it is no note, no checkpoint, another log's, not signed by any of the keys, or a line in a
            key's name is not its signature.
    """
    text, signatures = _split(note)
    checkpoint = parse(text)
    if checkpoint.origin != origin:
        raise IntegrityError(f"this is a checkpoint of {checkpoint.origin!r}, not of {origin!r}")
    signed = 0
    for name, identity, signature in signatures:
        for verifier in verifiers:
            if (verifier.name, verifier.key_id) == (name, identity):
                if not verifier.verify(text, signature):
                    raise IntegrityError(f"the checkpoint of {checkpoint.size} entries is not what {name} signed")
                signed += 1
    if not signed:
        raise IntegrityError(f"the checkpoint of {checkpoint.size} entries carries no signature of {origin}")
    return checkpoint


def within(text: str, origin: str) -> bytes:
    """Return the last note of a log in a longer text: a letter as it was saved, quoted, indented or wrapped.

    Nothing is known of who signed it.

    Raises:
        IntegrityError: there is none.
    """
    lines = [line.lstrip("> \t").rstrip() for line in text.splitlines()]
    for at in reversed([at for at, line in enumerate(lines) if line == origin]):
        tail = lines[at + 4 :]
        signed = " ".join(tail[: tail.index("")] if "" in tail else tail).split(_MARK)
        signatures = [line.split() for line in signed[1:] if not signed[0]]
        if lines[at + 3 : at + 4] == [""] and signatures:
            whole = [*lines[at : at + 4], *(f"{_MARK}{name} {''.join(rest)}" for name, *rest in signatures), ""]
            return "\n".join(whole).encode()
    raise IntegrityError(f"there is no checkpoint of {origin} in it")


def parse(text: bytes) -> Checkpoint:
    """Return the checkpoint a note's text states. Nothing is known of who signed it.

    Raises:
        IntegrityError: it is not exactly origin, size and root.
    """
    lines = _text(text).split("\n")
    if len(lines) != 4 or lines[3] or not _is_name(lines[0]) or not _SIZE.fullmatch(lines[1]):
        raise IntegrityError("this is not a checkpoint: three lines, an origin, a size and a root hash")
    root = unbase64(lines[2], "the root hash")
    if len(root) != HASH:
        raise IntegrityError(f"the checkpoint's root hash has {len(root)} bytes, not {HASH}")
    return Checkpoint(lines[0], int(lines[1]), root)


def _split(note: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """Return a note's text, and name, key id and signature of each of its signature lines."""
    if len(note) > LARGEST:
        raise IntegrityError(f"a note of {len(note)} bytes is larger than any checkpoint")
    text, blank, tail = _text(note).rpartition("\n\n")
    lines = tail.split("\n")
    if not blank or len(lines) < 2 or lines.pop() or len(lines) > MOST:
        raise IntegrityError("this is not a signed note: text, a blank line, and signature lines")
    return f"{text}\n".encode(), [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, blank, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not blank or not _is_name(name):
        raise IntegrityError("a signature line of the note is not '— <name> <base64>'")
    raw = unbase64(encoded, f"the signature of {name}")
    if len(raw) <= KEY_ID:
        raise IntegrityError(f"the signature of {name} is too short to be one")
    return name, raw[:KEY_ID], raw[KEY_ID:]


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise IntegrityError("a note is text in UTF-8, and this is not") from exc
    if _CONTROL.search(text):
        raise IntegrityError("a note holds a control character")
    return text


def unbase64(text: str, what: str) -> bytes:
    """Return the bytes of a base64 text; there is exactly one text for them.

    Raises:
        IntegrityError: `what` is not base64, or not written in that one form.
    """
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise IntegrityError(f"{what} is not base64") from exc
    if base64.b64encode(raw).decode() != text:
        raise IntegrityError(f"{what} is not written in the one form base64 has for it")
    return raw


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() for char in name) and not _CONTROL.search(name)
