"""Every rule of the house, on this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.rules import Rule, all_rules
from tests.house.rules.machine import MACHINE, WORKFLOW_DOORS
from tests.house.rules.texts import KEYS
from tests.house.tree import PACKAGE, Tree

RULES = all_rules()
# What the rules are about. A rule whose subject is gone would be green for ever, so a missing subject is red.
SUBJECTS = (
    *(f"{PACKAGE}/{name}" for name in ("errors.py", "ports.py", "settings.py", "telemetry.py", "bootstrap.py")),
    *(f"functions/{door}.py" for door in sorted(WORKFLOW_DOORS | {"triage", "contract", "answer", "resolve", "reap"})),
    KEYS,
    MACHINE,
    "requirements/dev.txt",
    "requirements/engine.txt",
    "requirements/runtime.txt",
    "requirements/uv.txt",
    "package-lock.json",
)
ROOMS = ("model", "flow", "playbooks", "actions", "resources", "probes", "evidence", "stores", "gateways")


@pytest.fixture(scope="module")
def checkout() -> Tree:
    return Tree.of_checkout(Path(__file__).resolve().parents[2])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_the_house_keeps(rule: Rule, checkout: Tree) -> None:
    if violations := rule(checkout):
        pytest.fail("\n".join([rule.__doc__ or "", *violations]), pytrace=False)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_subject_is_there(subject: str, checkout: Tree) -> None:
    if not checkout.has(subject):
        pytest.fail(f"{subject} is missing: the rules about it have nothing to judge", pytrace=False)


@pytest.mark.parametrize("room", ROOMS)
def test_the_room_is_furnished(room: str, checkout: Tree) -> None:
    """More than a docstring lives there, so the rules for the room bite."""
    if all(name.endswith("__init__.py") for name in checkout.python(f"{PACKAGE}/{room}")):
        pytest.fail(f"{PACKAGE}/{room} is empty", pytrace=False)
