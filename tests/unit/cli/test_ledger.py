"""`grace ledger …` to a person: what is sound, what is wrong and where, and what happened, with nothing taken on trust."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from grace.errors import IntegrityError
from grace.ledger.ed25519 import SeedSigner
from grace.ledger.entries import parse
from grace.ledger.tiles import pack
from infra.cli import ledger, replaying
from infra.demo import proving, story
from tests.support.checker import lay_out
from tests.support.logs import ORIGIN, Log, entries_of, real_entries, written
from tests.unit.cli.conftest import Command, Publish
from tests.unit.flow.scenes import approved, incident, missions, run, shop, stays_bad, vote
from tests.unit.flow.test_mail import manned, wait


def remediated(*, bad: bool = False) -> tuple[Log, str, str]:
    """A log of one incident, its contract and its mission."""
    world = shop()
    if bad:
        world.between = stays_bad
    contract = incident(world)
    return written(entries_of(world.store), 3), contract, missions(world)[0].mission_id


def test_a_sound_log_is_verified_and_pinned(grace: Command, publish: Publish) -> None:
    publish(written(real_entries(300), 100))
    ran = grace("ledger", "verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.words.startswith(f"sound 300 entries of {ORIGIN}, in the bucket logs")
    assert "all entries" in ran.words
    assert "this checkpoint is now pinned here" in ran.words

    publish(written(real_entries(600), 100, 300))
    again = grace("ledger", "verify", "--since-pin", "--json")
    document = json.loads(again.out)
    assert (again.code, document["sound"], document["first"], document["pinned"]) == (0, True, 300, 300)


def test_what_is_wrong_is_named_and_not_pinned(grace: Command, publish: Publish, tmp_path: Path) -> None:
    log = written(real_entries(300), 100)
    log.objects["tile/0/000"] = b"\x00" + log.objects["tile/0/000"][1:]
    publish(log)
    ran = grace("ledger", "verify")
    assert ran.code == 1
    assert ran.words.startswith("NOT SOUND")
    assert "tile/0/000: byte 0 is not what its entries lead to" in ran.words
    assert not (tmp_path / "config").exists()


def test_the_pin_refuses_a_log_that_does_not_extend_it(grace: Command, publish: Publish) -> None:
    publish(written(real_entries(300)))
    assert "300 entries" in grace("ledger", "pin").words
    publish(written(real_entries(500), 300))
    assert "it extends the 300 that were pinned before" in grace("ledger", "pin").words

    publish(written(real_entries(300)))
    for command in ("pin", "tail"):
        back = grace("ledger", command)
        assert (back.code, back.out) == (1, "")
        assert "the log has gone back: it had 500 entries, and now states 300" in back.err
    entries = real_entries(700)
    entries[11] = entries[11].replace(b"r-1", b"r-2")
    publish(written(entries))
    assert "does not begin with the 500 entries" in grace("ledger", "pin").err
    assert "does not begin with the 500 entries" in grace("ledger", "verify").words
    publish(written(real_entries(500), 300))
    assert grace("ledger", "pin").code == 0, "what was pinned is still the last good one"


def test_another_key_is_not_believed_whoever_states_it(grace: Command, publish: Publish) -> None:
    log = written(real_entries(300))
    publish(log)
    assert grace("ledger", "pin").code == 0
    publish(written(real_entries(300), signer=SeedSigner(ORIGIN, b"x" * 32)))
    ran = grace("ledger", "verify")
    assert ran.code == 1
    assert "now states the key" in ran.err or "was known with" in ran.err


def test_a_copy_is_checked_without_any_account(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = written(real_entries(600), 100, 290, 512)
    account = publish(log)
    copied = grace("ledger", "download", tmp_path / "copy")
    assert copied.code == 0
    assert "600 entries, are in" in copied.words
    account.calls.clear()
    ran = grace("ledger", "verify", "--from", tmp_path / "copy")
    assert (ran.code, account.calls) == (0, [])
    assert "sound 600 entries" in ran.words

    file = tmp_path / "copy" / "tile" / "entries" / "001"
    before, kind, after = file.read_bytes().rpartition(b"contract.changed")
    file.write_bytes(before + kind.replace(b"n", b"r") + after)
    spoilt = grace("ledger", "verify", "--from", tmp_path / "copy")
    assert spoilt.code == 1
    assert "entry 511: is not the one that was signed (tile/entries/001, bytes " in spoilt.words


@pytest.mark.usefixtures("unreachable")
def test_somebody_else_needs_only_the_key(grace: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    log = written(real_entries(30))
    folder = lay_out(tmp_path / "copy", log.objects)
    unknown = grace("ledger", "verify", "--from", folder)
    assert (unknown.code, unknown.out) == (2, "")
    assert "name it with --vkey" in unknown.err
    assert grace("ledger", "verify", "--from", folder, "--vkey", log.verifier.key.vkey).code == 0
    (tmp_path / "key").write_text(log.verifier.key.vkey + "\n")
    assert grace("ledger", "tail", "--from", folder, "--vkey", tmp_path / "key").code == 0
    other = SeedSigner(ORIGIN, b"x" * 32).public.vkey
    assert grace("ledger", "verify", "--from", folder, "--vkey", other).code == 1
    assert grace("ledger", "verify", "--from", folder, "--vkey", "nonsense").code == 2


def test_a_contract_is_proved_to_somebody_without_an_account(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log, contract, _ = remediated()
    publish(log)
    made = grace("ledger", "prove", contract, "-o", tmp_path / "proofs")
    assert made.code == 0
    assert log.verifier.key.vkey in made.out
    files = sorted((tmp_path / "proofs").iterdir())
    assert files[0].name == "01-contract.drafted.tlog-proof"
    assert files[-1].name == f"{len(files):02d}-contract.closed.tlog-proof"

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(ledger, "reach", lambda *_: pytest.fail("no account may be asked"))
    ran = grace("ledger", "check", tmp_path / "proofs", "--vkey", log.verifier.key.vkey)
    assert ran.code == 0
    assert f"{len(files)} of {len(files)} proved." in ran.words
    assert "the verdict: verified" in ran.words
    document = json.loads(grace("ledger", "check", files[0], "--vkey", log.verifier.key.vkey, "--json").out)
    assert (document[0]["verified"], document[0]["size"]) == (True, log.edge.size)

    files[1].write_bytes(files[0].read_bytes().replace(b"index ", b"index 1"))
    spoilt = grace("ledger", "check", tmp_path / "proofs", "--vkey", log.verifier.key.vkey)
    assert spoilt.code == 1
    assert f"{len(files) - 1} of {len(files)} proved: believe none of the others." in spoilt.words


def test_a_story_is_told_from_proved_entries_alone(grace: Command, publish: Publish) -> None:
    log, contract, mission = remediated(bad=True)
    publish(log)
    told = grace("ledger", "story", contract)
    assert told.code == 0
    for part in (
        "roll_back_lambda_alias promised shift_alias on arn:aws:lambda",
        "about to act: point the alias at version 1",
        "the verdict: failed",
        "it was put back and measured: every field as before, the alarm no worse",
        "the contract ended: rolled_back",
        "each proved to be in the log",
    ):
        assert part in told.words
    whole = grace("ledger", "story", mission)
    assert "shop-errors raised an alarm: elevated_errors" in whole.words
    assert "the mission ended: rolled_back" in whole.words
    assert "the contract ended: rolled_back" in whole.words

    path = next(path for path in log.objects if path.startswith("tile/entries/000.p/") and "/3" not in path)
    log.objects[path] = log.objects[path].replace(b'"verdict":"failed"', b'"verdict":"passed"')
    publish(log)
    lied = grace("ledger", "story", contract)
    assert (lied.code, lied.out) == (1, "")


def test_a_story_cannot_be_shortened_by_who_holds_the_bucket(grace: Command, publish: Publish, tmp_path: Path) -> None:
    """An entry that no longer names the stream is passed over, and is not what was signed: nothing is told at all."""
    log, contract, mission = remediated()
    path = next(path for path in log.objects if path.startswith("tile/entries/000.p/") and "/3" not in path)
    for name, commands in ((contract, ("story", "prove")), (mission, ("story", "prove"))):
        renamed = log.objects[path].replace(name.encode(), f"{name[:-1]}0".encode())
        assert renamed != log.objects[path]
        publish(replace(log, objects=log.objects | {path: renamed}))
        for command in commands:
            into: list[str | Path] = ["-o", tmp_path / "proofs"] if command == "prove" else []
            ran = grace("ledger", command, name, *into)
            assert (ran.code, ran.out) == (1, "")
            assert "is not the one that was signed" in ran.err
    assert not (tmp_path / "proofs").exists()
    last = log.entries[-1].replace(b'"corr":"', b'"corr":"x')
    cut = replace(log, objects=log.objects | {path: pack([*log.entries[:-1], last])})
    publish(cut)
    assert "is not the one that was signed" in grace("ledger", "story", mission).err


def test_tail_shows_the_newest(grace: Command, publish: Publish) -> None:
    publish(written(real_entries(300), 100))
    lines = grace("ledger", "tail", "-n", "3").out.splitlines()
    assert len(lines) == 3
    assert "c-2  contract.changed" in lines[-1]


def test_who_did_what_and_what_failed_is_counted_over_signed_entries(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, _, _ = remediated(bad=True)
    account = publish(log)
    last = max(json.loads(data)["ts"] for data in log.entries) / 1000
    monkeypatch.setattr("infra.cli.ledger.time.time", lambda: last)
    ran = grace("ledger", "activity")
    assert (ran.code, ran.err) == (0, "")
    assert ran.words.startswith(f"{log.edge.size} entries in the last 24 hours.")
    assert "1 contract.rolled_back 1 failed" in ran.words
    counts = json.loads(grace("ledger", "activity", "--json").out)
    assert set(counts["activity"]) == {"actor", "type", "subsystem"}
    assert sum(counts["activity"]["type"].values()) == counts["entries"] == log.edge.size
    monkeypatch.setattr("infra.cli.ledger.time.time", lambda: last + 3601)
    assert json.loads(grace("ledger", "activity", "--hours", "1", "--json").out)["entries"] == 0

    path = next(path for path in log.objects if path.startswith("tile/entries/000.p/") and "/3" not in path)
    account.log.objects[path] = log.objects[path].replace(b'"actor":"grace"', b'"actor":"grade"', 1)
    spoilt = grace("ledger", "activity")
    assert (spoilt.code, spoilt.out) == (1, "")


def test_what_is_not_there_is_said(grace: Command, publish: Publish, tmp_path: Path) -> None:
    publish(written(real_entries(30)))
    for argv, says in (
        (["story", "c-none"], "has none of c-none"),
        (["verify", "--since-pin"], "Nothing is pinned here yet"),
        (["verify", "--from", tmp_path], "holds no log"),
        (["check", tmp_path / "x"], "is no proof file"),
    ):
        ran = grace("ledger", *argv)
        assert ran.code == 2
        assert says in ran.err


def compare(world: Any, publish: Publish, monkeypatch: pytest.MonkeyPatch, *, behind: int = 0) -> dict[str, Any]:
    """Publish what a world wrote (but for the last entries), and compare the log with its tables."""
    entries = entries_of(world.store)
    account = publish(written(entries[: len(entries) - behind]))
    outputs = {"LogBucket": "logs", "LogKey": "key", "LogOrigin": ORIGIN}
    place = SimpleNamespace(aws=account, outputs=outputs, place="", services=world)
    monkeypatch.setattr(ledger, "reach", lambda _prefix, _root: place)
    return replaying.replayed((parse(data) for data in account.log.entries), world).document()


def test_the_log_alone_leads_to_every_state_in_the_tables(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = [shop(), shop(), shop(tier=2), shop(tier=2), shop(tier=3), shop(tier=2)]
    incident(worlds[0])
    worlds[1].between = stays_bad
    incident(worlds[1])
    approved(worlds[2], "ada")
    run(worlds[2])
    vote(worlds[3], incident(worlds[3]), "ada", "reject")
    vote(worlds[4], incident(worlds[4]), "ada")
    incident(worlds[5])
    worlds += [manned(3), manned(3)]
    for world in worlds[-2:]:
        vote(world, incident(world), "ada")
        wait(world, 31)
    vote(worlds[-1], missions(worlds[-1])[0].contract_id or "", "carol")
    run(worlds[-1])
    for world in worlds:
        assert compare(world, publish, monkeypatch)["faults"] == []
    assert compare(worlds[2], publish, monkeypatch)["counts"] == {"Approval": 1, "ContractHead": 1, "Mission": 1}
    late = compare(worlds[2], publish, monkeypatch, behind=3)
    assert (late["faults"], late["late"]) == ([], 3)
    ran = grace("ledger", "replay", "--compare")
    assert ran.code == 0
    assert "What the tables hold is the same, field by field (3 entries are not in the log yet)." in ran.words


def test_a_row_edited_behind_the_logs_back_is_named(
    grace: Command, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shop(tier=3)
    contract = incident(world)
    vote(world, contract, "ada")
    rows = world.store._partitions[f"C#{contract}"]
    for sk, old, new in (
        ("head", '"status":"awaiting_approval"', '"status":"approved"'),
        ("apr#0001", '"votes":["ada"]', '"votes":["ada","bob"]'),
        ("apr#0001", '"status":"pending"', '"status":"approved"'),
    ):
        before = rows[sk]
        assert old in before.doc
        rows[sk] = before._replace(doc=before.doc.replace(old, new))
        faults = compare(world, publish, monkeypatch)["faults"]
        assert len(faults) == 1
        assert faults[0].startswith(f"{contract}: ")
        assert grace("ledger", "replay", "--compare").code == 1
        rows[sk] = before
    del rows["apr#0001"]
    assert "approval 1 is not there" in str(compare(world, publish, monkeypatch)["faults"])
    assert "the log has no entry of it" in str(replaying.replayed([], world_without_story(world)).faults)


def world_without_story(world: Any) -> Any:
    """A deployment whose open index names what no entry tells."""
    return SimpleNamespace(store=SimpleNamespace(open=world.store.open, story=lambda _stream: []))


def test_the_demo_proves_its_incidents_to_a_process_with_nothing_but_the_key(
    publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = shop()
    contract = incident(world)
    entries = entries_of(world.store)
    account = publish(written(entries[:3]))
    outputs = {"LogBucket": "logs", "LogKey": "key", "LogOrigin": ORIGIN}
    place: Any = SimpleNamespace(aws=account, outputs=outputs, place="", services=world)

    def later(_seconds: float) -> None:
        account.log = written(entries, 3)

    monkeypatch.setattr("infra.demo.proving.time.sleep", later)
    said: list[str] = []
    report = proving.prove(place, [contract], tmp_path, said.append)
    assert report.verified
    assert (report.size, report.proofs_checked) == (len(entries), len(world.store.story(contract)))
    assert report.checkpoint.startswith(f"{ORIGIN}\n{len(entries)}\n")
    assert said[0].startswith("waiting for the log: entries of")
    assert len(list((tmp_path / proving.PROOFS / contract).iterdir())) == report.proofs_checked

    good = account.log.objects
    spoilt = written([*entries[:-1], entries[-1].replace(b'"closed":true', b'"closed":null')], 3).objects
    account.log.objects = good | {path: data for path, data in spoilt.items() if path.startswith("tile/entries")}
    monkeypatch.setattr(proving, "PATIENCE_SECONDS", 0)
    with pytest.raises(IntegrityError):
        proving.prove(place, [contract], tmp_path, said.append)


def proved_by(publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: Path) -> tuple[str, ...]:
    """Prove one incident where the second checker is this program; who checked, and what the screen says of it."""
    world = shop()
    contract = incident(world)
    account = publish(written(entries_of(world.store), 3))
    outputs = {"LogBucket": "logs", "LogKey": "key", "LogOrigin": ORIGIN}
    place: Any = SimpleNamespace(aws=account, outputs=outputs, place="", services=world)
    monkeypatch.setattr(proving, "CHECKER", program)
    screen = Console(file=io.StringIO(), width=200)
    report = story._prove(screen, place, [SimpleNamespace(contract=contract)], tmp_path)  # type: ignore[list-item]
    assert isinstance(screen.file, io.StringIO)
    return (*(report.checkers if report else ()), " ".join(screen.file.getvalue().split()))


def test_who_checked_the_proofs_is_on_the_screen_and_in_the_report(
    publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    *checkers, said = proved_by(publish, monkeypatch, tmp_path, tmp_path / "none")
    assert checkers == [proving.OURS]
    assert "By Grace's own code alone" in said
    assert "A second program" not in said
    program = tmp_path / "checker"
    for code in (0, 1):
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(0o755)
        *checkers, said = proved_by(publish, monkeypatch, tmp_path, program)
        assert checkers == ([proving.OURS, proving.GO] if not code else [])
        assert ("A second program found the same" in said) == (not code)
        assert ("the second checker finds a proof that is not good" in said) == bool(code)
