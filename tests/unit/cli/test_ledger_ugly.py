"""`grace ledger …` where something is missing, broken, cut or wrong: one sentence, the right exit code, no stack trace."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from grace.errors import Unavailable
from grace.ledger.ed25519 import SeedSigner
from infra.cli import ledger
from tests.support.checker import lay_out
from tests.support.logs import Log, real_entries, written
from tests.unit.cli.conftest import Command, Publish, Ran


def sentence(ran: Ran, code: int) -> str:
    """The one sentence that a command left with."""
    assert (ran.code, ran.out) == (code, "")
    [line] = ran.err.splitlines()
    assert line.startswith("grace: ")
    return line.removeprefix("grace: ")


@pytest.fixture
def proofs(grace: Command, publish: Publish, tmp_path: Path) -> tuple[Log, Path]:
    """A published log, and proof files of one of its streams."""
    log = written(real_entries(30), 11)
    publish(log)
    assert grace("ledger", "prove", "c-1", "-o", tmp_path / "proofs").code == 0
    return log, tmp_path / "proofs"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: b"", "does not begin with c2sp.org/tlog-proof@v1"),
        (lambda data: data[:40], "this is not a proof file"),
        (lambda data: data[: len(data) // 2], "this is not a proof file"),
        (lambda data: data[:-9], "this is not a signed note"),
        (lambda data: bytes(range(256)), "this is not a proof file"),
        (lambda data: data.replace(b"extra ", b"extra AA", 1), "not"),
        (lambda data: data.replace(b"\n30\n", b"\n31\n", 1), "the checkpoint of 31 entries is not what"),
    ],
)
def test_a_proof_file_that_is_cut_or_changed_is_no_proof(
    grace: Command, proofs: tuple[Log, Path], spoil: Any, says: str
) -> None:
    log, folder = proofs
    file = min(folder.iterdir())
    file.write_bytes(spoil(file.read_bytes()))
    ran = grace("ledger", "check", file, "--vkey", log.verifier.key.vkey)
    assert (ran.code, ran.err) == (1, "")
    assert says in ran.words
    assert "0 of 1 proved: believe none of the others." in ran.words


def test_a_wrong_key_proves_nothing(grace: Command, proofs: tuple[Log, Path], tmp_path: Path) -> None:
    log, folder = proofs
    other = SeedSigner("log.example/grace", b"x" * 32).public.vkey
    ran = grace("ledger", "check", folder, "--vkey", other)
    assert ran.code == 1
    assert "0 of 4 proved" in ran.words
    for bad in ("", "nonsense", log.verifier.key.vkey[:-3], str(tmp_path), str(tmp_path / "none")):
        assert sentence(grace("ledger", "check", folder, "--vkey", bad), 2).startswith("--vkey ")


def test_what_cannot_be_written_or_read_is_one_sentence(
    grace: Command, proofs: tuple[Log, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    for argv in (
        ("prove", "c-1", "-o", tmp_path / "file"),
        ("prove", "c-1", "-o", tmp_path / "file" / "below"),
        ("download", tmp_path / "file"),
    ):
        assert str(tmp_path / "file") in sentence(grace("ledger", *argv), 2)
    assert "is no proof file" in sentence(grace("ledger", "check", tmp_path / "none"), 2)
    assert "is no proof file" in sentence(grace("ledger", "check", tmp_path), 2)
    for folder in (tmp_path / "none", tmp_path, tmp_path / "file"):
        assert "holds no log" in sentence(grace("ledger", "verify", "--from", folder), 2)


def test_a_copy_whose_checkpoint_is_none_says_so(grace: Command, proofs: tuple[Log, Path], tmp_path: Path) -> None:
    log, _ = proofs
    folder = lay_out(tmp_path / "copy", log.objects)
    for data in (b"", b"\xff\xfe", log.objects["checkpoint"][:20]):
        (folder / "checkpoint").write_bytes(data)
        for command in ("verify", "tail", "pin"):
            assert sentence(grace("ledger", command, "--from", folder), 1)


def test_a_damaged_pin_is_named_and_nothing_is_believed(
    grace: Command, proofs: tuple[Log, Path], tmp_path: Path
) -> None:
    pin = tmp_path / "config" / "grace" / "pins" / "log.example_grace"
    assert grace("ledger", "pin").code == 0
    for name in ("checkpoint", "vkey"):
        true = (pin / name).read_bytes()
        for data in (b"", b"\xff\xfe", true[:50]):
            (pin / name).write_bytes(data)
            assert f"{name} is not what was pinned here" in sentence(grace("ledger", "verify"), 1)
        (pin / name).write_bytes(true)
    assert grace("ledger", "verify").code == 0


def test_an_entry_that_is_not_the_signed_one_is_not_replayed(
    grace: Command, proofs: tuple[Log, Path], tmp_path: Path
) -> None:
    """State is built from what was signed, or not at all."""
    log, _ = proofs
    folder = lay_out(tmp_path / "copy", log.objects)
    file = folder / "tile" / "entries" / "000.p" / "30"
    file.write_bytes(file.read_bytes().replace(b'"corr":"r-1"', b'"corr":"r-2"', 1))
    said = sentence(grace("ledger", "replay", "--from", folder, "--vkey", log.verifier.key.vkey), 1)
    assert said.startswith("entry 0 is not the one that was signed (tile/entries/000.p/30): `grace ledger verify`")
    file.write_bytes(file.read_bytes().replace(b'"stream":', b'"scream":', 1))
    assert sentence(grace("ledger", "replay", "--from", folder, "--vkey", log.verifier.key.vkey), 1).startswith(
        "entry 0 is not"
    )


@pytest.mark.parametrize(
    "argv",
    [("verify",), ("pin",), ("tail",), ("story", "c-1"), ("replay",), ("prove", "c-1"), ("download", "copy")],
    ids=" ".join,
)
def test_without_a_connection_and_when_interrupted_it_ends_in_one_sentence(
    grace: Command, publish: Publish, argv: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    account = publish(written(real_entries(30), 11))
    true = account.call

    def breaks(after: int, error: BaseException) -> None:
        def call(service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
            if len(account.calls) >= after:
                raise error
            return true(service, operation, **arguments)

        account.calls.clear()
        monkeypatch.setattr(account, "call", call)

    for after in (0, 1, 2, 3):
        breaks(after, Unavailable("s3.get_object: could not be reached (EndpointConnectionError)"))
        ran = grace("ledger", *argv)
        if ran.err:
            assert "could not be reached" in sentence(ran, 2)
        breaks(after, KeyboardInterrupt())
        ran = grace("ledger", *argv)
        assert after > 1 or ran.code
        if ran.err:
            assert sentence(ran, 130) == "Interrupted."


def letter(log: Log, size: int) -> str:
    """A mail's text with the checkpoint of that size."""
    return f"Hello Ada,\n\nReview it here.\n\n{log.objects[f'checkpoints/{size}'].decode()}\n"


@pytest.mark.parametrize("form", ["as it is", "a letter", "quoted and wrapped", "a saved mail"])
def test_a_letter_that_somebody_kept_is_compared_with_the_log(
    grace: Command, publish: Publish, tmp_path: Path, form: str
) -> None:
    """F17, F18: of everything in the account only a mailbox can tell."""
    log = written(real_entries(300), 100)
    text = letter(log, 100)
    file = tmp_path / "kept"
    if form == "as it is":
        file.write_bytes(log.objects["checkpoints/100"])
    elif form == "a letter":
        file.write_text(text)
    elif form == "quoted and wrapped":
        lines = [line[at : at + 70] for line in text.splitlines() for at in range(0, max(1, len(line)), 70)]
        file.write_bytes("".join(f"> {line}\r\n" for line in lines).encode())
    else:
        mail = EmailMessage()
        mail["Subject"] = "approve"
        mail.set_content(text, cte="quoted-printable")
        mail.add_alternative(f"<pre>{text}</pre>", subtype="html")
        file.write_bytes(bytes(mail))
    publish(log)
    ran = grace("ledger", "verify", "--against", file)
    assert (ran.code, ran.err) == (0, "")
    assert "compared with the checkpoint of 100 entries in" in ran.words

    entries = real_entries(300)
    entries[99] = entries[99].replace(b"r-1", b"r-2")
    for other in (written(entries, 100), written(real_entries(90))):
        publish(other)
        refused = grace("ledger", "verify", "--against", file, "--json")
        assert refused.code == 1
        assert str(file) in refused.out


def test_what_is_no_letter_of_this_log_is_said(grace: Command, publish: Publish, tmp_path: Path) -> None:
    log = written(real_entries(300), 100)
    publish(log)
    file = tmp_path / "kept"
    assert "cannot be read" in sentence(grace("ledger", "verify", "--against", file), 2)
    for data in (b"", b"\xff" * 90, letter(log, 100).replace("grace", "gravy").encode()):
        file.write_bytes(data)
        assert "there is no checkpoint of log.example/grace in it" in sentence(
            grace("ledger", "verify", "--against", file), 2
        )
    file.write_text(letter(log, 100).replace("\n100\n", "\n101\n"))
    assert "is not what log.example/grace signed" in sentence(grace("ledger", "verify", "--against", file), 1)


def test_no_account_and_no_engine_is_said_with_the_fix(grace: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_prefix: str, _root: Path) -> None:
        raise Unavailable("sts.get_caller_identity: could not be reached")

    monkeypatch.setattr(ledger, "reach", nowhere)
    assert "could not be reached" in sentence(grace("ledger", "verify"), 2)
