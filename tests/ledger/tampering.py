"""Everything somebody with power over a log may do to it, drawn from a seed. None of it may be believed afterwards.

Each kind takes a log's objects and returns them as the attacker leaves them. What the attacker may hold grows: the
bucket; the bucket and the knowledge how tiles are made; the log's own key. Against the last only a checkpoint helps that
somebody kept elsewhere, so every check is made with the newest one as its pin.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

from grace.ledger import tiles, tree
from grace.ledger.ed25519 import SeedSigner
from tests.support.logs import ORIGIN, Log, written

Objects = dict[str, bytes]
SEED = 20_261_121
OTHER = SeedSigner(ORIGIN, b"x" * 32)


def needed(log: Log) -> list[str]:
    """The objects that may not be missing: all but partial ones whose full one is there."""
    return [path for path in sorted(log.objects) if path.partition(".p/")[0] == path or not full(log, path)]


def full(log: Log, path: str) -> bool:
    """Whether the full tile or bundle of a partial one's place exists."""
    return path.partition(".p/")[0] in log.objects


def flip_a_bit(log: Log, rng: random.Random) -> Objects:
    path = rng.choice(sorted(log.objects))
    data = bytearray(log.objects[path])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return log.objects | {path: bytes(data)}


def change_a_byte_of_a_tile(log: Log, rng: random.Random) -> Objects:
    path = rng.choice([path for path in sorted(log.objects) if path.startswith("tile/") and "entries" not in path])
    data = bytearray(log.objects[path])
    data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    return log.objects | {path: bytes(data)}


def drop_an_object(log: Log, rng: random.Random) -> Objects:
    """A kept checkpoint may be lost without harm to what the others prove; the newest, tiles and bundles may not."""
    may = [path for path in needed(log) if path != "checkpoint" and not path.startswith("checkpoints/")]
    gone = rng.choice([*may, "checkpoint", f"checkpoints/{log.edge.size}"])
    return {path: data for path, data in log.objects.items() if path != gone}


def cut_an_object(log: Log, rng: random.Random) -> Objects:
    path = rng.choice(sorted(log.objects))
    data = log.objects[path]
    return log.objects | {path: data[: rng.randrange(len(data))]}


def lengthen_an_object(log: Log, rng: random.Random) -> Objects:
    path = rng.choice(sorted(log.objects))
    return log.objects | {path: log.objects[path] + rng.randbytes(rng.choice([1, 32, 500]))}


def swap_two_objects(log: Log, rng: random.Random) -> Objects:
    kinds = [sorted(path for path in log.objects if path.startswith(kind)) for kind in ("tile/", "checkpoints/")]
    while True:
        one, other = rng.sample(rng.choice(kinds), 2)
        if log.objects[one] != log.objects[other]:
            return log.objects | {one: log.objects[other], other: log.objects[one]}


def swap_two_hashes(log: Log, rng: random.Random) -> Objects:
    wide = [path for path in sorted(log.objects) if path.startswith("tile/0/") and len(log.objects[path]) > tree.HASH]
    path = rng.choice(wide)
    hashes = list(tiles.hashes_of(log.objects[path], len(log.objects[path]) // tree.HASH))
    one, other = rng.sample(range(len(hashes)), 2)
    hashes[one], hashes[other] = hashes[other], hashes[one]
    return log.objects | {path: b"".join(hashes)}


def put_in_an_object(log: Log, rng: random.Random) -> Objects:
    name = rng.choice(
        ["tile/0/0", "tile/entries/000.p/0", "tile/0/x000/000", "checkpoints/01", "notes.txt", "tile/0/000.p/256"]
    )
    return log.objects | {name: rng.randbytes(40)}


def unsigned(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Callable[[Log, random.Random], Objects]:
    """The entries changed and every tile made anew, under the checkpoints as they were signed."""

    def tamper(log: Log, rng: random.Random) -> Objects:
        made = written(change(log.entries, rng), *log.signed)
        kept = {path: data for path, data in log.objects.items() if path.startswith("checkpoint")}
        return {path: data for path, data in made.objects.items() if path.startswith("tile/")} | kept

    return tamper


def resigned(
    change: Callable[[list[bytes], random.Random], list[bytes]], signer: SeedSigner | None = None
) -> Callable[[Log, random.Random], Objects]:
    """The entries changed, and everything made and signed anew: by the log's own key, or by another of its name."""

    def tamper(log: Log, rng: random.Random) -> Objects:
        return written(change(log.entries, rng), *log.signed, signer=signer).objects

    return tamper


def edit(entries: list[bytes], rng: random.Random) -> list[bytes]:
    at = rng.randrange(len(entries))
    document = json.loads(entries[at])
    document["body"]["note"] = f"{rng.random()}"
    return [*entries[:at], json.dumps(document, sort_keys=True, separators=(",", ":")).encode(), *entries[at + 1 :]]


def drop(entries: list[bytes], rng: random.Random) -> list[bytes]:
    at = rng.randrange(len(entries))
    return [*entries[:at], *entries[at + 1 :]]


def insert(entries: list[bytes], rng: random.Random) -> list[bytes]:
    """Never at the very end: what lies beyond the newest checkpoint is no part of the log yet."""
    at = rng.randrange(len(entries))
    return [*entries[:at], rng.choice([b"{}", rng.randbytes(80), entries[at - 1]]), *entries[at:]]


def swap(entries: list[bytes], rng: random.Random) -> list[bytes]:
    one, other = rng.sample(range(len(entries)), 2)
    changed = list(entries)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


def truncate(entries: list[bytes], rng: random.Random) -> list[bytes]:
    return entries[: rng.randrange(1, len(entries))]


def roll_back(log: Log, rng: random.Random) -> Objects:
    """The log as it was at an earlier checkpoint, whole and rightly signed."""
    return written(log.entries[: rng.choice(log.signed[:-1])], *log.signed).objects


def show_an_older_checkpoint(log: Log, rng: random.Random) -> Objects:
    older = rng.choice(log.signed[:-1])
    return log.objects | {"checkpoint": log.objects[f"checkpoints/{older}"]}


def keep_a_checkpoint_of_another_history(log: Log, rng: random.Random) -> Objects:
    """The newest log is true, and one kept checkpoint shows that somebody was shown another."""
    size = rng.choice(log.signed[:-1])
    forked = written(edit(log.entries[:size], rng))
    return log.objects | {f"checkpoints/{size}": forked.objects["checkpoint"]}


def restate_the_checkpoint(log: Log, rng: random.Random) -> Objects:
    origin, size, root, rest = log.objects["checkpoint"].split(b"\n", 3)
    line = rng.randrange(3)
    changed = [
        b"\n".join([origin + b"x", size, root, rest]),
        b"\n".join([origin, str(int(size) + rng.choice([-1, 1])).encode(), root, rest]),
        b"\n".join([origin, size, root[::-1].lstrip(b"=") + b"=", rest]),
    ][line]
    return log.objects | {"checkpoint": changed}


def drop_the_signature(log: Log, rng: random.Random) -> Objects:
    text = log.objects["checkpoint"].partition(b"\n\n")[0]
    return log.objects | {"checkpoint": text + rng.choice([b"\n", b"\n\n"])}


KINDS: dict[str, Callable[[Log, random.Random], Objects]] = {
    "a bit flipped": flip_a_bit,
    "a byte of a tile": change_a_byte_of_a_tile,
    "an object dropped": drop_an_object,
    "an object cut": cut_an_object,
    "an object lengthened": lengthen_an_object,
    "two objects swapped": swap_two_objects,
    "two hashes swapped": swap_two_hashes,
    "an object put in": put_in_an_object,
    "an entry edited, tiles made anew": unsigned(edit),
    "an entry dropped, tiles made anew": unsigned(drop),
    "an entry put in, tiles made anew": unsigned(insert),
    "two entries swapped, tiles made anew": unsigned(swap),
    "entries cut off, tiles made anew": unsigned(truncate),
    "an entry edited, signed again": resigned(edit),
    "an entry dropped, signed again": resigned(drop),
    "an entry put in, signed again": resigned(insert),
    "two entries swapped, signed again": resigned(swap),
    "entries cut off, signed again": resigned(truncate),
    "an entry edited, signed by another": resigned(edit, OTHER),
    "nothing changed, signed by another": resigned(lambda entries, _: entries, OTHER),
    "rolled back": roll_back,
    "an older checkpoint shown": show_an_older_checkpoint,
    "a fork kept": keep_a_checkpoint_of_another_history,
    "the checkpoint restated": restate_the_checkpoint,
    "the signature dropped": drop_the_signature,
}


def tamperings(logs: Sequence[Log], seed: int, count: int) -> list[tuple[str, Log, Objects]]:
    """Draw `count` tamperings, all kinds in turn: what was done, to which log, and what is left."""
    rng = random.Random(seed)
    kinds = list(KINDS)
    found = []
    for number in range(count):
        log, kind = rng.choice(logs), kinds[number % len(kinds)]
        objects = KINDS[kind](log, rng)
        assert objects != log.objects, kind
        found.append((f"{number} {kind}", log, objects))
    return found
