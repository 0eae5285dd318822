"""The integrator: takes what the lanes hold into the tree, stores the tree's tiles, and has it signed.

Any number may run at once. Whoever writes the tree's head as its next version has committed a batch; who is late has done
nothing. The next batch begins only when the last one is signed and published, so whatever breaks off is done again from
the head alone, with the same bytes. What does not fit together stops the log, and people are told.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from grace.errors import Conflict, GraceError, IntegrityError
from grace.flow.batches import LogKey, batch, checkpoint_of, ends_of, grow, head_of_log, mark_of
from grace.ledger import note
from grace.ledger.tiles import Bundle, Growth, Stored
from grace.ledger.tree import WIDTH
from grace.model.base import Model
from grace.model.log import TreeHead
from grace.ports import Services

BATCH = 2000
"""The most entries of one batch: what a worker holds, and does again when it breaks off."""
ROUNDS = 5
"""The most batches of one run; the next run goes on."""
PARTIAL_LOCK = timedelta(days=7)


class Integrated(Model):
    """What a run came to: the tree's size, how many entries it took in, and whether somebody else was first."""

    size: int
    added: int = 0
    raced: bool = False


def integrate(services: Services) -> Integrated:
    """Publish what was committed and not yet published; then take in what is new.

    Raises:
        IntegrityError: rows, tiles or signatures do not fit together. The log stands still until they do again.
        TransientError: a service did not answer; the next run goes on where this one stopped.
    """
    added, size = 0, 0
    try:
        head = head_of_log(services.log)
        size = head.current.size
        for _ in range(ROUNDS):
            head, whole = _step(head, services)
            added, size = added + head.current.size - size, head.current.size
            if whole:
                break
    except Conflict:
        return Integrated(size=size, added=added, raced=True)
    except IntegrityError as exc:
        _halt(exc, services)
        raise
    return Integrated(size=size, added=added)


def _step(head: TreeHead, services: Services) -> tuple[TreeHead, bool]:
    """Bring the last batch to its end, then commit and publish the next; tell whether nothing was left."""
    if head.published < head.current.size:
        head = _publish(head, _last(head, services), services)
    found = batch(services.log, head.current, services.log.lane_heads(), BATCH)
    if not found.entries:
        return (services.log.move(head.model_copy(update={"halted": ""})) if head.halted else head), True
    grown = grow(services.archive.get, head.current, found.entries)
    committed = services.log.move(
        TreeHead(
            v=head.v,
            previous=head.current,
            current=mark_of(grown, found.ends),
            published=head.published,
            at=_milliseconds(services.clock.now()),
        )
    )
    return _publish(committed, grown, services), found.whole


def _last(head: TreeHead, services: Services) -> Growth:
    """Derive the last batch again from the lanes."""
    found = batch(services.log, head.previous, ends_of(head.current, services.log.lanes))
    grown = grow(services.archive.get, head.previous, found.entries)
    if mark_of(grown, found.ends) != head.current:
        raise IntegrityError(f"the lanes do not lead to the tree of {head.current.size} entries that was committed")
    return grown


def _publish(head: TreeHead, grown: Growth, services: Services) -> TreeHead:
    """Store the batch, bundles first; have it signed; believe the signature only when it is the key's."""
    until = services.clock.now() + PARTIAL_LOCK
    for stored in grown.stored:
        services.archive.put(stored.place.path, stored.data, until if soon_replaced(stored) else None)
    signed = services.notary.sign()
    stated = note.verify(signed, [LogKey(services)], services.signing.origin)
    if stated.size > head.current.size:
        raise Conflict(f"the tree has {stated.size} entries by now: somebody else was first")
    if stated != checkpoint_of(head.current, services.signing.origin):
        raise IntegrityError(f"the signer signed another tree than the one of {head.current.size} entries")
    _copy(head.current.size, signed, services)
    return services.log.move(head.model_copy(update={"published": head.current.size, "halted": ""}))


def soon_replaced(stored: Stored) -> bool:
    """Tell whether a full tile or bundle will take this one's place within days, so that it need not stay.

    The rows above grow 256 times more slowly and stay partial for years: those are kept like full ones.
    """
    place = stored.place
    return place.width < WIDTH and (isinstance(place, Bundle) or place.level == 0)


def _copy(size: int, signed: bytes, services: Services) -> None:
    """Give the checkpoint to the witness. A witness who cannot be reached stops nothing: the verifier misses the copy.

    One who keeps another checkpoint of that size has the proof of two histories. That halts the log, and again at every
    run: the batch does not count as published before.
    """
    if services.witness is None:
        return
    try:
        services.witness.keep(size, signed)
    except IntegrityError as exc:
        raise IntegrityError(f"the witness keeps another checkpoint: {exc}") from exc
    except GraceError as exc:
        services.telemetry.trouble("witness", exc)


def _halt(exc: IntegrityError, services: Services) -> None:
    """Tell people and bus, once for each reason; the reason stays in the tree's head until a run succeeds."""
    why = str(exc)[:500]
    try:
        head = services.log.head()
    except IntegrityError:
        _tell_hourly(why, services)
        return
    if head.halted == why:
        return
    _tell(why, services)
    try:
        services.log.move(head.model_copy(update={"halted": why}))
    except Conflict:
        return  # somebody else moved it: he sees for himself


def _tell_hourly(why: str, services: Services) -> None:
    """Tell that the tree's head is spoilt: it cannot keep that people know, so a row beside it does, for an hour."""
    hour = f"{services.clock.now():%Y-%m-%dT%H} {why}"
    if services.log.noted() != hour:
        _tell(why, services)
        services.log.note(hour)


def _tell(why: str, services: Services) -> None:
    services.messages.notify(
        "critical",
        "the audit log is halted",
        f"What happened: {why}.\n"
        "What Grace did: nothing more enters the tree, and nothing is signed. Entries are still written.\n"
        "Is it safe now: remediation goes on; what happens now is not yet in a signed checkpoint.\n"
        "What next: docs/operations.md, 'The log is halted'.",
    )
    services.messages.publish("log.integrity_issue", {"check": "integrate", "where": "HEAD", "what": why})


def _milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
