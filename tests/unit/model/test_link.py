"""The approval link: one spelling for each, and nothing of it may be turned without a trace."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from string import ascii_lowercase, ascii_uppercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.model.ids import contract_bytes, contract_id, contract_named
from grace.model.link import (
    TOKEN_LENGTH,
    InvalidLink,
    Link,
    approver_bytes,
    decode,
    encode,
    link_of,
    message,
)

ALPHABET = ascii_uppercase + ascii_lowercase + digits + "-_"
VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
AT = datetime(2026, 1, 31, 12, 30, 0, 999_000, tzinfo=UTC)


def exactly(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length)


LINKS = st.builds(Link, exactly(16), exactly(8), exactly(16), st.integers(0, 2**32 - 1))
MACS = exactly(32)


@given(LINKS, MACS)
def test_a_link_comes_back_as_it_was_written(link: Link, mac: bytes) -> None:
    token = encode(link, mac)
    assert len(token) == TOKEN_LENGTH
    assert set(token) <= set(ALPHABET)
    assert decode(token) == (link, mac)


@given(LINKS, MACS)
def test_the_layout_is_the_agreed_one(link: Link, mac: bytes) -> None:
    raw = base64.urlsafe_b64decode(encode(link, mac) + "=")
    assert raw == b"\x01" + link.approval_id + link.approver + link.digest + link.expires.to_bytes(4, "big") + mac


@given(LINKS, MACS, st.data())
def test_f26_each_link_has_one_spelling(link: Link, mac: bytes, data: st.DataObject) -> None:
    """Another character anywhere is another link or none: no two texts are the same one."""
    token = encode(link, mac)
    at = data.draw(st.integers(0, TOKEN_LENGTH - 1))
    other = data.draw(st.sampled_from(ALPHABET).filter(lambda letter: letter != token[at]))
    try:
        found = decode(token[:at] + other + token[at + 1 :])
    except InvalidLink:
        return
    assert found != (link, mac)


@given(LINKS, MACS)
def test_f26_the_two_idle_bits_at_the_end_are_zero(link: Link, mac: bytes) -> None:
    token = encode(link, mac)
    last = VALUES[token[-1]]
    for letter, value in VALUES.items():
        if value != last and value >> 2 == last >> 2:
            with pytest.raises(InvalidLink):
                decode(token[:-1] + letter)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token + "=",
        lambda token: token[:-1] + "=",
        lambda token: "+" + token[1:],
        lambda token: "/" + token[1:],
        lambda token: " " + token[1:],
        lambda token: token[:-1] + "\n",
        lambda token: token[:-1] + "\u00e9",
        lambda token: "B" + token[1:],
    ],
)
def test_f26_what_is_not_written_as_we_write_is_no_link(spoil: object) -> None:
    token = encode(link_of(contract_id("m-1", "p", 1), "ada", "ab" * 32, AT), b"\0" * 32)
    assert callable(spoil)
    with pytest.raises(InvalidLink):
        decode(spoil(token))


@given(st.text(max_size=TOKEN_LENGTH + 10))
def test_f26_any_text_is_a_link_or_refused_in_one_way(text: str) -> None:
    try:
        link, mac = decode(text)
    except InvalidLink:
        return
    assert encode(link, mac) == text


@given(LINKS, LINKS, st.integers(1, 99), st.integers(1, 99))
def test_i16_what_the_mac_covers_differs_with_the_link_and_its_generation(
    one: Link, other: Link, first: int, second: int
) -> None:
    assert (message(one, first) == message(other, second)) == ((one, first) == (other, second))


def test_a_link_names_its_contract_person_digest_and_end() -> None:
    contract = contract_id("m-1", "p", 1)
    link = link_of(contract, "ada", "ab" * 32, AT)
    assert link.contract_id == contract
    assert link.approver == approver_bytes("ada") != approver_bytes("bob")
    assert link.digest == b"\xab" * 16
    assert link.expires_at == AT.replace(microsecond=0)


@pytest.mark.parametrize(
    ("sizes", "expires"),
    [((15, 8, 16), 0), ((16, 9, 16), 0), ((16, 8, 32), 0), ((16, 8, 16), -1), ((16, 8, 16), 2**32)],
)
def test_what_does_not_fit_is_not_written(sizes: tuple[int, int, int], expires: int) -> None:
    approval, approver, digest = (b"a" * size for size in sizes)
    with pytest.raises(ValueError, match="a link holds"):
        Link(approval, approver, digest, expires)


def test_a_mac_of_another_length_is_not_written() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        encode(link_of(contract_id("m-1", "p", 1), "ada", "ab" * 32, AT), b"short")


@given(exactly(16))
def test_a_contracts_id_is_sixteen_bytes_and_nothing_else(raw: bytes) -> None:
    name = contract_named(raw)
    assert len(name) == 28
    assert contract_bytes(name) == raw


@pytest.mark.parametrize("text", ["", "c-", "c-" + "a" * 25, "c-" + "a" * 25 + "b", "C-" + "a" * 26, "c-" + "A" * 26])
def test_what_is_no_contract_id_has_no_bytes(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        contract_bytes(text)


def test_a_drafted_contracts_id_is_one() -> None:
    drafted = contract_id("m-1", "roll_back_lambda_alias", 2)
    assert contract_named(contract_bytes(drafted)) == drafted
