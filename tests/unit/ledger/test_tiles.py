"""Paths, bundles and growth as C2SP tlog-tiles writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.errors import IntegrityError
from grace.ledger import tiles, tree
from grace.ledger.tiles import Bundle, Tile
from tests.support.logs import Log, entry, grown


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(1, 999, 255), "tile/1/999.p/255"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(63, 1234067), "tile/63/x001/x234/067"),
        (Bundle(0), "tile/entries/000"),
        (Bundle(1234067, 8), "tile/entries/x001/x234/067.p/8"),
    ],
)
def test_each_place_has_one_path(place: Tile | Bundle, path: str) -> None:
    assert place.path == path
    assert tiles.parse_path(path) == place


@pytest.mark.parametrize(
    "path",
    [
        "", "checkpoint", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/0/000.p/0",
        "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/x000/000", "tile/0/001/000", "tile/0/x001", "tile/-1/000",
        "tile/0/000/", "/tile/0/000", "tile/0/000\n", "tile/data/000", "tile/0/٠٠٠", "tile/entries/0",
    ],
)  # fmt: skip
def test_no_other_path_is_read(path: str) -> None:
    assert tiles.parse_path(path) is None


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_paths_go_both_ways(level: int, index: int, width: int) -> None:
    for place in (Tile(level, index, width), Bundle(index, width)):
        assert tiles.parse_path(place.path) == place


def test_the_example_of_the_specification() -> None:
    """A tree of 70,000: 273 full tiles and one of 112; one full and one of 17; one of 1."""
    found = [place for place in tiles.places_between(0, 70_000) if isinstance(place, Tile)]
    assert [tile.width for tile in found if tile.level == 0] == [256] * 273 + [112]
    assert [tile.width for tile in found if tile.level == 1] == [256, 17]
    assert [tile.width for tile in found if tile.level == 2] == [1]
    assert tiles.tiles_at(70_000) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert tiles.tiles_at(256) == [Tile(1, 0, 1)]
    assert tiles.tiles_at(0) == list(tiles.places_between(5, 5)) == []


@given(st.integers(0, 1200), st.integers(0, 1200))
def test_growth_writes_just_what_is_new(old: int, more: int) -> None:
    log = grown(old)
    before = set(log.objects)
    grow(log, more)

    written = [place.path for place in tiles.places_between(old, old + more)]
    assert len(written) == len(set(written))
    assert {path for path in set(log.objects) - before if path.startswith("tile/")} == set(written)
    sizes = [path for path in log.objects if path.startswith("tile/") and not log.objects[path]]
    assert not sizes, "an empty tile must not exist"


def grow(log: Log, more: int) -> None:
    log.append([entry(n) for n in range(log.edge.size, log.edge.size + more)])


def test_every_signed_size_stays_readable_when_its_partials_are_gone() -> None:
    log = grown(1, 255, 257, 513, 600)
    log.objects = {
        path: data
        for path, data in log.objects.items()
        if path.partition(".p/")[0] == path or path.partition(".p/")[0] not in log.objects
    }
    assert "tile/0/000.p/1" not in log.objects

    for size in log.signed:
        root = grown(size).edge.root
        assert tiles.read_edge(log.fetch, size, root).root == root


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_go_both_ways(entries: list[bytes]) -> None:
    assert tiles.unpack(tiles.pack(entries), len(entries)) == entries


def test_a_bundle_holds_entries_to_the_byte() -> None:
    data = tiles.pack([b"", b"x" * 65_535])
    assert data[:4] == b"\x00\x00\xff\xff"
    for wrong in (data[:-1], data[:3], data + b"\x00", b"\x00"):
        with pytest.raises(IntegrityError, match="ends within entry"):
            tiles.unpack(wrong, 2)
    for width in (1, 3):
        with pytest.raises(IntegrityError, match="holds 2 entries"):
            tiles.unpack(data, width)
    with pytest.raises(ValueError, match="65535 bytes"):
        tiles.pack([b"x" * 65_536])
    with pytest.raises(ValueError, match="at most 256"):
        tiles.pack([b""] * 257)


def test_what_is_missing_or_short_is_named() -> None:
    log = grown(300)
    del log.objects["tile/0/001.p/44"]
    with pytest.raises(IntegrityError, match=r"tile/0/001\.p/44 is missing"):
        tiles.read_edge(log.fetch, 300, log.edge.root)
    log.objects["tile/0/001.p/44"] = b"\x00" * 44 * 31
    with pytest.raises(IntegrityError, match=r"tile/0/001\.p/44: a tile has 1364 bytes"):
        tiles.read_edge(log.fetch, 300, log.edge.root)
    log.objects["tile/entries/000"] = b"\x00\x01"
    with pytest.raises(IntegrityError, match="tile/entries/000: an entry bundle ends"):
        tiles.read_bundle(log.fetch, Bundle(0))


def test_an_edge_of_another_tree_is_refused() -> None:
    log = grown(300)
    assert tiles.read_edge(log.fetch, 300, log.edge.root) == log.edge
    with pytest.raises(IntegrityError, match="do not lead to the root of 300 entries"):
        tiles.read_edge(log.fetch, 300, tree.EMPTY)


def test_growth_refuses_a_tail_that_is_not_the_trees() -> None:
    log = grown(2)
    for tail in ([], [entry(0)], [entry(1), entry(0)], [entry(0), entry(1), entry(2)]):
        with pytest.raises(IntegrityError, match="last bundle"):
            tiles.growth(log.edge, tail, [entry(2)])
