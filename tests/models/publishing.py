"""Lanes, HEAD and publishing as a state machine small enough to look at every state it can be in.

Writers append to lanes; two integrators and the signer take one step at a time, in every order; each may be killed
between any two steps and start anew, or sleep for ever and wake. An entry is (lane, number in it); a tree is the tuple
of its entries and stands for its own root: two trees are consistent when one begins with the other. Once, at any moment,
somebody may put another history in the place of rows, head and tiles: its entries have negative numbers. The log may halt
then; but what the key has signed, kept or not, is one history still.

Each name in `MUTANTS` takes one mechanism away. The invariants are those of the log: what is found wrong names one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

Entry = tuple[int, int]
Tree = tuple[Entry, ...]
Cursors = tuple[int, ...]

LIMITS: Cursors = (2, 1)
"""How many entries each lane gets."""

MUTANTS = {
    "the head is written without comparing it": "I4",
    "positions are drawn before the transaction": "I2",
    "nobody rolls forward what another left": "I8",
    "a new batch begins before the last is published": "I8",
    "the last batch is derived from the lanes as they are now": "I8",
    "tiles are stored before the head is": "I8",
    "tiles are overwritten before the head is": "I6",
    "the signer signs what it is told": "I5",
    "the signer's record is written after the signature": "I5",
    "the signer's record is written without comparing it": "I5",
    "the signature comes before the tiles": "I6",
    "an older checkpoint replaces a newer one": "I7",
    "published is stated without a signature": "I6",
}
"""What is taken away, and the invariant that must then be found broken."""


class Head(NamedTuple):
    """The tree head's row: its fence, the batch before and the current one, and how much of it is published."""

    v: int = 0
    before: Cursors = (0,) * len(LIMITS)
    was: Tree = ()
    cursors: Cursors = (0,) * len(LIMITS)
    tree: Tree = ()
    published: int = 0


class Worker(NamedTuple):
    """One integrator between two steps: where it is, and what it has read or worked out so far."""

    at: str = "idle"
    head: Head = Head()
    tree: Tree = ()
    cursors: Cursors = ()
    seen: Tree | None = None
    """The checkpoint it would replace, as it was read."""
    last: Tree = ()
    """The signer's record, as it was read."""


@dataclass(frozen=True)
class State:
    """All there is, at one moment."""

    lanes: tuple[frozenset[int], ...] = (frozenset(),) * len(LIMITS)
    drawn: Cursors = (0,) * len(LIMITS)
    """Positions that were given out; the same as what is committed, but in one mutant."""
    head: Head = field(default_factory=Head)
    tiles: tuple[tuple[int, Tree], ...] = ()
    signed: frozenset[Tree] = frozenset()
    """What the key has signed."""
    kept: tuple[tuple[int, Tree], ...] = ()
    latest: Tree | None = None
    record: Tree = ()
    workers: tuple[Worker, Worker] = field(default_factory=lambda: (Worker(), Worker()))
    halted: bool = False
    replaced: bool = False
    """Whether there is another history in the place of the log's own."""

    def tile(self, size: int) -> Tree | None:
        """What is stored for the right edge of that size."""
        return dict(self.tiles).get(size)


class Broken(Exception):
    """An invariant does not hold; the message begins with its name."""


def explore(mutant: str = "", *, replaced: bool = False) -> int:
    """Look at every state that can be reached; return how many there are.

    With somebody who replaces the log it begins with two entries and ends with three: that is enough for two histories.

    Raises:
        Broken: naming the first invariant that does not hold, and where.
    """
    first = State(lanes=(frozenset({1}), frozenset({1})), drawn=(1, 1)) if replaced else State()
    seen, waiting = {first}, deque([first])
    while waiting:
        state = waiting.popleft()
        for after in (*steps(state, mutant), *(replacing(state) if replaced else ())):
            if after in seen:
                continue
            check(state, after)
            seen.add(after)
            waiting.append(after)
    for state in seen:
        if not replaced and not settles(state, mutant):
            raise Broken(f"I8: {state} never gets all its entries published")
    return len(seen)


def steps(state: State, mutant: str) -> Iterator[State]:
    """Yield every state that is one step away."""
    if state.halted:
        return
    yield from appends(state, mutant)
    for number, worker in enumerate(state.workers):
        for after in worker_steps(state, worker, mutant):
            yield _with(after[0], number, after[1])
        if worker.at != "idle":
            yield _with(state, number, Worker())


def replacing(state: State) -> Iterator[State]:
    """All that is neither locked nor the signer's own is another log's: its rows, and a tree that is to grow from them."""
    if not state.replaced:
        yield replace(state, head=Head(state.head.v + 1), tiles=(), replaced=True)


def appends(state: State, mutant: str) -> Iterator[State]:
    """A commit: its position in the lane is fixed by the same transaction that writes it."""
    for lane, limit in enumerate(LIMITS):
        held, drawn = state.lanes[lane], state.drawn[lane]
        if mutant == "positions are drawn before the transaction":
            if drawn < limit:
                yield replace(state, drawn=_put(state.drawn, lane, drawn + 1))
            for number in range(1, drawn + 1):
                if number not in held:
                    yield replace(state, lanes=_put(state.lanes, lane, held | {number}))
        elif len(held) < limit:
            number = len(held) + 1
            yield replace(state, lanes=_put(state.lanes, lane, held | {number}), drawn=_put(state.drawn, lane, number))


def worker_steps(state: State, worker: Worker, mutant: str) -> Iterator[tuple[State, Worker]]:
    """Yield what an integrator's next step leads to."""
    step: dict[str, Callable[[State, Worker, str], tuple[State, Worker] | None]] = {
        "idle": _read_head,
        "derive": _derive,
        "early": _store_early,
        "commit": _commit,
        "store": _store,
        "sign": _sign,
        "record": _record,
        "make": _make,
        "keep": _keep,
        "look": _look,
        "show": _show,
        "done": _done,
        "state": _state_published,
    }
    after = step[worker.at](state, worker, mutant)
    if after is not None:
        yield after


def _read_head(state: State, worker: Worker, mutant: str) -> tuple[State, Worker] | None:
    head = state.head
    if head.published < len(head.tree) and mutant == "a new batch begins before the last is published":
        return state, Worker("derive", head)
    if head.published < len(head.tree):
        if mutant == "nobody rolls forward what another left":
            return None
        return _publish(state, worker, head, mutant)
    return state, Worker("derive", head)


def _publish(state: State, worker: Worker, head: Head, mutant: str) -> tuple[State, Worker]:
    """Begin to publish: derive the last batch again, between the two cursors, onto the tiles of the size before."""
    to = head.cursors
    if mutant == "the last batch is derived from the lanes as they are now":
        to = tuple(max(held, default=0) for held in state.lanes)
    tree = head.was + _batch(state, head.before, to)
    known = state.tile(len(head.was)) if head.was else ()
    if tree != head.tree or known != head.was:
        return replace(state, halted=True), worker
    first = "sign" if mutant == "the signature comes before the tiles" else "store"
    return state, Worker(first, head, tree)


def _derive(state: State, worker: Worker, mutant: str) -> tuple[State, Worker] | None:
    """Read the lanes' heads and the entries that are new."""
    head = worker.head
    cursors = tuple(max(held, default=0) for held in state.lanes)
    if cursors == head.cursors:
        return None
    tree = head.tree + _batch(state, head.cursors, cursors)
    early = mutant in {"tiles are stored before the head is", "tiles are overwritten before the head is"}
    told = mutant == "the signer signs what it is told"
    return state, Worker("early" if early else "sign" if told else "commit", head, tree, cursors)


def _store_early(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    return _stored(state, worker, "commit", over=mutant == "tiles are overwritten before the head is")


def _commit(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    """The commit point: the head is what was read, or another was first and this work is thrown away."""
    if state.head.v != worker.head.v and mutant != "the head is written without comparing it":
        return state, Worker()
    head = worker.head
    after = Head(state.head.v + 1, head.cursors, head.tree, worker.cursors, worker.tree, head.published)
    state = replace(state, head=after)
    if mutant == "nobody rolls forward what another left":
        return _publish(state, worker, after, mutant)
    return state, Worker()


def _store(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    then = "state" if mutant == "published is stated without a signature" else "sign"
    if mutant == "the signature comes before the tiles":
        then = "state"
    return _stored(state, worker, then, over=False)


def _sign(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    """The signer reads its record and the head itself, and signs what extends the one and lies in the tiles."""
    if mutant == "the signer signs what it is told":
        return state, worker._replace(at="make")
    tree, last = state.head.tree, state.record
    unread = state.tile(len(tree)) != tree and mutant != "the signature comes before the tiles"
    if not tree or (unread and tree != last) or tree[: len(last)] != last:
        return state, Worker()
    late = mutant == "the signer's record is written after the signature"
    then = "make" if late or tree == last else "record"
    return state, worker._replace(at=then, tree=tree, last=last)


def _record(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    """The record binds every signer before there is a signature: it is what was read, or already this very tree."""
    then = "state" if mutant == "the signer's record is written after the signature" else "make"
    fits = state.record in (worker.last, worker.tree)
    if not fits and mutant != "the signer's record is written without comparing it":
        return state, Worker()
    return replace(state, record=worker.tree), worker._replace(at=then, last=())


def _make(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    """Where a checkpoint of this size is kept, it is this one; otherwise it is signed."""
    known = dict(state.kept).get(len(worker.tree))
    if known is not None and known != worker.tree and mutant != "the signer signs what it is told":
        return replace(state, halted=True), worker
    return replace(state, signed=state.signed | {worker.tree}), worker._replace(at="keep")


def _keep(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    kept = dict(state.kept)
    if kept.setdefault(len(worker.tree), worker.tree) != worker.tree:
        return replace(state, halted=True), worker
    then = (
        Worker("commit", *worker[1:4]) if mutant == "the signer signs what it is told" else worker._replace(at="look")
    )
    return replace(state, kept=tuple(sorted(kept.items()))), then


def _look(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    """Read the checkpoint that is shown, to replace exactly that one."""
    if state.latest is not None and len(state.latest) >= len(worker.tree):
        return state, worker._replace(at="done")
    return state, worker._replace(at="show", seen=state.latest)


def _show(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    if state.latest != worker.seen and mutant != "an older checkpoint replaces a newer one":
        return state, Worker()
    return replace(state, latest=worker.tree), worker._replace(at="done")


def _done(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    """The signer has answered: back to the integrator."""
    if mutant == "the signer's record is written after the signature":
        return state, worker._replace(at="record")
    return state, worker._replace(at="store" if mutant == "the signature comes before the tiles" else "state")


def _state_published(state: State, worker: Worker, mutant: str) -> tuple[State, Worker]:
    """The integrator sees the signed checkpoint, and says in the head how far it is published."""
    unseen = state.latest is None or len(state.latest) < len(worker.head.tree)
    if state.head.v != worker.head.v or (unseen and mutant != "published is stated without a signature"):
        return state, Worker()
    after = state.head._replace(v=state.head.v + 1, published=len(worker.head.tree))
    return replace(state, head=after), Worker()


def _stored(state: State, worker: Worker, then: str, *, over: bool) -> tuple[State, Worker]:
    """Put the tiles if there are none; other bytes at the same place stop everything and call a person."""
    size = len(worker.tree)
    known = state.tile(size)
    if known is not None and known != worker.tree and not over:
        return replace(state, halted=True), worker
    tiles = dict(state.tiles) | {size: worker.tree}
    return replace(state, tiles=tuple(sorted(tiles.items()))), worker._replace(at=then)


def check(before: State, after: State) -> None:
    """Raise `Broken` for an invariant that a step has left."""
    _check_signed(after)
    if after.replaced:
        return
    _check_tree(before.head.tree, after.head.tree)
    latest = after.latest
    if latest is not None and after.tile(len(latest)) != latest:
        raise Broken(f"I6: {latest} is published and its tiles are {after.tile(len(latest))}")
    if after.head.published and (latest is None or len(latest) < after.head.published):
        raise Broken(f"I6: {after.head.published} are said to be published, and {latest} is")
    if before.latest is not None and (latest is None or len(latest) < len(before.latest)):
        raise Broken(f"I7: the checkpoint went from {before.latest} back to {latest}")


def _check_tree(before: Tree, tree: Tree) -> None:
    for lane in range(len(LIMITS)):
        mine = [number for where, number in tree if where == lane]
        if mine != list(range(1, len(mine) + 1)):
            raise Broken(f"I2: lane {lane} is in the tree as {mine}")
    if tree[: len(before)] != before:
        raise Broken(f"I4: {tree} does not begin with {before}")


def _check_signed(state: State) -> None:
    tree, signed = state.head.tree, state.signed
    for one in signed:
        if one != tree[: len(one)] and not state.replaced:
            raise Broken(f"I5: {one} is signed and was never the log")
        if any(one != other[: len(one)] and other != one[: len(other)] for other in signed):
            raise Broken(f"I5: {one} and another are both signed")


def settles(state: State, mutant: str) -> bool:
    """Tell whether, left in peace from here, one integrator gets everything published; the other has died."""
    if state.halted:
        return False
    state = replace(state, workers=(Worker(), Worker()))
    for _ in range(100):
        [*after] = worker_steps(state, state.workers[0], mutant)
        if not after:
            break
        state = _with(after[0][0], 0, after[0][1])
        if state.halted:
            return False
    committed = sum(map(len, state.lanes))
    shown = len(state.latest or ())
    return state.head.published == len(state.head.tree) == committed == shown


def _batch(state: State, since: Cursors, to: Cursors) -> Tree:
    """The entries between two cursors, lane by lane: the same whenever it is asked."""
    return tuple(
        (lane, -number if state.replaced else number)
        for lane, held in enumerate(state.lanes)
        for number in sorted(held)
        if since[lane] < number <= to[lane]
    )


def _with(state: State, number: int, worker: Worker) -> State:
    workers = (worker, state.workers[1]) if number == 0 else (state.workers[0], worker)
    return replace(state, workers=workers)


def _put(values: tuple, at: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:at], value, *values[at + 1 :])
