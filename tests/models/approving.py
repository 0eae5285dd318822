"""The approval protocol as a state machine small enough to look at every state it can be in.

Two approvers, one of whom has two mailboxes, and the one who asked for the change; two must agree, both signed in. A
request reads the record and writes later, two requests at a time, in every order with all else: the contract is edited,
asked anew, swapped behind the record's back; the alarm recovers; time passes; the workflow is woken, by us or by somebody
who has stolen its token, reads the record, and runs what the gate lets through.

Each mutant takes mechanisms away. The invariants are those of the approval: what is found wrong names one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

NEED, END, LAST_GENERATION = 2, 2, 2
MAILBOXES = (("ada", 1), ("ada", 2), ("bob", 1), ("roy", 1))
EXCLUDED = frozenset({"roy"})
FINAL = frozenset({"approved", "rejected", "expired", "superseded"})

MUTANTS: dict[str, tuple[frozenset[str], str]] = {
    "opening a link votes": (frozenset({"get is read only"}), "I15"),
    "the proof of a link is not looked at": (frozenset({"mac"}), "I16"),
    "a link that was replaced is taken": (frozenset({"generation"}), "I16"),
    "whoever is signed in may use any link": (frozenset({"sign-in"}), "I16"),
    "a link for another contract's text is taken": (frozenset({"generation", "link digest"}), "I16"),
    "one vote for each mailbox": (frozenset({"vote key"}), "I17"),
    "who asked for it may vote": (frozenset({"excluded"}), "I17"),
    "a vote may be taken back by a second": (frozenset({"one vote"}), "I17"),
    "one is enough": (frozenset({"need"}), "I18"),
    "rejections are counted as approvals": (frozenset({"count"}), "I18"),
    "nobody looks at the time": (frozenset({"time"}), "I18"),
    "what was read is not compared when it is written": (frozenset({"compare"}), "I19"),
    "what is closed takes votes": (frozenset({"closed"}), "I19"),
    "the end of the time overwrites a decision": (frozenset({"expire pending"}), "I19"),
    "the alarm's recovery overwrites a decision": (frozenset({"supersede pending"}), "I19"),
    "a wake-up is believed": (frozenset({"decided reads", "gate status"}), "I20"),
    "the gate looks at nothing": (frozenset({"gate status", "gate digest"}), "I20"),
    "the gate believes the digest it is told": (frozenset({"gate digest"}), "I20"),
    "an edited contract keeps its votes": (frozenset({"edit voids votes", "vote digest"}), "I21"),
    "an edited contract keeps its approval": (frozenset({"edit reopens", "gate digest"}), "I20"),
}
"""What is taken away, and the invariant that must then be found broken."""

SPARE: dict[str, frozenset[str]] = {
    "the gate stands behind the one who reads after the wake-up": frozenset({"decided reads"}),
    "the reader stands before the gate": frozenset({"gate status"}),
    "the generation stands behind the link's digest": frozenset({"link digest"}),
    "votes of another text are not counted, even when they are left": frozenset({"edit voids votes"}),
}
"""Mechanisms that have another behind them: taken away alone, nothing breaks; together, each is in `MUTANTS`."""


class Broken(AssertionError):
    """An invariant does not hold in a state that can be reached."""


class Link(NamedTuple):
    """One letter's link."""

    person: str
    mailbox: int
    digest: int
    generation: int
    authentic: bool = True


class Vote(NamedTuple):
    """A vote, and what it was given on, which only the invariants look at."""

    link: Link
    signed: str
    yes: bool
    in_time: bool
    current: int
    """The generation that was asked when the vote was written."""

    @property
    def person(self) -> str:
        """Whose vote it is."""
        return self.link.person


class Record(NamedTuple):
    """What decides."""

    status: str = "pending"
    generation: int = 1
    digest: int = 0
    votes: frozenset[Vote] = frozenset()


class Flight(NamedTuple):
    """A request between reading and writing."""

    read: Record
    vote: Vote


class State(NamedTuple):
    """All there is, at one moment. `minted` has the digest of each generation's letters."""

    record: Record = Record()
    contract: int = 0
    minted: tuple[int, ...] = (0,)
    clock: int = 0
    flights: frozenset[Flight] = frozenset()
    flow: str = "waiting"
    ran: int | None = None


class Protocol:
    """The rules, less the mechanisms that are taken away."""

    def __init__(self, removed: frozenset[str] = frozenset()) -> None:
        self.removed = removed

    def has(self, mechanism: str) -> bool:
        """Whether the mechanism is in place."""
        return mechanism not in self.removed

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Yield all that can happen next, each with its name."""
        for name, after in self._steps(state):
            yield name, self._without_the_lost(after)

    def _steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self.requests(state)
        for flight in state.flights:
            yield "write", self.write(state, flight)
        yield from self.surroundings(state)
        yield from self.workflow(state)

    def _without_the_lost(self, state: State) -> State:
        """Forget the requests whose write will change nothing, whenever it comes."""
        if not self.has("compare"):
            return state
        alive = frozenset(flight for flight in state.flights if flight.read == state.record)
        return state if alive == state.flights else state._replace(flights=alive)

    # -- people, scanners and thieves of links

    def requests(self, state: State) -> Iterator[tuple[str, State]]:
        """A link is opened, or its form sent: read now, written later."""
        generations = enumerate(state.minted, 1)
        links = [Link(*mailbox, digest, number) for number, digest in generations for mailbox in MAILBOXES]
        forged = Link("bob", 1, state.record.digest, state.record.generation, authentic=False)
        for link, yes in product((*links, forged), (True, False)):
            for signed in {link.person, "bob"}:
                vote = Vote(link, signed, yes, state.clock < END, state.record.generation)
                if self.admitted(state, vote) and len(state.flights) < 2:
                    flights = state.flights | {Flight(state.record, vote)}
                    yield "post", state._replace(flights=flights)
                    if not self.has("get is read only"):
                        yield "get", self.write(state._replace(flights=flights), Flight(state.record, vote))

    def admitted(self, state: State, vote: Vote) -> bool:
        """Whether a request is let through by what it carries and what is read."""
        record, link = state.record, vote.link
        checks = {
            "mac": link.authentic,
            "generation": link.generation == record.generation,
            "link digest": link.digest == record.digest,
            "sign-in": vote.signed == link.person,
            "excluded": link.person not in EXCLUDED,
            "time": vote.in_time,
            "closed": record.status == "pending",
        }
        return all(holds for name, holds in checks.items() if self.has(name)) and self.first_vote(record, vote)

    def first_vote(self, record: Record, vote: Vote) -> bool:
        """Whether this person has not voted on this text."""
        if not self.has("one vote"):
            return vote not in record.votes
        mine = {v for v in record.votes if v.person == vote.person and v.link.digest == record.digest}
        return not {v for v in mine if self.has("vote key") or v.link.mailbox == vote.link.mailbox}

    def write(self, state: State, flight: Flight) -> State:
        """Write the vote and what it leads to, if the record is still the one that was read."""
        landed = state._replace(flights=state.flights - {flight})
        read, vote = flight.read, flight.vote
        if self.has("compare") and read != state.record:
            return landed
        votes = read.votes | {vote}
        status = "rejected" if not vote.yes and self.has("count") else read.status
        if vote.yes or not self.has("count"):
            status = "approved" if self.enough(votes, read.digest) else read.status
        return landed._replace(record=read._replace(status=status, votes=votes))

    def enough(self, votes: frozenset[Vote], digest: int) -> bool:
        """Whether the votes approve."""
        counted = [v for v in votes if v.yes or not self.has("count")]
        counted = [v for v in counted if v.link.digest == digest or not self.has("vote digest")]
        keys = {v.person if self.has("vote key") else v.link[:2] for v in counted}
        return len(keys) >= (NEED if self.has("need") else 1)

    # -- time, alarms, editors

    def surroundings(self, state: State) -> Iterator[tuple[str, State]]:
        """What happens beside the people who are asked."""
        record = state.record
        pending = record.status == "pending"
        if state.clock < END:
            yield "time", state._replace(clock=state.clock + 1)
        elif pending or not self.has("expire pending"):
            yield "expire", state._replace(record=record._replace(status="expired"))
        if pending or not self.has("supersede pending"):
            yield "recover", state._replace(record=record._replace(status="superseded"))
        if record.generation < LAST_GENERATION:
            if pending:
                anew = record._replace(generation=record.generation + 1)
                yield "ask anew", state._replace(record=anew, minted=(*state.minted, record.digest))
            if pending or (record.status == "approved" and state.flow != "ran"):
                yield "edit", self.edited(state)
        if state.contract == record.digest and state.flow != "ran":
            yield "swap", state._replace(contract=record.digest + 10)

    def edited(self, state: State) -> State:
        """The contract's text is another: what was asked about the old one is void, and it is asked about the new."""
        record, digest = state.record, state.record.digest + 1
        if not self.has("edit reopens"):
            return state._replace(contract=digest)
        votes = frozenset[Vote]() if self.has("edit voids votes") else record.votes
        new = Record("pending", record.generation + 1, digest, votes)
        return state._replace(record=new, contract=digest, minted=(*state.minted, digest), flow="waiting")

    # -- the workflow

    def workflow(self, state: State) -> Iterator[tuple[str, State]]:
        """Anybody's wake-up, what is read after it, and the gate before the call."""
        record = state.record
        if state.flow == "waiting":
            yield "wake", state._replace(flow="woken")  # by the resolver, or with a stolen token
        elif state.flow == "woken":
            goes_on = record.status == "approved" or not self.has("decided reads")
            yield "decided", state._replace(flow="gate" if goes_on else "waiting")
        elif state.flow == "gate":
            approved = record.status == "approved" or not self.has("gate status")
            same = state.contract == record.digest or not self.has("gate digest")
            passes = approved and same
            yield "gate", state._replace(flow="ran" if passes else "refused", ran=state.contract if passes else None)


def explore(removed: frozenset[str] = frozenset()) -> int:
    """Look at every state that can be reached, nearest first; return how many there are.

    Raises:
        Broken: an invariant does not hold; the message begins with its number and ends with the steps that led there.
    """
    protocol, start = Protocol(removed), State()
    came: dict[State, tuple[State, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for name, after in protocol.steps(state):
            if wrong := what_is_wrong(name, state, after):
                raise Broken(f"{wrong}\nafter: {', '.join([*path(came, state), name])}\nin: {after}")
            if after not in came:
                came[after] = (state, name)
                waiting.append(after)
    return len(came)


def path(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    """Return the names of the steps that led to a state."""
    names = []
    while step := came[state]:
        state, name = step
        names.append(name)
    return names[::-1]


def what_is_wrong(name: str, before: State, after: State) -> str | None:
    """Return the invariant that a step breaks, and how."""
    old, new = before.record, after.record
    if name == "get" and before != after:
        return "I15: opening a link changed something"
    for vote in new.votes - old.votes:
        link = vote.link
        if not link.authentic or vote.signed != link.person or link.generation != vote.current:
            return f"I16: {vote} was taken"
    of_this_text = [v for v in new.votes if v.link.digest == new.digest]
    if len({v.person for v in of_this_text}) < len(of_this_text) or {v.person for v in new.votes} & EXCLUDED:
        return "I17: somebody has two votes, or one they may not have"
    if old.status in FINAL and name != "edit" and old != new:
        return f"I19: {old.status} became {new.status}"
    if old.digest != new.digest and (new.status != "pending" or new.generation == old.generation):
        return "I21: an edit left the approval as it was"
    return wrong_approval(new) or wrong_run(before, after)


def wrong_approval(record: Record) -> str | None:
    """Return what is wrong with an approved record."""
    if record.status != "approved":
        return None
    if any(v.yes and v.link.digest != record.digest for v in record.votes):
        good = {v.person for v in record.votes if v.yes and v.link.digest == record.digest}
        if len(good) < NEED:
            return "I21: a vote on the text before the edit was counted"
    good = {v.person for v in record.votes if v.yes and v.link.digest == record.digest and v.in_time} - EXCLUDED
    return f"I18: approved by {sorted(good)}" if len(good) < NEED else None


def wrong_run(before: State, after: State) -> str | None:
    """Return what is wrong with what the gate let through."""
    if after.ran is None or before.ran is not None:
        return None
    if after.record.status != "approved" or after.ran != after.record.digest:
        return f"I20: {after.ran} ran, and {after.record.digest} is {after.record.status}"
    return None
