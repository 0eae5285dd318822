"""From a commit to the one transaction that both stores carry out. Pure.

What does not depend on the lane is worked out once; a commit that has to be repeated because its lane moved only
seals its entries again.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from grace.errors import InvalidCommit
from grace.ledger.entries import LARGE, SET, SKEW, Line, check_body, done_before, entry_id, mark, seal
from grace.ledger.lanes import LaneHead, lane_of
from grace.ledger.replay import LATEST, difference
from grace.model.base import SCHEMA_VERSION, Head, Item, Json
from grace.model.entry import Change, Commit
from grace.stores import keys
from grace.stores.rows import Row, check_readable, next_row_of, row_of
from grace.stores.rules import check_past, check_transition

REMEMBERED = timedelta(days=400)
"""How long the command of an endless stream is kept: longer than any of ours can come again."""
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
ROOM = 100
"""The actions one DynamoDB transaction holds."""

T = TypeVar("T", bound=Item)

_log = logging.getLogger(__name__)


class Check(NamedTuple):
    """A row that is not written and must be at this version; 0: must not be there."""

    key: keys.Key
    version: int


class Command(NamedTuple):
    """The row of a command of an endless stream; it may be dropped from the epoch second `forget_at` on."""

    key: keys.Key
    forget_at: int


class Transaction(NamedTuple):
    """All or nothing: each row as the version after the one that must be stored, the entries, the lane, the command.

    The first of `rows` is the commit's own head.
    """

    command: Command | None
    """What says that the command was carried out, where the head's marks do not."""
    before: LaneHead
    after: LaneHead
    rows: tuple[Row, ...]
    expected: tuple[int, ...]
    """The version each of `rows` must have in the store; 0: must not be there."""
    checks: tuple[Check, ...]
    entries: tuple[tuple[keys.Key, bytes], ...]
    head: Head
    """The commit's own head as this transaction writes it."""


class Plan(NamedTuple):
    """A commit that was found sound, waiting for the head of its lane."""

    commit: Commit
    lane: int
    changes: tuple[tuple[Change, tuple[Line, ...]], ...]
    rows: tuple[Row, ...]
    expected: tuple[int, ...]
    checks: tuple[Check, ...]

    @property
    def done(self) -> int | None:
        """The version the command led to, when the head it was decided on says that it was carried out before."""
        return self.done_by(self.commit.was)

    def done_by(self, head: Head | None) -> int | None:
        """Return the version the command led to, as this head of its stream knows it; None when it knows nothing."""
        return done_before(self.commit.command, head.marks) if head else None

    def on(self, lane: LaneHead) -> Transaction:
        """Return the transaction that continues the lane.

        Raises:
            InvalidCommit: an entry is too large.
        """
        now, after = _milliseconds(self.commit.at), lane
        entries: list[tuple[keys.Key, bytes]] = []
        heads: list[Head] = []
        for change, lines in self.changes:
            log = list(change.was.log) if change.was else []
            marks = change.was.marks if change.was else ""
            for line in lines:
                data, after = seal(line, after, now)
                if len(data) > LARGE:
                    _log.warning(
                        "entry %s of %s has %d bytes: its data belongs in the vault", line.type, line.stream, len(data)
                    )
                entries.append((keys.entry(after.lane, after.n), data))
                log.append(after.n)
                marks += mark(line.id)
            if change.head.endless:
                log, marks = log[-LATEST:], ""
            heads.append(_next(change.head, len(lines), log=tuple(log), marks=marks))
        return Transaction(
            command=Command(keys.command(self.commit.command), now // 1000 + int(REMEMBERED.total_seconds()))
            if self.commit.head.endless
            else None,
            before=lane,
            after=after,
            rows=(*(row_of(head) for head in heads), *self.rows),
            expected=(*(change.head.version for change, _ in self.changes), *self.expected),
            checks=self.checks,
            entries=tuple(entries),
            head=heads[0],
        )


def plan(commit: Commit, lanes: int) -> Plan:
    """Return the commit as something to carry out on a log of that many lanes.

    Raises:
        InvalidCommit: it breaks a rule of writing (see `rules.check_past`), could not be read again, or does not fit
            one transaction.
        IllegalTransition: the contract's status may not become that.
    """
    changes = (Change(commit.head, commit.was, commit.entries), *commit.also)
    if len({change.head.family for change in changes}) > 1:
        raise InvalidCommit(
            f"{', '.join(c.head.stream for c in changes)} are not of one family and cannot change together"
        )
    lined: list[tuple[Change, tuple[Line, ...]]] = []
    for change in changes:
        lined.append((change, _lines(commit, change, sum(len(lines) for _, lines in lined))))
    if any(isinstance(item, Head) for item in commit.items):
        raise InvalidCommit("a head is changed with entries of its own, never as one of the items")
    found = Plan(
        commit=commit,
        lane=lane_of(commit.head.family, lanes),
        changes=tuple(lined),
        rows=tuple(next_row_of(item) for item in commit.items),
        expected=tuple(item.version for item in commit.items),
        checks=(*(_seen(item) for item in commit.unchanged), *(Check(keys.key(ref), 0) for ref in commit.absent)),
    )
    _check_room(found)
    return found


def _lines(commit: Commit, change: Change, first: int) -> tuple[Line, ...]:
    """Return the entries of one head's change; the last one carries what it changed."""
    head = change.head
    check_past(change)
    check_readable(head)
    changed = difference(change.was, head)
    check_transition(head, change.was, changed)
    contract, digest = head.subject
    lines = []
    for index, draft in enumerate(change.entries):
        where = f"entry {draft.type} of {head.stream}"
        if draft.body.keys() & {SET, SKEW}:
            raise InvalidCommit(f"{where}: {SET!r} and {SKEW!r} are written by the store alone")
        last = index == len(change.entries) - 1
        body: dict[str, Json] = {**draft.body, SET: changed} if last and changed else draft.body
        lines.append(
            Line(
                id=entry_id(commit.command, first + index),
                stream=head.stream,
                sseq=head.version + index + 1,
                actor=commit.actor,
                subsystem=commit.subsystem,
                corr=head.corr,
                cause=draft.cause,
                type=draft.type,
                contract=contract,
                digest=digest,
                body=check_body(body, where),
            )
        )
    return tuple(lines)


def _next(item: T, by: int, **update: Json) -> T:
    return item.model_copy(update={"v": SCHEMA_VERSION, "version": item.version + by, **update})


def _seen(item: Item) -> Check:
    if item.version == 0:
        raise InvalidCommit(f"{type(item).__name__} {'/'.join(item.ids)} was never stored: name it as absent")
    return Check(keys.key_of(item), item.version)


def _check_room(found: Plan) -> None:
    """Refuse what DynamoDB would: two actions on one row, or more actions than a transaction holds."""
    named = [
        *(keys.key_of(change.head) for change, _ in found.changes),
        *(row.key for row in found.rows),
        *(check.key for check in found.checks),
    ]
    if len(set(named)) < len(named):
        twice = next(key for key in named if named.count(key) > 1)
        raise InvalidCommit(f"{twice.pk}/{twice.sk} is named twice in one commit")
    actions = 2 + len(named) + sum(len(lines) for _, lines in found.changes)
    if actions > ROOM:
        raise InvalidCommit(f"the commit has {actions} actions of {ROOM} that one transaction holds")


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND
