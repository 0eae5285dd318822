"""D48: no setting is read by nobody, and what a function must be told has no default that works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grace.errors import InvalidSetting
from grace.settings import Settings, from_environment
from infra.catalogue import catalogue_of
from infra.config import ConfigError, Deployment, deployment
from infra.constructs.layers import ROOT
from tests.infra.conftest import MAIL, OIDC, Synth

PLAYBOOK = "roll_back_lambda_alias"
PEOPLE = [{"id": "ada", "name": "Ada", "groups": ["approvers", "operators", "leads"]}, {"id": "bob", "name": "Bob"}]
OF_THE_CATALOGUE: dict[str, Any] = {
    "modes": {PLAYBOOK: "approval"},
    "lifted": {PLAYBOOK: "d-" + "a" * 26},
    "approvers": "leads",
    "approvers_for": {"3": "leads"},
    "escalation": ["leads"],
    "approval_minutes": {"tier2": 20},
    "operators": "leads",
    "calendar": {"timezone": "Europe/Berlin"},
    "http_hosts": ["shop.example"],
    "group_window": 60,
    "global_in_flight": 3,
}
"""A value that is not the default, for each setting that the functions read from the catalogue."""
OF_FILES = ("people", "playbooks", "policies")
OF_THE_TEMPLATES: dict[str, Any] = {
    "platform": "host",
    "engine": True,
    "prefix": "other",
    "accounts": ["123456789012"],
    "mail": MAIL,
    "oidc": OIDC,
    "link_key": 2,
    "notify_email": "ops@shop.example",
    "log_retention_days": 30,
    "vault_retention_days": 60,
    "log_lock": {"mode": "GOVERNANCE", "days": 2},
    "log_origin": "log.shop.example",
    "witness_bucket": "shop-witness",
    "reap_minutes": 1,
    "tags": {"team": "shop"},
}


@pytest.fixture
def people(tmp_path: Path) -> str:
    file = tmp_path / "people.json"
    file.write_text(json.dumps(PEOPLE), encoding="utf-8")
    return str(file)


def test_every_setting_is_here() -> None:
    assert {*OF_THE_CATALOGUE, *OF_FILES, *OF_THE_TEMPLATES} == set(Deployment.model_fields)


@pytest.mark.parametrize("setting", OF_THE_CATALOGUE)
def test_d48_a_setting_of_the_catalogue_reaches_the_functions(setting: str, people: str) -> None:
    without, given = ({"people": people} | chosen for chosen in ({}, {setting: OF_THE_CATALOGUE[setting]}))
    assert catalogue_of(deployment(given)) != catalogue_of(deployment(without))


def test_d48_the_files_that_are_named_reach_the_functions(people: str, tmp_path: Path) -> None:
    plain = catalogue_of(deployment({}))
    assert catalogue_of(deployment({"people": people})) != plain
    [ours] = (ROOT / "layers" / "core" / "python" / "grace" / "playbooks").rglob(f"{PLAYBOOK}.yaml")
    policy = '@id("team.fine") permit (principal, action in Grace::Action::"act", resource) when { resource.managed };'
    (tmp_path / "team.cedar").write_text(policy, encoding="utf-8")
    assert catalogue_of(deployment({"policies": [str(tmp_path)]})) != plain
    (tmp_path / "mine.yaml").write_text(ours.read_text().replace(PLAYBOOK, "mine"), encoding="utf-8")
    assert catalogue_of(deployment({"playbooks": [str(tmp_path)]})) != plain


@pytest.fixture(scope="module")
def plain(synth: Synth) -> dict[str, Any]:
    return {name: template.body for name, template in synth().items()}


@pytest.mark.parametrize("setting", OF_THE_TEMPLATES)
def test_d48_a_setting_of_the_stacks_changes_what_is_deployed(
    synth: Synth, plain: dict[str, Any], setting: str
) -> None:
    chosen = {name: template.body for name, template in synth(**{setting: OF_THE_TEMPLATES[setting]}).items()}
    assert chosen != plain


def test_d48_what_a_function_must_be_told_has_no_default() -> None:
    with pytest.raises(InvalidSetting, match="GRACE_STATE_TABLE, GRACE_LOG_TABLE"):
        from_environment({})
    told = from_environment({"GRACE_STATE_TABLE": "state", "GRACE_LOG_TABLE": "log"})
    for name, field in Settings.model_fields.items():
        if field.default == "":
            with pytest.raises(InvalidSetting, match=f"GRACE_{name.upper()} is not set"):
                told.need(name)
    assert {name for name, field in Settings.model_fields.items() if field.default != ""} == {
        "state_table", "log_table", "lanes", "log_lock", "log_lock_days",
    }  # fmt: skip


def test_sign_in_is_checked_against_the_people_file(tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(
        "- {id: ada, name: Ada, groups: [leads]}\n- {id: bob, name: Bob, groups: [leads], subject: s-2}\n"
    )
    given = {"people": str(people), "approvers_for": {"3": "leads"}}
    catalogue_of(deployment(given))
    with pytest.raises(ConfigError, match=r"approvers_for\.3: .* 1 of its 2 have a `subject`"):
        catalogue_of(deployment(given | {"oidc": {"issuer": "https://id.example.com", "client_id": "grace"}}))
