"""Proof files: one entry's way to a signed checkpoint, for somebody who trusts nothing else. C2SP tlog-proof@v1. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from grace.errors import IntegrityError
from grace.ledger.note import Checkpoint, Verifier, unbase64, verify
from grace.ledger.tree import HASH, check_inclusion, leaf

HEADER = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
LARGEST = 512 * 1024
"""A proof file beyond this many bytes is refused: 60,000 bytes of entry, 63 hashes and a cosigned checkpoint are less."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proof:
    """Entry `index`, its audit path with the sibling first, and the checkpoint note it leads to, byte for byte.

    `extra` is free for the writer; ours holds the entry's own bytes, so that one file is all that is needed.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(one).decode() for one in self.hashes]
        return "\n".join([*lines, "", ""]).encode() + self.note


def parse(data: bytes) -> Proof:
    """Return what a proof file says. Nothing of it is proved yet.

    Raises:
        IntegrityError: it is no proof file.
    """
    if len(data) > LARGEST:
        raise IntegrityError(f"a file of {len(data)} bytes is larger than any proof")
    head, blank, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as exc:
        raise IntegrityError("this is not a proof file: its first part is not plain text") from exc
    if not blank or lines.pop(0) != HEADER:
        raise IntegrityError(f"this is not a proof file: it does not begin with {HEADER}")
    extra = (
        unbase64(lines.pop(0).removeprefix("extra "), "the entry") if lines[:1] and lines[0][:6] == "extra " else None
    )
    index = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    if not _INDEX.fullmatch(index):
        raise IntegrityError("the proof file does not say which entry it is about: index <number>")
    hashes = tuple(unbase64(line, f"hash {number} of the proof") for number, line in enumerate(lines))
    if any(len(one) != HASH for one in hashes):
        raise IntegrityError(f"a hash of the proof does not have {HASH} bytes")
    return Proof(int(index), hashes, note, extra)


def check(proof: Proof, entry: bytes, verifiers: Sequence[Verifier], origin: str) -> Checkpoint:
    """Check that the entry is number `proof.index` of the log whose keys these are; return the checkpoint it is under.

    Raises:
        IntegrityError: the checkpoint is not signed by the log's key, or the entry's hash does not lead to its root.
    """
    checkpoint = verify(proof.note, verifiers, origin)
    check_inclusion(proof.index, checkpoint.size, leaf(entry), proof.hashes, checkpoint.root)
    return checkpoint
