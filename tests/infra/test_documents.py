"""What the documents say is so: each proof exists, each setting, role, status, alarm, key and action is in its table."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from grace.actions.base import actions
from grace.model.contract import ContractStatus, Mode
from grace.model.playbook import PlaybookSpec
from grace.playbooks.lint import lint
from grace.probes.base import probes
from grace.resources.base import resource_types
from infra.catalogue import EXAMPLES
from infra.cli.main import parser
from infra.config import Deployment
from infra.constructs.api import PUBLIC, PUBLIC_RATE, RATE, ROUTES
from infra.constructs.boundary import DENIED
from infra.constructs.floor_plan import DOORS, Right
from infra.constructs.names import Names
from infra.constructs.watch import alarm_names
from tests.support.documents import cells, document

TESTS = Path(__file__).parents[1]
PROOF = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
COMMAND = re.compile(r"^`make (check|demo|bench)`$")
ALONE = "none of its own"
FEATURES = document("features.md")


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize(("file", "name"), sorted(set(PROOF.findall(FEATURES))))
def test_d51_every_proof_exists(file: str, name: str) -> None:
    path = TESTS / file
    assert path.is_file(), f"docs/features.md names {file}, which is not there"
    assert name in names_in(path), f"docs/features.md names {name}, which is not in {file}"


def test_d51_what_is_not_proved_is_not_said_to_be_done() -> None:
    rows = [row for row in cells(FEATURES) if re.match(r"[DFI]\d", row[0])]
    assert len(rows) > 150
    unproved = {row for row in rows if not PROOF.search(row[-1]) and not COMMAND.search(row[-1])}
    assert unproved == {row for row in rows if row[2].startswith("not yet")} | {row for row in rows if row[-1] == ALONE}


def test_the_readme_names_every_question_and_button_and_no_other_command() -> None:
    page = (TESTS.parent / "README.md").read_text()
    [commands] = [each.choices for each in parser()._actions if isinstance(each.choices, dict)]
    named = set(re.findall(r"\bgrace ([a-z][a-z-]+)\b", page))
    assert named - set(commands) == set()
    assert set(commands) - named == {"up", "down", "fire", "demo"}, "the machine's own"


def test_the_readme_shows_every_function_of_the_floor_plan() -> None:
    page = (TESTS.parent / "README.md").read_text()
    picture = page.split("```text")[1].split("```")[0]
    people = {"answer", "operate", "resolve"}  # who wait for people, and are told of in the text
    assert {door.name for door in DOORS if door.name not in picture} == people


def test_every_setting_is_explained_with_its_default() -> None:
    table = {row[0]: row[1] for row in cells(document("operations.md"))}
    defaults = Deployment().model_dump(mode="json")
    assert {name: table.get(f"`{name}`") for name in defaults} == {
        name: "none" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"
        for name, value in defaults.items()
    }


def test_every_status_and_alarm_has_its_line() -> None:
    named = {row[0].strip("`") for row in cells(document("operations.md"))}
    assert {status.value for status in ContractStatus} <= named
    assert set(alarm_names(Names("grace"))) <= named
    assert {mode.value for mode in Mode} <= named


def test_the_table_of_roles_is_the_floor_plan() -> None:
    rows = {row[0].strip("`"): row[1:] for row in cells(document("security.md"))}
    for door in DOORS:
        rights = ", ".join(f"`{right.value}`" for right in door.rights)
        assert rows[door.name] == (door.about, rights, "yes" if door.bounded else "no")
    assert {right.value for right in Right} <= set(rows)


def test_every_route_is_listed_with_what_it_asks_for() -> None:
    text = document("security.md")
    listed = {
        row[0].strip("`"): row[1:] for row in cells(text) if re.match(r"`(GET|HEAD|OPTIONS|POST|PUT|DELETE) /", row[0])
    }
    signed = {f"POST {path}": ("an IAM signature", f"`{door}`") for path, door in ROUTES.items()}
    public = {f"{method} {path}": ("nothing", "`answer`") for method, path in PUBLIC}
    assert listed == signed | public
    assert f"throttled to {RATE} requests a second, each public route to {PUBLIC_RATE}," in text.replace("\n", " ")


def test_what_the_boundary_denies_is_listed() -> None:
    assert set(re.findall(r"^- `([a-z0-9]+:[\w*]+)`$", document("security.md"), re.MULTILINE)) == set(DENIED)


def test_every_key_action_kind_and_field_of_a_playbook_is_explained() -> None:
    rows = {row[0].strip("`"): row[1:] for row in cells(document("playbooks.md"))}
    assert set(PlaybookSpec.model_fields) <= set(rows)
    for name, act in actions().items():
        on, asks, undo = rows[name]
        assert (on.strip("`"), undo) == (act.on, act.undo.value)
        assert {word for word in re.findall(r"`(\w+)`", asks) if not word.startswith("previous")} == set(
            act.ask.model_fields
        )
    for kind, resource in resource_types().items():
        assert rows[kind] == (", ".join(f"`{field}`" for field in resource.state.model_fields),)
    assert set(probes()) <= set(rows)


def test_the_example_passes_the_lint(tmp_path: Path) -> None:
    [written] = re.findall(r"```yaml\n(name: .*?)```", document("playbooks.md"), re.DOTALL)
    name = written.split("\n", 1)[0].removeprefix("name: ")
    (tmp_path / f"{name}.yaml").write_text(written)
    assert lint([tmp_path], [EXAMPLES]) == []
    assert {line.split(":", 1)[0] for line in written.splitlines() if re.match(r"[a-z]", line)} == set(
        PlaybookSpec.model_fields
    ), "the example shows every key"
