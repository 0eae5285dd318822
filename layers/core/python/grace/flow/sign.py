"""The signer: signs the tree's head, and only when it extends what it signed before. It believes nobody.

Its record and the checkpoints that are kept are written by it alone. The record says what may be signed, and is written
before the signature is made: whoever dies in between, or sleeps while another signs, leaves nothing that a second history
could be signed beside. A size that was signed is never signed otherwise: the one that is kept is looked for first.
"""

from __future__ import annotations

from grace.errors import Conflict, IntegrityError, Mismatch, NotFound
from grace.flow.batches import LogKey, checkpoint_of, grow, stored_entries
from grace.ledger import note
from grace.ledger.tiles import Bundle, Stored, pack, read_bundle, read_tile
from grace.model.log import KEPT, VKEY, Mark, SignedHead
from grace.ports import Services

TRIES = 3


class _Signer:
    """`note.Signer` through the key service."""

    def __init__(self, key: LogKey, services: Services) -> None:
        self.name, self.key_id = key.name, key.key_id
        self._services = services

    def sign(self, message: bytes) -> bytes:
        return self._services.signing.sign(message)


def sign(services: Services) -> bytes:
    """Sign the tree's head, publish the checkpoint, and return it; what was signed already is only published.

    Raises:
        IntegrityError: the head does not extend what was signed before, or the tiles do not lead to it: not signed.
        NotFound: the log has no entries.
        Conflict: another signer was at work all the time; asking again is safe.
    """
    # In this order: the head only grows, so one that is smaller than what was signed has been changed by somebody.
    last = services.record.read()
    head = services.log.head().current
    key = LogKey(services)
    if not head.size:
        raise NotFound("the log has no entries: there is nothing to sign")
    if head.size < last.size or (head.size == last.size and head.root != last.root):
        raise IntegrityError(f"{last.size} entries were signed, and now the tree's head states another {head.size}")
    if head.size > last.size:
        _check_growth(last, head, services)
        _record(SignedHead(v=last.v, size=head.size, root=head.root), services)
    wanted = checkpoint_of(head, key.name)
    signed = services.archive.get(f"{KEPT}{head.size}")
    if signed is None:
        _show_key(key, services)
        signed = note.sign(wanted, [_Signer(key, services)])
        services.archive.put(f"{KEPT}{head.size}", signed)
    elif note.verify(signed, [key], key.name) != wanted:
        raise IntegrityError(f"another tree of {head.size} entries was signed before")
    _newest(signed, head.size, key, services)
    return signed


def _check_growth(last: SignedHead, head: Mark, services: Services) -> None:
    """Derive the tree again from the one that was signed last and the bundles since: to this root, in these very bytes.

    It proves at once that the tree extends the old one, and that all which the checkpoint promises can be read.
    """
    old = Mark(size=last.size, root=last.root)
    grown = grow(services.archive.get, old, stored_entries(services.archive.get, last.size, head.size))
    if grown.edge.root.hex() != head.root:
        raise IntegrityError(f"the bundles do not lead from {last.size} entries to the root of {head.size}")
    for stored in grown.stored:
        if read_back(stored, services) != stored.data:
            raise IntegrityError(f"{stored.place.path} is not what its entries lead to")


def read_back(stored: Stored, services: Services) -> bytes:
    """Return the bytes that lie there, from its own path or out of the full one that has replaced it."""
    place = stored.place
    if isinstance(place, Bundle):
        return pack(read_bundle(services.archive.get, place))
    return b"".join(read_tile(services.archive.get, place))


def _show_key(key: LogKey, services: Services) -> None:
    """Publish the public key beside the log, once. Whoever checks takes it from somewhere else and compares."""
    if services.archive.get(VKEY) is None:
        services.archive.put(VKEY, f"{key.public.vkey}\n".encode())


def _newest(signed: bytes, size: int, key: LogKey, services: Services) -> None:
    """Make it the newest checkpoint, unless that is at least as large already: it never goes back."""
    for _ in range(TRIES):
        found = services.archive.newest()
        if found and note.verify(found.note, [key], key.name).size >= size:
            return
        try:
            services.archive.publish(signed, found.mark if found else None)
        except Mismatch:
            continue
        return
    raise Conflict("the checkpoint was replaced again and again while this one was published")


def _record(record: SignedHead, services: Services) -> None:
    """Bind every signer to this tree before it is signed; a lost answer and another signer's same words are success."""
    try:
        services.record.write(record)
    except Conflict:
        found = services.record.read()
        if (found.size, found.root) != (record.size, record.root):
            raise
