"""The main job, whole: `grace demo` on an engine of its own, its report, the commands on what it leaves, and its end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.browser import found
from infra.local.engine import Engine
from infra.local.paths import ROOT, Layout
from infra.local.processes import ours
from tests.local.rig import isolated_root
from tests.support import checker
from tests.support.world import EVENTS

DEMO_SECONDS = 900
KEYS = {
    "name", "contract", "tier", "status", "verdict", "confidence", "snapshot_sha256", "effect_before", "effect_after",
    "restored", "approved_by", "approved_via", "transitions", "seconds", "entries",
}  # fmt: skip


def grace(root: Path, *argv: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.cli.main", *argv, "--root", str(root)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return isolated_root(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def told(root: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    """The demo, told once, its engine kept for the tests that look at what it left."""
    yield grace(root, "demo", "--keep", seconds=DEMO_SECONDS)
    Engine(root).stop()


@pytest.fixture(scope="module")
def report(told: subprocess.CompletedProcess[str], root: Path) -> dict[str, Any]:
    assert told.returncode == 0, f"{told.stdout}\n{told.stderr}"
    found: dict[str, Any] = json.loads((root / "var" / "demo-report.json").read_text())
    return found


@pytest.mark.engine
def test_the_report_has_the_agreed_form(report: dict[str, Any]) -> None:
    assert set(report) == {"engine", "deploy_seconds", "incidents", "reported_success_without_verification", "ledger"}
    assert re.fullmatch(r"ministack \d+\.\d+\.\d+", report["engine"])
    assert report["deploy_seconds"] > 0
    assert report["reported_success_without_verification"] == 0
    assert [each["name"] for each in report["incidents"]] == ["bad_release", "slow_supplier", "full_memory"]
    for each in report["incidents"]:
        assert set(each) == KEYS
        assert re.fullmatch(r"c-[a-z2-7]{26}", each["contract"])
        assert re.fullmatch(r"[0-9a-f]{64}", each["snapshot_sha256"])


@pytest.mark.engine
def test_the_bad_release_goes_back_and_is_verified(report: dict[str, Any]) -> None:
    release = report["incidents"][0]
    assert (release["status"], release["verdict"], release["tier"]) == ("verified", "verified", 1)
    assert release["effect_before"]["function_version"] == "2"
    assert release["effect_after"]["function_version"] == "1"
    assert release["restored"] is None
    assert (release["approved_by"], release["approved_via"]) == ([], None)
    assert release["transitions"] == 10
    assert release["confidence"] > 0.8


@pytest.mark.engine
def test_the_fix_that_does_not_help_is_undone_and_the_undoing_measured(report: dict[str, Any], root: Path) -> None:
    scaled = report["incidents"][1]
    assert (scaled["status"], scaled["verdict"], scaled["restored"]) == ("rolled_back", "failed", True)
    assert scaled["effect_before"] == scaled["effect_after"]
    shown = json.loads(grace(root, "show", scaled["contract"], "--json").stdout)
    assert [seen["result"] for seen in shown["evidence"]["rollback"]["observations"]] == ["passed"] * 2
    assert shown["evidence"]["rollback"]["verdict"] == "verified"
    done = {step["name"]: step for step in shown["steps"]}
    assert done["execute"]["after_digest"] != done["execute"]["before_digest"] == done["restore"]["after_digest"]


@pytest.mark.engine
def test_the_change_that_needs_a_person_waits_and_runs_once(report: dict[str, Any], root: Path) -> None:
    memory = report["incidents"][2]
    assert (memory["status"], memory["tier"], memory["approved_by"]) == ("verified", 2, ["ana"])
    assert (memory["effect_before"]["memory_size"], memory["effect_after"]["memory_size"]) == (128, 192)
    assert memory["transitions"] == 13
    shown = json.loads(grace(root, "show", memory["contract"], "--json").stdout)
    types = [entry["type"] for entry in shown["story"]]
    assert types.count("contract.executed") == 1
    assert types.index("approval.requested") < types.index("approval.approved") < types.index("contract.executing")
    by_link = "link" if found() else "iam"
    assert memory["approved_via"] == by_link
    assert [(vote["person"], vote["via"]) for vote in shown["votes"]] == [("ana", by_link)]
    assert len(types) == memory["entries"]


@pytest.mark.engine
def test_the_log_proves_every_entry_of_the_three(report: dict[str, Any], root: Path, tmp_path: Path) -> None:
    proved = report["ledger"]
    assert set(proved) == {"size", "checkpoint", "proofs_checked", "verified", "checkers"}
    assert proved["checkers"] == ["grace", *(["golang.org/x/mod/sumdb"] if checker.PROGRAM.is_file() else [])]
    assert proved["verified"] is True
    assert proved["proofs_checked"] == sum(each["entries"] for each in report["incidents"])
    assert proved["size"] >= proved["proofs_checked"]
    origin, size, _ = proved["checkpoint"].split("\n", 2)
    assert (size, origin != "") == (str(proved["size"]), True)
    for command in (
        ["verify"],
        ["verify", "--since-pin"],
        ["replay", "--compare"],
        ["download", str(tmp_path / "copy")],
    ):
        ran = grace(root, "ledger", *command)
        assert (ran.returncode, ran.stderr) == (0, ""), f"{command}: {ran.stdout}"
    contract = report["incidents"][0]["contract"]
    story = grace(root, "ledger", "story", contract)
    assert "the contract ended: verified" in story.stdout
    says = checker.verdicts((tmp_path / "copy" / "vkey").read_text(), [tmp_path / "copy"], "-lanes")
    assert says[tmp_path / "copy"].startswith(checker.SOUND)


@pytest.mark.engine
def test_twenty_real_calls_prove_the_release_and_every_promise_names_its_source(
    report: dict[str, Any], root: Path
) -> None:
    contract = report["incidents"][0]["contract"]
    ran = grace(root, "show", contract)
    assert ran.returncode == 0
    assert "20 of 20 calls as promised" in ran.stdout
    shown = json.loads(grace(root, "show", contract, "--json").stdout)
    for seen in shown["evidence"]["outcome"]["observations"]:
        assert seen["result"] == "passed"
        assert seen["source"]


@pytest.mark.engine
def test_who_decides_is_proved_and_never_said(report: dict[str, Any], root: Path) -> None:
    contract = report["incidents"][2]["contract"]
    late = grace(root, "decide", contract, "reject", "--as", "ben")
    assert (late.returncode, "Refused (closed)" in late.stderr) == (2, True)
    stranger = grace(root, "stop", "a stranger tries", "--as", "nobody")
    assert (stranger.returncode, "no demo role" in stranger.stderr) == (2, True)


@pytest.mark.engine
def test_each_contract_tells_which_policies_decided_it(report: dict[str, Any], root: Path) -> None:
    for incident in report["incidents"]:
        ran = grace(root, "policy", "explain", incident["contract"])
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "default.managed" in ran.stdout
        said = json.loads(grace(root, "policy", "explain", incident["contract"], "--json").stdout)
        assert (said["tier"], said["mode"]) == (incident["tier"], "autonomous")
        assert said["ruling"]["by"] == ["default.managed"]
        assert dict(said["would_change"]), "what policy looked at"


@pytest.mark.engine
def test_autonomy_shows_what_each_playbook_did_and_no_more(report: dict[str, Any], root: Path) -> None:
    assert report
    ran = grace(root, "autonomy", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    found = {each["playbook"]: each for each in json.loads(ran.stdout)}
    acted = {name: (each["acted"], each["verified"], each["rolled_back"]) for name, each in found.items()}
    assert acted.pop("roll_back_lambda_alias") == (1, 1, 0)
    assert acted.pop("scale_out_group") == (1, 0, 1)
    assert acted.pop("raise_lambda_memory") == (1, 1, 0)
    assert set(acted.values()) == {(0, 0, 0)}
    assert found["scale_out_group"]["bound"] == 0.0
    assert found["restart_ecs_service"]["bound"] is None


@pytest.mark.engine
def test_the_kill_switch_is_thrown_and_lifted_by_signed_orders(report: dict[str, Any], root: Path) -> None:
    assert report
    assert grace(root, "stop", "a drill").returncode == 0
    checks = {each["name"]: each for each in json.loads(grace(root, "why", "shop-search-memory", "--json").stdout)}
    assert not checks["gate"]["ok"]
    assert "a drill" in checks["gate"]["says"]
    approver = grace(root, "resume", "--as", "ana")
    assert (approver.returncode, "Refused (not_operator)" in approver.stderr) == (2, True)
    assert grace(root, "resume").returncode == 0
    checks = {each["name"]: each for each in json.loads(grace(root, "why", "shop-search-memory", "--json").stdout)}
    assert checks["gate"]["ok"]


@pytest.mark.engine
def test_an_alert_that_is_fired_becomes_a_mission_and_an_unfit_one_needs_a_person(
    report: dict[str, Any], root: Path
) -> None:
    assert report
    fired = grace(root, "fire", str(EVENTS / "alarm_lambda_errors.eventbridge.json"))
    assert (fired.returncode, fired.stderr) == (0, "")
    for _ in range(40):
        found = json.loads(grace(root, "missions", "--json").stdout)
        if any(each["mission"]["status"] == "needs_attention" for each in found):
            break
    else:
        pytest.fail("the alert became no mission")
    [mission] = [each["mission"] for each in found]
    assert mission["alarm"].endswith(":alarm:shop-errors")


@pytest.mark.engine
def test_a_second_demo_beside_a_running_engine_is_refused_with_the_fix(report: dict[str, Any], root: Path) -> None:
    assert report
    again = grace(root, "demo")
    assert (again.returncode, again.stdout) == (2, "")
    assert "grace down" in again.stderr


@pytest.mark.engine
def test_afterwards_nothing_is_left(report: dict[str, Any], root: Path) -> None:
    """The last test on this engine: it ends it."""
    assert report
    # Removing the workers' unpacked layers is what takes long, on a slow disk.
    assert grace(root, "down", seconds=300).returncode == 0
    nothing_left(root)
    alert = str(EVENTS / "alarm_lambda_errors.sns.json")
    assert "No engine of this checkout runs" in grace(root, "fire", alert).stderr


@pytest.mark.engine
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "ended"])
def test_interrupted_in_the_middle_of_a_deploy_it_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    root = isolated_root(tmp_path)
    command = [sys.executable, "-m", "infra.cli.main", "demo", "--root", str(root)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        for line in demo.stdout:
            if line.startswith("deploying"):
                break
        log = Layout(root).deploy_log
        deadline = time.monotonic() + 60
        while not (log.exists() and "bootstrapp" in log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        demo.send_signal(number)
        assert demo.wait(120) == 130
        assert demo.stderr.read() == "grace: Interrupted.\n"
    nothing_left(root)
    assert ours([demo.pid], [str(root)]) == []


def nothing_left(root: Path) -> None:
    assert Engine(root).status() is None
    left = {path.name for path in (root / "var" / "engine").iterdir()}
    assert left <= {"engine.log", "deploy.log", "heartbeat.log"}
