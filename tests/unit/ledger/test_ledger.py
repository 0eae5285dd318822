"""Entries and lanes as bytes: one form, one order, and no change that the check of a lane does not name."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.errors import IntegrityError, InvalidCommit
from grace.ledger.entries import LARGEST, Line, check_body, entry_id, mark, parse, seal
from grace.ledger.lanes import GENESIS, LaneHead, check_lane, lane_of
from grace.ledger.replay import entries_of, replay
from grace.model.base import Head, canonical

NOW = 1_769_860_800_000


def line(n: int = 1, stream: str = "c-1", **body: Any) -> Line:
    return Line(
        id=entry_id("k-1", n),
        stream=stream,
        sseq=n,
        actor="grace",
        subsystem="contract",
        corr="r-1",
        cause="",
        type="contract.changed",
        contract=stream,
        digest="7d" * 32,
        body=check_body(body, "entry"),
    )


def chain(count: int, lane: int = 3) -> tuple[LaneHead, list[bytes]]:
    """Two streams, taking turns."""
    head, entries = LaneHead(lane), []
    for n in range(count):
        data, head = seal(line(n // 2 + 1, f"c-{n % 2}", set={"corr": "r-1"}), head, NOW + n)
        entries.append(data)
    return head, entries


def test_an_entry_has_one_form() -> None:
    data, after = seal(line(b="ä", a=[1, True, None]), LaneHead(3), NOW)

    assert data.startswith(b'{"actor":"grace","body":{"a":[1,true,null],"b":"\xc3\xa4"},"cause":"","contract":"c-1",')
    assert list(json.loads(data)) == sorted(json.loads(data))
    assert json.loads(data)["prev"] == GENESIS
    assert after == LaneHead(3, 1, hashlib.sha256(data).hexdigest(), NOW)
    assert parse(data).body == {"a": [1, True, None], "b": "ä"}


def test_the_id_follows_from_the_command() -> None:
    assert entry_id("k-1", 0) == hashlib.sha256(b"k-1#0").hexdigest()
    assert len({entry_id("k-1", 0), entry_id("k-1", 1), entry_id("k-10", 0)}) == 3


def test_f14_the_largest_entry_to_the_byte() -> None:
    spare = LARGEST - len(seal(line(x=""), LaneHead(3), NOW)[0])

    assert len(seal(line(x="x" * spare), LaneHead(3), NOW)[0]) == LARGEST
    with pytest.raises(InvalidCommit, match="60001 bytes of 60000"):
        seal(line(x="x" * (spare + 1)), LaneHead(3), NOW)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_json_knows_without_floats_has_one_form(value: Any) -> None:
    """The bytes are the canonical ones, whatever order the writer had its fields in."""
    data = seal(line(x=value, a=1), LaneHead(3), NOW)[0]

    assert data == canonical(json.loads(data))
    assert json.loads(data)["body"] == {"x": value, "a": 1}
    assert seal(line(a=1, x=value), LaneHead(3), NOW)[0] == data


def test_f14_a_body_that_holds_itself_is_too_deep() -> None:
    body: dict[str, Any] = {}
    body["x"] = body
    with pytest.raises(InvalidCommit, match="deeper"):
        check_body(body, "entry")


def test_lanes_are_spread_and_fixed() -> None:
    lanes = [lane_of(f"m-{n}", 16) for n in range(1600)]

    assert set(lanes) == set(range(16))
    assert max(lanes.count(lane) for lane in range(16)) < 150
    assert lane_of("m-1", 16) == int(hashlib.sha256(b"m-1").hexdigest(), 16) % 16


def test_a_sound_lane_has_no_faults_whole_or_in_parts() -> None:
    head, entries = chain(9)
    middle = chain(4)[0]

    assert check_lane(head, entries) == []
    assert check_lane(head, entries[4:], middle) == []
    assert check_lane(LaneHead(3), []) == []


def edit(entries: list[bytes], at: int, **fields: Any) -> list[bytes]:
    changed = json.loads(entries[at]) | fields
    return [*entries[:at], json.dumps(changed, sort_keys=True, separators=(",", ":")).encode(), *entries[at + 1 :]]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda e: e[:-1], "head states entry 9"),
        (lambda e: e[1:], "does not follow"),
        (lambda e: [*e[:4], *e[5:]], "does not follow"),
        (lambda e: [*e[:4], e[5], e[4], *e[6:]], "does not follow"),
        (lambda e: [*e[:4], e[4], *e[4:]], "says it is entry 5"),
        (lambda e: edit(e, 4, actor="eve"), "entry 6: does not follow"),
        (lambda e: edit(e, 8, actor="eve"), "another end"),
        (lambda e: edit(e, 8, ts=NOW - 1), "its time is before"),
        (lambda e: edit(e, 8, sseq=7), "is number 7 of c-0, where number 5"),
        (lambda e: edit(e, 0, sseq=2), "is number 2 of c-0, where number 1"),
        (lambda e: edit(e, 3, lane=4), "of lane 4"),
        (lambda e: [*e[:4], b"{}", *e[5:]], "entry 5: is not an entry"),
        (lambda e: [*e[:4], b"[" * 100_000, *e[5:]], "entry 5: is not an entry"),
        (lambda e: [*e[:4], b"7", *e[5:]], "entry 5: is not an entry"),
    ],
)
def test_every_change_is_named(spoil: Any, says: str) -> None:
    head, entries = chain(9)

    faults = check_lane(head, spoil(entries))

    assert any(says in fault for fault in faults), faults


@given(st.integers(0, 6), st.data())
def test_no_bit_may_flip(which: int, data: st.DataObject) -> None:
    head, entries = chain(7)
    raw = bytearray(entries[which])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    assert check_lane(head, [*entries[:which], bytes(raw), *entries[which + 1 :]])


def test_replaying_needs_the_whole_stream_in_order() -> None:
    entries = [parse(data) for data in chain(8)[1]]
    mine = [e for e in entries if e.stream == "c-0"]

    assert replay(Head, mine) == Head(
        corr="r-1", version=4, log=(1, 3, 5, 7), marks="".join(mark(entry_id("k-1", n)) for n in (1, 2, 3, 4))
    )
    with pytest.raises(IntegrityError, match="lead to no Head"):
        replay(Head, [])
    for wrong in (mine[1:], [mine[0], mine[2]], [mine[0], entries[3]], mine[::-1]):
        with pytest.raises(IntegrityError, match="not what follows"):
            replay(Head, wrong)


def test_a_story_is_proved_to_be_the_streams_own() -> None:
    entries = chain(6)[1]

    assert [e.sseq for e in entries_of("c-0", [(1, entries[0]), (3, entries[2])])] == [1, 2]
    for wrong in ([(2, entries[1])], [(1, entries[0]), (5, entries[4])], [(4, entries[0])]):
        with pytest.raises(IntegrityError, match="not c-0's next"):
            entries_of("c-0", wrong)
    with pytest.raises(IntegrityError, match="entry 9 of c-0's lane is missing"):
        entries_of("c-0", [(9, None)])
