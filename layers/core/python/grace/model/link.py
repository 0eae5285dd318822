"""What an approval link carries: which contract, for whom, on which digest, until when, and a proof that we wrote it.

The token is the URL-safe base64, without padding, of `0x01 || approval id (16) || approver (8) || digest (16) ||
expiry (4)` and the 32 bytes of an HMAC-SHA-256 over those 45 bytes behind a domain string: 103 characters. The key
stays in KMS. The approval's generation is part of the domain string: mail that is sent anew voids what was sent before.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from grace.model.ids import ID_BYTES, contract_bytes, contract_named

TOKEN_LENGTH = 103
MAC_BYTES = 32
APPROVER_BYTES = 8
DIGEST_BYTES = 16

_VERSION = b"\x01"
_EXPIRY_BYTES = 4
_PAYLOAD_BYTES = len(_VERSION) + ID_BYTES + APPROVER_BYTES + DIGEST_BYTES + _EXPIRY_BYTES
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class InvalidLink(ValueError):
    """A text is no link of ours as to its form. It says nothing more: whoever sent it is told nothing more."""


@dataclass(frozen=True, slots=True)
class Link:
    """One approver's link to one approval. `expires` is in epoch seconds, before 2106."""

    approval_id: bytes
    approver: bytes
    digest: bytes
    expires: int

    def __post_init__(self) -> None:
        """Refuse what has no place in the token; raises `ValueError`."""
        lengths = (len(self.approval_id), len(self.approver), len(self.digest))
        if lengths != (ID_BYTES, APPROVER_BYTES, DIGEST_BYTES) or not 0 <= self.expires < 1 << 8 * _EXPIRY_BYTES:
            raise ValueError(f"a link holds 16, 8 and 16 bytes and a time, not {lengths} and {self.expires}")

    @property
    def contract_id(self) -> str:
        """The contract whose approval this is."""
        return contract_named(self.approval_id)

    @property
    def expires_at(self) -> datetime:
        """When the link ends."""
        return datetime.fromtimestamp(self.expires, UTC)


def link_of(contract_id: str, person: str, digest: str, expires_at: datetime) -> Link:
    """Return the link of a person to the approval of a contract with that digest (hex).

    It ends with the second the approval ends in, never after it.
    """
    raw = bytes.fromhex(digest)[:DIGEST_BYTES]
    return Link(contract_bytes(contract_id), approver_bytes(person), raw, int(expires_at.timestamp()))


def approver_bytes(person: str) -> bytes:
    """Return what a link says of a person: the first 8 bytes of the SHA-256 of their id."""
    return hashlib.sha256(person.encode()).digest()[:APPROVER_BYTES]


def message(link: Link, generation: int) -> bytes:
    """Return the bytes the MAC covers: a domain string that no other use of the key has, then the link."""
    return f"grace approval link v1 generation {generation}\n".encode() + _payload(link)


def encode(link: Link, mac: bytes) -> str:
    """Return the token: 103 characters of URL-safe base64.

    Raises:
        ValueError: the MAC does not have 32 bytes.
    """
    if len(mac) != MAC_BYTES:
        raise ValueError(f"a MAC has {MAC_BYTES} bytes, not {len(mac)}")
    return base64.urlsafe_b64encode(_payload(link) + mac).decode().rstrip("=")


def decode(text: str) -> tuple[Link, bytes]:
    """Return the link and the MAC of a token, of which nothing is proved yet. Each token has one spelling.

    Raises:
        InvalidLink: another length, alphabet, version or spelling than ours.
    """
    if len(text) != TOKEN_LENGTH or not _ALPHABET.issuperset(text):
        raise InvalidLink("not a link")
    try:
        raw = base64.urlsafe_b64decode(text + "=")
    except binascii.Error as exc:
        raise InvalidLink("not a link") from exc
    # The last character carries two bits that say nothing: without this, three other spellings would be the same link.
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text or raw[:1] != _VERSION:
        raise InvalidLink("not a link")
    parts, at = [], len(_VERSION)
    for length in (ID_BYTES, APPROVER_BYTES, DIGEST_BYTES, _EXPIRY_BYTES):
        parts.append(raw[at : at + length])
        at += length
    approval_id, approver, digest, expires = parts
    return Link(approval_id, approver, digest, int.from_bytes(expires, "big")), raw[_PAYLOAD_BYTES:]


def _payload(link: Link) -> bytes:
    expires = link.expires.to_bytes(_EXPIRY_BYTES, "big")
    return _VERSION + link.approval_id + link.approver + link.digest + expires
