"""Entries are believed only as the checkpoint's root has them: nothing can be hidden among those that are passed over."""

from __future__ import annotations

import pytest

from grace.errors import IntegrityError
from grace.ledger import finding, tree
from grace.ledger.note import Checkpoint
from grace.ledger.signed import SignedEntries
from grace.ledger.tiles import pack, unpack
from tests.support.logs import Log, grown, real_entries, written

SIZES = (1, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537, 66_100)


def signed(log: Log, objects: dict[str, bytes] | None = None) -> SignedEntries:
    held = log.objects if objects is None else objects
    return SignedEntries(held.get, Checkpoint(log.signer.name, log.edge.size, log.edge.root))


@pytest.mark.parametrize("size", SIZES)
def test_every_bundle_of_a_true_log_is_believed(size: int) -> None:
    log = grown(size)
    assert [data for _, data in signed(log).between(0, size)] == log.entries
    assert [at for at, _ in signed(log).between(size // 2, size)] == list(range(size // 2, size))
    assert signed(log).bundle((size - 1) // 256)[-1] == log.entries[-1]


@pytest.mark.parametrize("at", [0, 255, 256, 511, 512, 599])
def test_an_entry_of_another_stream_than_was_signed_is_refused_where_it_is_passed_over(at: int) -> None:
    log = written(real_entries(600))
    stream = f"c-{at % 9}"
    renamed = [data.replace(b'"stream":"%b"' % stream.encode(), b'"stream":"x-1"') for data in log.entries]
    number, width = at // 256, min(256, 600 - at // 256 * 256)
    path = next(path for path in log.objects if path.startswith(f"tile/entries/{number:03d}"))
    entries = unpack(log.objects[path], width)
    entries[at % 256] = renamed[at]
    changed = log.objects | {path: pack(entries)}
    with pytest.raises(IntegrityError, match=rf"entry {at} is not the one that was signed \({path}\)"):
        finding.stream_of(signed(log, changed), stream)

    tile = path.replace("entries", "0")
    level0 = log.objects | {path: pack(entries), tile: b"".join(tree.leaves(entries))}
    with pytest.raises(IntegrityError, match=r"is not what was signed|do not lead to the root"):
        finding.stream_of(signed(log, level0), stream)


def test_a_tile_at_any_height_is_held_against_the_one_above() -> None:
    log = grown(65_537)
    for path in ("tile/0/000", "tile/0/255", "tile/1/000"):
        changed = log.objects | {path: log.objects[path][:-1] + b"\x00"}
        with pytest.raises(IntegrityError, match=f"{path} is not what was signed"):
            list(signed(log, changed).between(0, 65_537))
    with pytest.raises(IntegrityError, match="do not lead to the root"):
        signed(log, log.objects | {"tile/2/000.p/1": bytes(32)})
