"""`grace playbooks`: what can be said of playbooks and alerts without touching anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grace.playbooks.loader import BUILT_IN, load_playbooks
from grace.playbooks.schema import playbook_schema
from tests.support.world import EVENTS
from tests.unit.cli.conftest import Command

GOOD = (BUILT_IN / "scale_out_group.yaml").read_text(encoding="utf-8")


def test_what_comes_with_grace_is_in_order(grace: Command) -> None:
    ran = grace("playbooks", "lint")
    assert (ran.code, ran.words) == (0, f"{len(list(BUILT_IN.glob('*.yaml')))} playbooks are in order.")


def test_a_folder_of_ones_own_is_linted_beside_them(grace: Command, tmp_path: Path) -> None:
    (tmp_path / "my_group.yaml").write_text(GOOD.replace("name: scale_out_group", "name: my_group"), encoding="utf-8")
    assert grace("playbooks", "lint", tmp_path).words == "1 playbooks are in order."


def test_every_problem_is_a_line_with_file_key_and_fix(grace: Command, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD.replace("tier: 1", "tier: 1\ncolour: red"), encoding="utf-8")
    (tmp_path / "two.yaml").write_text("[", encoding="utf-8")
    ran = grace("playbooks", "lint", tmp_path)
    assert ran.code == 1
    lines = ran.out.strip().splitlines()
    assert any(line.startswith("one.yaml: colour:") for line in lines)
    assert any(line.startswith("two.yaml") for line in lines)
    assert lines[-1] == f"{len(lines) - 1} thing(s) to correct."
    assert "Traceback" not in ran.err


def test_a_folder_that_is_not_there_is_named(grace: Command, tmp_path: Path) -> None:
    ran = grace("playbooks", "lint", tmp_path / "nowhere")
    assert (ran.code, "nowhere is no folder" in ran.err) == (2, True)


@pytest.mark.parametrize("playbook", load_playbooks([BUILT_IN]), ids=lambda each: each.spec.name)
def test_explain_leads_each_playbooks_example_to_it(playbook: object, grace: Command) -> None:
    spec = playbook.spec  # type: ignore[attr-defined]
    ran = grace("playbooks", "explain", EVENTS / spec.example, "--json")
    said = json.loads(ran.out)
    assert said["playbook"] == spec.name
    assert said["promises"] == json.loads(json.dumps(list(spec.expect)))
    text = grace("playbooks", "explain", EVENTS / spec.example).words
    for part in (said["diagnosis"]["code"], spec.name, f"tier {spec.tier}", said["resource"]["arn"], said["verdict"]):
        assert part in text


def test_explain_of_what_nobody_knows_says_that_a_person_is_told(grace: Command) -> None:
    assert "a person is told" in grace("playbooks", "explain", EVENTS / "error_unknown.json").words


def test_the_schema_is_json_and_the_published_one(grace: Command) -> None:
    assert json.loads(grace("playbooks", "schema").out) == json.loads(json.dumps(playbook_schema()))
