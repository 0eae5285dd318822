"""The tree against the words of RFC 6962: roots, tiles, growth, and both proofs, at every size where something turns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import IntegrityError
from grace.ledger import tiles, tree
from tests.support import logs
from tests.support.logs import entry, grown

TURNS = (0, 1, 2, 3, 255, 256, 257, 511, 512, 513)
FAR = (65_535, 65_536, 65_537)


def subtrees(hashes: Iterable[bytes]) -> tree.Subtree:
    """Return the subtrees of a tree whose leaves' hashes are all at hand."""
    row = tuple(hashes)

    def root(height: int, index: int) -> bytes:
        return tree.fold(row[index << height : index + 1 << height])

    return root


@pytest.mark.parametrize("size", TURNS)
def test_the_root_is_the_definitions(size: int) -> None:
    assert grown(size).edge.root == logs.naive_root([entry(n) for n in range(size)])


def test_known_roots() -> None:
    """RFC 6962's own empty tree, and the first roots of the published test vectors."""
    known = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [tree.leaf(bytes.fromhex(text)) for text in known]
    assert tree.Edge().root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.Edge().grow(leaves[:1])[0].root.hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert tree.Edge().grow(leaves)[0].root.hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=6), st.binary(max_size=40))
def test_batches_do_not_matter(batches: list[int], salt: bytes) -> None:
    entries = [salt + entry(n) for n in range(sum(batches))]
    edge, rows, done = tree.Edge(), dict[Any, Any](), 0
    for count in batches:
        edge, changed = edge.grow([tree.leaf(data) for data in entries[done : done + count]])
        rows |= {(row.level, row.index): row.hashes for row in changed}
        done += count

    at_once, all_rows = tree.Edge().grow([tree.leaf(data) for data in entries])
    assert edge == at_once
    assert edge.root == logs.naive_root(entries)
    assert rows == {(row.level, row.index): row.hashes for row in all_rows}


def test_far_out_the_edge_leads_to_the_definitions_root() -> None:
    entries = [entry(n) for n in range(FAR[-1])]
    for size in FAR:
        log = grown(size - 700, size)
        assert log.edge.root == logs.naive_root(entries[:size])
        assert [len(level) for level in log.edge.levels] == list(tree.widths(size))
        hashes = tiles.TileHashes(log.fetch, size)
        for index in (0, 1, 255, 256, size // 2, size - 2, size - 1):
            path = tree.inclusion_proof(index, size, hashes)
            tree.check_inclusion(index, size, tree.leaf(entries[index]), path, log.edge.root)
        step = tree.consistency_proof(size - 700, size, hashes)
        tree.check_consistency(size - 700, size, logs.naive_root(entries[: size - 700]), log.edge.root, step)


def test_each_level_holds_the_roots_of_the_full_tiles_below() -> None:
    log = grown(66_000)
    entries = log.entries
    leaves = [tree.leaf(data) for data in entries]
    for place in tiles.places_between(0, 66_000):
        if isinstance(place, tiles.Tile):
            reach = 256**place.level
            first = place.index * 256 * reach
            expected = [tree.fold(leaves[first + i * reach : first + (i + 1) * reach]) for i in range(place.width)]
            assert log.objects[place.path] == b"".join(expected)


@pytest.mark.parametrize("size", [*range(1, 20), 255, 256, 257, 300])
def test_inclusion_proofs_are_the_definitions(size: int) -> None:
    log = grown(size)
    entries, hashes = log.entries, tiles.TileHashes(log.fetch, size)
    for index in range(size) if size < 20 else (0, 1, 127, 128, 254, size - 1):
        path = tree.inclusion_proof(index, size, hashes)
        assert path == logs.naive_path(index, entries)
        tree.check_inclusion(index, size, tree.leaf(entries[index]), path, log.edge.root)


@pytest.mark.parametrize("new", [*range(20), 255, 256, 257, 300])
def test_consistency_proofs_are_the_definitions(new: int) -> None:
    log = grown(new)
    entries, hashes = log.entries, tiles.TileHashes(log.fetch, new)
    for old in range(new + 1) if new < 20 else (0, 1, 2, 127, 128, 200, 254, new - 1, new):
        steps = tree.consistency_proof(old, new, hashes)
        assert steps == (logs.naive_consistency(old, entries) if old else [])
        tree.check_consistency(old, new, logs.naive_root(entries[:old]), log.edge.root, steps)


LEAVES = [hashlib.sha256(bytes([n])).digest() for n in range(60)]


@given(st.integers(1, 60), st.data())
def test_no_proof_of_inclusion_survives_a_change(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, leaf = tree.fold(LEAVES[:size]), LEAVES[index]
    path = tree.inclusion_proof(index, size, subtrees(LEAVES[:size]))
    tree.check_inclusion(index, size, leaf, path, root)

    wrong: list[tuple[int, int, bytes, list[bytes], bytes]] = [
        (index, size, LEAVES[(index + 1) % 60], path, root),
        (index, size, leaf, path, flip(root, data)),
        (index, size, leaf, [*path, LEAVES[0]], root),
        (-1, size, leaf, path, root),
        (size, size, leaf, path, root),
    ]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrong += [
            (index, size, leaf, [*path[:at], *path[at + 1 :]], root),
            (index, size, leaf, [*path[:at], flip(path[at], data), *path[at + 1 :]], root),
            (index ^ 1 << data.draw(st.integers(0, len(path) - 1)), size, leaf, path, root),
        ]
    for case in wrong:
        with pytest.raises(IntegrityError):
            tree.check_inclusion(*case)


@given(st.integers(0, 60), st.data())
def test_no_proof_of_consistency_survives_a_change(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    before, after = root_of(old), root_of(new)
    steps = tree.consistency_proof(old, new, subtrees(LEAVES[:new]))
    tree.check_consistency(old, new, before, after, steps)

    wrong = [
        (old, new, flip(before, data), after, steps),
        (old, new, before, after, [*steps, LEAVES[0]]),
        (new + 1, new, before, after, steps),
    ]
    if old:
        wrong.append((old, new, before, flip(after, data), steps))
    if steps:
        at = data.draw(st.integers(0, len(steps) - 1))
        wrong += [
            (old, new, before, after, [*steps[:at], *steps[at + 1 :]]),
            (old, new, before, after, [*steps[:at], flip(steps[at], data), *steps[at + 1 :]]),
            (old, new, before, after, []),
        ]
    for case in wrong:
        with pytest.raises(IntegrityError):
            tree.check_consistency(*case)


def test_an_entry_is_not_a_node() -> None:
    """A leaf made of two hashes is no second way to write the node over them (the second-preimage attack)."""
    assert tree.leaf(LEAVES[0] + LEAVES[1]) != tree.node(LEAVES[0], LEAVES[1])


def test_what_is_not_in_a_tree_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no entry 5"):
        tree.inclusion_proof(5, 5, subtrees(LEAVES[:5]))
    with pytest.raises(ValueError, match="cannot begin with 6"):
        tree.consistency_proof(6, 5, subtrees(LEAVES[:5]))


def test_an_edge_must_fit_its_size() -> None:
    with pytest.raises(IntegrityError, match="a tree of 2 entries"):
        tree.Edge(2, ((LEAVES[0],),))
    with pytest.raises(IntegrityError, match="32 bytes"):
        tree.Edge(1, ((b"short",),))


def root_of(size: int) -> bytes:
    return tree.fold(LEAVES[:size]) if size else tree.EMPTY


def flip(value: bytes, data: st.DataObject) -> bytes:
    changed = bytearray(value)
    changed[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(changed)
