"""The two checkers as judges of a tampered log, each with the newest checkpoint of the true one as its pin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grace.errors import IntegrityError
from grace.ledger import fsck, note
from tests.ledger.tampering import Objects, tamperings
from tests.support import checker
from tests.support.logs import ORIGIN, Log


def reject(logs: Sequence[Log], seed: int, count: int, folder: Path) -> tuple[list[str], int]:
    """Return which of the tamperings the Go checker believed, and of how many kinds they were."""
    drawn = tamperings(logs, seed, count)
    believed = []
    for log in logs:
        pin = folder / f"pin-{log.edge.size}"
        pin.write_bytes(log.objects["checkpoint"])
        mine = {
            checker.lay_out(folder / what.replace(" ", "-"), objects): what
            for what, of, objects in drawn
            if of is log
        }  # fmt: skip
        says = checker.verdicts(log.verifier.key.vkey, list(mine), "-lanes", "-pin", str(pin))
        believed += [what for place, what in mine.items() if says[place].startswith(checker.SOUND)]
    return believed, len({what.split(" ", 1)[1] for what, *_ in drawn})


def refuses(log: Log, objects: Objects) -> bool:
    try:
        return not ours(log, objects).sound
    except IntegrityError:
        return True


def ours(log: Log, objects: Objects) -> fsck.Report:
    pin = note.verify(log.objects["checkpoint"], [log.verifier], ORIGIN)
    return fsck.check(objects.get, objects, log.verifier, pin=pin)
