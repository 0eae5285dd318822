"""Ed25519 keys of this process: for whoever checks a log, and for logs whose key is in no key service.

Only doors that carry the layer `crypto` may import this module.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from grace.ledger.note import PUBLIC_KEY, PublicKey

_SPKI = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410)."""


class KeyVerifier(NamedTuple):
    """Tells whether a published key signed."""

    key: PublicKey

    @property
    def name(self) -> str:
        """The key's name."""
        return self.key.name

    @property
    def key_id(self) -> bytes:
        """The key's four bytes."""
        return self.key.key_id

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is the key's over the message as it is."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SeedSigner:
    """Signs with the key that 32 secret bytes determine."""

    def __init__(self, name: str, seed: bytes) -> None:
        """The name is the log's origin."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(name, self._key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The key's name."""
        return self.public.name

    @property
    def key_id(self) -> bytes:
        """The key's four bytes."""
        return self.public.key_id

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over the message as it is."""
        return self._key.sign(message)


def public_key(name: str, spki: bytes) -> PublicKey:
    """Return the key that a key service states as SubjectPublicKeyInfo, in DER.

    Raises:
        ValueError: it is no Ed25519 key.
    """
    if len(spki) != len(_SPKI) + PUBLIC_KEY or not spki.startswith(_SPKI):
        raise ValueError(f"the key of {name} is no Ed25519 key: the log is signed with ECC_NIST_EDWARDS25519")
    return PublicKey(name, spki[len(_SPKI) :])
