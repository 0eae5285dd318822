"""Forge approval links in every way we could think of, and count what is let in. It must be none.

Each attempt goes through the page's own `open_link`, with the record, the key and the people of a real approval behind
it. The attempts are drawn from a seed: the same seed tries the same links.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

from grace.errors import NotFound
from grace.flow.link import open_link
from grace.gateways.memory import MemoryMacs
from grace.model.link import TOKEN_LENGTH, Link, decode, encode, message
from tests.support.links import minted
from tests.support.world import World
from tests.unit.web.scenes import mailed

SEED = 20261121
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LOOKALIKES = str.maketrans("ABCEHKMOPTXaceopxy-_", "АВСЕНКМОРТХасеорху‐＿")
EVERY = 1_000


@dataclass(frozen=True)
class Tried:
    """How many links were tried, of which kinds, and those that were let in."""

    kinds: Counter[str]
    accepted: tuple[tuple[str, str], ...]

    @property
    def count(self) -> int:
        """How many were tried."""
        return self.kinds.total()


class Forger:
    """One who has seen a letter of each approver, knows the code and the people, and does not have the key."""

    def __init__(self, seed: int = SEED) -> None:
        """Set the scene: a change that waits for people, whose links are known to the forger."""
        self.world, self.contract = mailed()
        # Nothing is written here, so what was read once stands: a million attempts are a minute, not ten.
        self.world.store.read = lru_cache(64)(self.world.store.read)
        self.random = random.Random(seed)  # what is tried must be the same again, not unforeseeable
        self.known = [minted(self.world, self.contract, person) for person in ("ada", "bob")]
        self.foreign = [minted(*other, "ada") for other in [_elsewhere()]]
        self.other_key = MemoryMacs()
        self.other_key.keys = {name: b"not " + key for name, key in self.other_key.keys.items()}
        self.ways: dict[str, Callable[[], str]] = {
            "a bit of it is another": self.flipped,
            "its fields are others": self.refielded,
            "its proof is guessed": self.guessed,
            "its proof is another link's": self.borrowed,
            "its proof is by another key": self.foreign_key,
            "its proof is over something else": self.foreign_message,
            "it is from another deployment": self.elsewhere,
            "it is spelled otherwise": self.respelled,
            "it is longer or shorter": self.resized,
            "it is anything": self.anything,
        }

    def links(self, count: int) -> Iterator[tuple[str, str]]:
        """Yield so many links, each with its kind; none of them is one of ours."""
        kinds = list(self.ways)
        made = 0
        while made < count:
            kind = kinds[made % len(kinds)]
            link = self.ways[kind]()
            if link not in self.known:
                made += 1
                yield kind, link

    def opens(self, link: str) -> bool:
        """Whether the page would show anything to whoever has this link."""
        try:
            open_link(link, self.world)
        except NotFound:
            return False
        return True

    # -- the ways

    def flipped(self) -> str:
        raw = bytearray(_bytes(self.one()))
        for _ in range(self.random.choice((1, 1, 1, 2, 8))):
            raw[self.random.randrange(len(raw))] ^= 1 << self.random.randrange(8)
        return _text(bytes(raw))

    def refielded(self) -> str:
        link, mac = decode(self.one())
        return encode(self.changed(link), mac)

    def guessed(self) -> str:
        link, _ = decode(self.one())
        if self.random.random() < 0.5:
            link = self.changed(link)
        return encode(link, self.random.choice((bytes(32), b"\xff" * 32, self.random.randbytes(32))))

    def borrowed(self) -> str:
        (link, _), (_, mac) = decode(self.known[0]), decode(self.known[1])
        return encode(self.random.choice((link, self.changed(link))), mac)

    def foreign_key(self) -> str:
        link, _ = decode(self.one())
        mac, _ = self.other_key.generate(message(link, 1))
        return encode(link if self.random.random() < 0.1 else self.changed(link), mac)

    def foreign_message(self) -> str:
        """Our own key, made to prove what is no link of this generation."""
        link = self.random.choice((decode(self.one())[0], self.changed(decode(self.one())[0])))
        said = message(link, 1)
        what = self.random.choice(
            (
                said.partition(b"\n")[2],
                message(link, self.random.randrange(2, 1_000_000)),
                said + self.random.randbytes(1),
                said[1:],
                said.upper(),
            )
        )
        return encode(link, self.world.macs.generate(what)[0])

    def elsewhere(self) -> str:
        link, mac = decode(self.random.choice(self.foreign))
        return encode(self.random.choice((link, self.changed(link))), mac)

    def respelled(self) -> str:
        link = self.one()
        at = self.random.randrange(TOKEN_LENGTH)
        return self.random.choice(
            (
                link[:-1] + self.random.choice(ALPHABET),
                link.replace("-", "+").replace("_", "/") + "=" * self.random.randrange(1, 3),
                link[:at] + self.random.choice(" \t\r\n\0%=.~") + link[at:],
                link[:at] + self.random.choice(" \t\n\0+/=.é０") + link[at + 1 :],
                link[:at] + link[at:].swapcase(),
                link[:at] + link[at:].translate(LOOKALIKES),
                link[:at] + f"%{ord(link[at]):02x}" + link[at + 1 :],
                link[:at] + self.random.choice(ALPHABET) + link[at + 1 :],
            )
        )

    def resized(self) -> str:
        link = self.one()
        at = self.random.randrange(TOKEN_LENGTH)
        tail = "".join(self.random.choices(ALPHABET, k=self.random.randrange(1, 9)))
        return self.random.choice((link[:at], link[at:], link + tail, tail + link, link + link, ""))

    def anything(self) -> str:
        if self.random.random() < 0.5:
            return "".join(self.random.choices(ALPHABET, k=TOKEN_LENGTH))
        return _text(b"\x01" + self.random.randbytes(76))

    def one(self) -> str:
        """One of the letters that were seen."""
        return self.random.choice(self.known)

    def changed(self, link: Link) -> Link:
        """Return the link with one field changed to what a forger would like it to say."""
        match self.random.randrange(4):
            case 0:
                return replace(link, expires=min(link.expires + self.random.randrange(1, 1 << 20), (1 << 32) - 1))
            case 1:
                return replace(link, approver=self.random.randbytes(8))
            case 2:
                return replace(link, digest=self.random.randbytes(16))
            case _:
                return replace(link, approval_id=self.random.randbytes(16))


def attempt(count: int, seed: int = SEED, seen: Callable[[int], object] = lambda _: None) -> Tried:
    """Try so many forged links; `seen` is told after every thousand how many were tried since."""
    forger, kinds, accepted = Forger(seed), Counter[str](), []
    for number, (kind, link) in enumerate(forger.links(count), 1):
        kinds[kind] += 1
        if forger.opens(link):
            accepted.append((kind, link))
        if number % EVERY == 0:
            seen(EVERY)
    return Tried(kinds, tuple(accepted))


def _elsewhere() -> tuple[World, str]:
    world, contract = mailed()
    world.macs.keys = {name: b"elsewhere " + key for name, key in world.macs.keys.items()}
    world.clock.advance(timedelta(minutes=1).total_seconds())
    return world, contract


def _bytes(link: str) -> bytes:
    return base64.urlsafe_b64decode(link + "=")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
