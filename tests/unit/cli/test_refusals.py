"""Whatever is wrong with a command is one sentence with the fix and exit code 2; never a stack trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.world import alarm_event
from tests.unit.cli.conftest import Command, Deployed
from tests.unit.flow.scenes import missions, run, shop

WRONG = [
    [],
    ["nope"],
    ["show"],
    ["show", "c-1", "c-2"],
    ["decide", "c-1"],
    ["decide", "c-1", "perhaps"],
    ["stop"],
    ["rollback", "c-1"],
    ["release", "arn:aws:lambda:eu-west-1:123456789012:function:shop"],
    ["retry", "m-1"],
    ["up", "--port", "high"],
    ["playbooks"],
    ["playbooks", "explain"],
    ["missions", "--colour"],
]


def one_sentence(text: str) -> None:
    assert text.startswith("grace")
    assert text.strip().count("\n") == 0, text
    assert "Traceback" not in text


@pytest.mark.parametrize("argv", WRONG, ids=" ".join)
def test_a_wrong_usage_is_one_sentence_that_names_the_help(argv: list[str], grace: Command) -> None:
    ran = grace(*argv)
    assert ran.code == 2
    assert ran.out == ""
    one_sentence(ran.err)
    assert "--help" in ran.err


READS = [["missions"], ["show", "c-1"], ["why", "shop-errors"], ["stop", "a reason"], ["decide", "c-1", "approve"]]


@pytest.mark.parametrize("argv", READS, ids=" ".join)
def test_without_engine_and_credentials_it_says_where_to_get_either(
    argv: list[str], grace: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    ran = grace(*argv, "--root", tmp_path)
    assert ran.code == 2
    one_sentence(ran.err)
    assert "grace up" in ran.err
    assert "AWS_PROFILE" in ran.err


def test_without_a_region_it_asks_for_one(grace: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    ran = grace("missions", "--root", tmp_path)
    assert (ran.code, "AWS_REGION" in ran.err) == (2, True)
    one_sentence(ran.err)


def test_firing_needs_the_engine_whatever_credentials_there_are(grace: Command, tmp_path: Path) -> None:
    alert = tmp_path / "alert.json"
    alert.write_text("{}")
    ran = grace("fire", alert, "--root", tmp_path)
    assert (ran.code, "grace up" in ran.err) == (2, True)
    one_sentence(ran.err)


@pytest.mark.parametrize(("text", "says"), [("{", "is not JSON"), ("[]", "not one alert"), (None, "cannot be read")])
def test_a_file_that_holds_no_alert_is_named(grace: Command, tmp_path: Path, text: str | None, says: str) -> None:
    alert = tmp_path / "alert.json"
    if text is not None:
        alert.write_text(text)
    for ran in (grace("fire", alert, "--root", tmp_path), grace("playbooks", "explain", alert)):
        assert ran.code == 2
        one_sentence(ran.err)
        assert "alert.json" in ran.err
    assert says in grace("fire", alert, "--root", tmp_path).err


def test_down_where_nothing_runs_is_no_error(grace: Command, tmp_path: Path) -> None:
    ran = grace("down", "--root", tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert "No engine was running here." in ran.out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["show", "c-unknown"], "grace missions"),
        (["show", "m-unknown"], "grace missions"),
        (["show", "something"], "begins with c-"),
        (["decide", "c-unknown", "approve"], "grace missions"),
        (["why", "no-such-alarm"], "no-such-alarm"),
    ],
)
def test_what_does_not_exist_is_named(argv: list[str], says: str, grace: Command, deployed: Deployed) -> None:
    deployed(shop())
    ran = grace(*argv)
    assert (ran.code, ran.out) == (2, "")
    one_sentence(ran.err)
    assert says in ran.err


def test_a_mission_without_a_contract_says_why_there_is_none(grace: Command, deployed: Deployed) -> None:
    world = shop()
    world.lambdas.functions["shop"]["tags"].clear()
    assert world.fire(alarm_event()) == []
    run(world)
    deployed(world)
    [mission] = missions(world)
    ran = grace("show", mission.mission_id)
    assert ran.code == 2
    one_sentence(ran.err)
    assert "grace:managed=true" in ran.err
