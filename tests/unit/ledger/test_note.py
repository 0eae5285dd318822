"""Checkpoints and proof files: one form each, the published example among them, and nothing else is let through."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import IntegrityError
from grace.ledger import note, proof, tree
from grace.ledger.ed25519 import KeyVerifier, SeedSigner, public_key
from grace.ledger.note import Checkpoint
from tests.support.logs import ORIGIN, Log, entry, grown

SIGNER = SeedSigner(ORIGIN, b"s" * 32)
OTHER = SeedSigner(ORIGIN, b"o" * 32)
WITNESS = SeedSigner("witness.example/w", b"w" * 32)
VERIFIER = KeyVerifier(SIGNER.public)
POINT = Checkpoint(ORIGIN, 7, tree.leaf(b"root"))


def test_the_published_example_of_a_note_verifies() -> None:
    """PeterNeumann's key and note, from Go's package note: another implementation's bytes."""
    key = note.parse_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        b"If you think cryptography is the answer to your problem,\n"
        b"then you don't know what your problem is.\n"
    )  # fmt: skip
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    raw = base64.b64decode(signature)
    assert raw[:4] == key.key_id
    assert KeyVerifier(key).verify(text, raw[4:])
    assert not KeyVerifier(key).verify(text + b"\n", raw[4:])


def test_a_checkpoint_has_one_form() -> None:
    signed = note.sign(POINT, [SIGNER])
    text, _, lines = signed.partition(b"\n\n")

    assert text + b"\n" == POINT.text == f"{ORIGIN}\n7\n{base64.b64encode(POINT.root).decode()}\n".encode()
    assert lines.decode().startswith(f"— {ORIGIN} ")
    assert lines.endswith(b"\n")
    assert note.verify(signed, [VERIFIER], ORIGIN) == POINT


def test_a_key_is_published_in_one_form() -> None:
    vkey = SIGNER.public.vkey
    assert note.parse_vkey(vkey + "\n") == SIGNER.public
    name, stated, key = vkey.split("+", 2)
    for wrong in (
        f"{name}x+{stated}+{key}",
        f"{name}+{stated.upper()}x+{key}",
        f"{name}+00000000+{key}",
        f"{name}+{stated}+{key[:-4]}",
        f"{name}+{stated}",
        f"+{stated}+{key}",
        f"{name}+{stated}+{base64.b64encode(bytes([2]) + SIGNER.public.raw).decode()}",
        "",
    ):
        with pytest.raises(IntegrityError):
            note.parse_vkey(wrong)


def test_a_key_services_form_is_read() -> None:
    spki = bytes.fromhex("302a300506032b6570032100") + SIGNER.public.raw
    assert public_key(ORIGIN, spki) == SIGNER.public
    for wrong in (spki[:-1], spki + b"\x00", b"\x30\x59" + spki[2:]):
        with pytest.raises(ValueError, match="no Ed25519 key"):
            public_key(ORIGIN, wrong)


def test_signatures_of_others_are_passed_over_and_their_own_are_not_forged() -> None:
    cosigned = note.sign(POINT, [WITNESS, SIGNER, OTHER])
    assert note.verify(cosigned, [VERIFIER], ORIGIN) == POINT
    assert note.verify(cosigned, [VERIFIER, KeyVerifier(WITNESS.public)], ORIGIN) == POINT

    with pytest.raises(IntegrityError, match="carries no signature"):
        note.verify(note.sign(POINT, [OTHER, WITNESS]), [VERIFIER], ORIGIN)
    stolen = note.sign(POINT, [SIGNER]).replace(POINT.text, Checkpoint(ORIGIN, 8, POINT.root).text)
    with pytest.raises(IntegrityError, match="8 entries is not what"):
        note.verify(stolen, [VERIFIER], ORIGIN)
    with pytest.raises(IntegrityError, match="not of 'other'"):
        note.verify(cosigned, [VERIFIER], "other")


@settings(deadline=None)
@given(st.data())
def test_no_bit_of_a_checkpoint_may_flip(data: st.DataObject) -> None:
    signed = bytearray(note.sign(POINT, [SIGNER]))
    signed[data.draw(st.integers(0, len(signed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(IntegrityError):
        note.verify(bytes(signed), [VERIFIER], ORIGIN)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\n", b"origin\n1\n", b"origin\n01\nX\n", b"origin\n-1\nX\n", b"origin\n+1\nX\n", b"a b\n1\nX\n",
        b"origin\n1\nX", b"origin\n1\nX\nmore\n", b"origin\n1\nWA==\n", b"origin\n1_0\nX\n", b"origin\n\xd9\xa1\nX\n",
        b"origin\n99999999999999999999\nX\n", b"\xff\n1\nX\n", b"ori\rgin\n1\nX\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: bytes) -> None:
    with pytest.raises(IntegrityError):
        note.parse(text.replace(b"X", base64.b64encode(POINT.root)))


def test_what_is_no_note_is_refused() -> None:
    signed = note.sign(POINT, [SIGNER])
    line = signed.rpartition(b"\n\n")[2]
    for wrong in (
        signed.rstrip(b"\n"),
        signed + b"\n",
        signed + b"more\n",
        signed.replace(b"\n\n", b"\n"),
        signed.replace("—".encode(), b"-"),
        signed.replace(b"\n\n", b"\n\n\n"),
        POINT.text + b"\n",
        POINT.text + b"\n" + line * 101,
        POINT.text + b"\n" + "— a+b AAAAAAA=\n".encode() + line,
        POINT.text + b"\n" + "— name AAAA\n".encode() + line,
        signed.replace(b"=\n", b"\n"),
        b"x" * 200_000,
    ):
        with pytest.raises(IntegrityError):
            note.verify(wrong, [VERIFIER], ORIGIN)


def test_what_cannot_stand_in_a_note_is_not_signed() -> None:
    for point in (Checkpoint("a b", 1, POINT.root), Checkpoint("", 1, POINT.root), Checkpoint("a", -1, POINT.root)):
        with pytest.raises(ValueError, match="cannot be written"):
            note.sign(point, [SIGNER])
    with pytest.raises(ValueError, match="cannot be the name"):
        note.sign(POINT, [SeedSigner("a+b", b"s" * 32)])


@pytest.mark.parametrize("size", [1, 2, 256, 300])
def test_a_proof_file_is_all_that_is_needed(size: int) -> None:
    log = grown(size)
    for index in {0, size // 2, size - 1}:
        data = log.prove(index).data
        read = proof.parse(data)
        assert read.data == data
        assert read.extra == entry(index)
        assert proof.check(read, entry(index), [log.verifier], ORIGIN).size == size
        for other in (entry(index) + b"x", entry(index + 1)):
            with pytest.raises(IntegrityError, match="is not in the tree"):
                proof.check(read, other, [log.verifier], ORIGIN)


def test_a_proof_file_has_the_specified_form() -> None:
    log = grown(3)
    made = log.prove(0)
    assert made.data.decode().split("\n") == [
        "c2sp.org/tlog-proof@v1",
        f"extra {base64.b64encode(entry(0)).decode()}",
        "index 0",
        base64.b64encode(tree.leaf(entry(1))).decode(),
        base64.b64encode(tree.leaf(entry(2))).decode(),
        "",
        *log.objects["checkpoint"].decode().split("\n"),
    ]
    without = proof.Proof(made.index, made.hashes, made.note)
    assert b"extra" not in without.data
    assert proof.parse(without.data) == without


@settings(deadline=None)
@given(st.data())
def test_no_bit_of_a_proof_file_may_flip(data: st.DataObject) -> None:
    """Whichever byte is changed: the file is refused, or the entry it then holds is not in the log."""
    log = grown(5)
    raw = bytearray(log.prove(3).data)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(IntegrityError):
        proved(bytes(raw), log)


def proved(data: bytes, log: Log) -> None:
    read = proof.parse(data)
    proof.check(read, read.extra or b"", [log.verifier], ORIGIN)


def test_what_is_no_proof_file_is_refused() -> None:
    good = grown(5).prove(3).data
    for wrong in (
        b"",
        good[1:],
        good.replace(b"@v1", b"@v2"),
        good.replace(b"index 3", b"index 03"),
        good.replace(b"index 3\n", b""),
        good.replace(b"extra ", b"extra  "),
        good.replace(b"\n\n", b"\n"),
        b"\xff" + good,
        good.replace(b"index 3\n", b"index 3\nAAAA\n"),
        good + b"x" * 600_000,
    ):
        with pytest.raises(IntegrityError):
            proof.parse(wrong)
