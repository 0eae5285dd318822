"""Writers and integrators who take turns, and everything that may break off between them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grace.errors import AnswerLost, Conflict, Unavailable
from grace.flow.integrate import integrate
from grace.ledger.entries import entry_id, parse
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.records import Subsystem
from tests.support.ledger import Fault, Killed, Ledger, stored

SEED = 20_261_121
LANES, STREAMS = 16, 40
BROKEN: tuple[Callable[[], BaseException], ...] = (
    Killed,
    lambda: Unavailable("no answer"),
    lambda: AnswerLost("it may have happened"),
)


@dataclass
class Asleep(Fault):
    """Not a broken call but a late one: much happens before it, and then it is made after all."""

    meanwhile: Callable[[], None] = lambda: None

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Sleep before the `at`-th call."""
        self.seen += 1
        if self.seen == self.at:
            self.hit = name
            self.meanwhile()
        return function(*args, **kwargs)


@dataclass
class Run:
    """Writers and integrators who take turns as the seed will have it; every tenth call or so breaks off."""

    seed: int
    ledger: Ledger = field(default_factory=lambda: Ledger(LANES))
    acknowledged: set[str] = field(default_factory=set)
    commits: list[Commit] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def until(self, count: int, seen: Callable[[int], object] = lambda _: None) -> None:
        """Go on until so many entries were acknowledged, then let it end in peace; `seen` is told of each few."""
        rng = random.Random(self.seed)
        while len(self.acknowledged) < count:
            before = len(self.acknowledged)
            self.write(rng)
            seen(len(self.acknowledged) - before)
            if rng.random() < 0.03:
                self.integrate(rng)
        while self.ledger.integrate().added:
            pass
        self.ledger.integrate()

    def write(self, rng: random.Random) -> None:
        """Commit a few entries of one stream; a call without an answer is made again, and some answered ones too."""
        where = ref(
            Subsystem, "part" + chr(ord("a") + rng.randrange(26)) + chr(ord("a") + rng.randrange(STREAMS // 26 + 1))
        )
        was = self.ledger.store.read(where).get(where)
        head = was or Subsystem(name=where.ids[0], at=self.ledger.clock.now())
        number = len(self.commits)
        commit = Commit(
            command=command_id("write", str(number)),
            head=head.model_copy(update={"count": head.count + 1, "at": self.ledger.clock.now()}),
            was=was,
            entries=tuple(EntryDraft(type="signal.quarantined", body={"n": number}) for _ in range(rng.randint(1, 4))),
            at=self.ledger.clock.now(),
            actor="grace",
            subsystem="triage",
        )
        for _ in range(rng.choice([1, 1, 1, 1, 2])):
            self.commit(commit, rng)
        self.commits.append(commit)
        self.acknowledged |= {entry_id(commit.command, index) for index in range(len(commit.entries))}
        if rng.random() < 0.05:
            self.commit(rng.choice(self.commits), rng)

    def commit(self, commit: Commit, rng: random.Random) -> None:
        """Make a commit until it is answered."""
        while True:
            broken = rng.random()
            if broken < 0.05:
                self.met["a commit not made"] += 1
                continue
            self.ledger.store.commit(commit)
            if broken > 0.1:
                return
            self.met["a commit's answer lost"] += 1

    def integrate(self, rng: random.Random) -> None:
        """Run an integrator that dies, or hears no answer, at some call or at none; a second may run inside the first."""
        at = rng.randint(1, 60)
        fault = Fault(at, rng.choice(BROKEN), after=rng.random() < 0.5)
        if rng.random() < 0.3:
            fault = Asleep(at, meanwhile=lambda: self.overtake(rng))
        try:
            integrate(self.ledger.broken(fault))
        except (Killed, Unavailable, AnswerLost, Conflict) as exc:
            self.met[f"{type(exc).__name__} at {fault.hit}"] += 1

    def overtake(self, rng: random.Random) -> None:
        """While one integrator sleeps, more is written and another does it all."""
        self.met["slept and woke"] += 1
        for _ in range(rng.randint(0, 3)):
            self.write(rng)
        self.ledger.integrate()

    def lost_and_doubled(self) -> tuple[int, int]:
        """How many acknowledged entries the published tree has not, and how many it has more than once or unasked."""
        found = Counter(parse(data).id for data in stored(self.ledger))
        return len(self.acknowledged - found.keys()), sum(found.values()) - len(self.acknowledged & found.keys())
