"""A wrong key or value ends the synth with one sentence that names the key and the fix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import app
from infra.config import ConfigError, Deployment, deployment
from infra.constructs import layers
from infra.constructs.layers import ROOT


@pytest.mark.parametrize(
    ("context", "key", "fix"),
    [
        ({"plattform": "host"}, "plattform", "did you mean `platform`?"),
        ({"zebra": 1}, "zebra", "known keys are platform, "),
        ({"platform": "arm"}, "platform", "'lambda' or 'host'"),
        ({"engine": "perhaps"}, "engine", "valid boolean"),
        ({"prefix": "Grace!"}, "prefix", "match pattern"),
        ({"accounts": ["12"]}, "accounts.0", "match pattern"),
        ({"accounts": '["12"]'}, "accounts.0", "match pattern"),
        ({"modes": {"a": "wild"}}, "modes.a", "'shadow', 'approval' or 'autonomous'"),
        ({"modes": "{oops"}, "modes", "must be JSON"),
        ({"playbooks": "mine"}, "playbooks", "valid tuple"),
        ({"log_retention_days": 31}, "log_retention_days", "for example 30"),
        ({"log_retention_days": "31"}, "log_retention_days", "for example 30"),
        ({"vault_retention_days": 1}, "vault_retention_days", "greater than or equal to 30"),
        ({"reap_minutes": 6}, "reap_minutes", "less than or equal to 5"),
        ({"notify_email": "me"}, "notify_email", "match pattern"),
        ({"tags": ["a"]}, "tags", "valid dictionary"),
        ({"mail": "grace@ops.example"}, "mail", "valid dictionary"),
        ({"mail": {"sender": "grace"}}, "mail.sender", "match pattern"),
        ({"mail": {"sender": "g@ops.example", "from": "me"}}, "mail.from", "known keys are sender, base_url."),
        ({"mail": {}}, "mail.sender", "field required"),
        ({"mail": {"sender": "g@ops.example", "base_url": "http://x"}}, "mail.base_url", "match pattern"),
        ({"link_key": 0}, "link_key", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_key_and_fix(context: dict[str, Any], key: str, fix: str) -> None:
    with pytest.raises(ConfigError) as error:
        deployment(context)
    said = str(error.value)
    assert f"`{key}`" in said
    assert fix in said
    assert "\n" not in said
    assert said.endswith((".", "?"))


def test_keys_of_the_cdk_are_not_ours() -> None:
    theirs = {
        "@aws-cdk/core:x": True,
        "aws:cdk:y": 1,
        "availability-zones:account=1:region=r": [],
        "cli-telemetry": False,
    }
    assert deployment(theirs) == Deployment()


def test_values_from_the_command_line_are_text() -> None:
    said = deployment(
        {"engine": "true", "reap_minutes": "1", "modes": '{"p": "autonomous"}', "accounts": '["123456789012"]'}
    )
    assert (said.engine, said.reap_minutes, said.modes, said.accounts) == (
        True,
        1,
        {"p": "autonomous"},
        ("123456789012",),
    )


@pytest.mark.parametrize(
    ("context", "names"),
    [
        ({"colour": "blue"}, "colour"),
        ({"playbooks": ["nowhere"]}, "nowhere"),
        ({"people": "nobody.yaml"}, "nobody.yaml"),
        ({"modes": {"no_such_playbook": "autonomous"}}, "no_such_playbook"),
    ],
)
def test_the_app_names_what_is_wrong(context: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError) as error:
        app.build(context)
    assert names in str(error.value)
    assert "\n" not in str(error.value)


def test_the_process_ends_with_the_sentence_alone() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "infra.app"],
        cwd=ROOT,
        env=os.environ | {"CDK_CONTEXT_JSON": '{"colour": "blue"}'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("grace: cdk.json context: `colour` is not a key of Grace")
    assert len(ended.stderr.strip().splitlines()) == 1


def test_what_cdk_json_says_is_valid() -> None:
    written = json.loads((ROOT / "cdk.json").read_text())
    deployment(written.get("context", {}))


@pytest.mark.parametrize(("group", "warned"), [("approvers", True), ("operators", False)])
def test_a_deployment_that_nobody_could_stop_is_warned_of(
    group: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = tmp_path / "people.json"
    ana = {"id": "ana", "name": "Ana", "groups": [group], "principals": ["arn:aws:iam::111122223333:role/ana"]}
    people.write_text(json.dumps([ana]))
    (tmp_path / "python").mkdir()
    monkeypatch.setattr(layers, "dependencies", lambda *_: layers.Asset(tmp_path / "python", "0" * 64))
    context = {"people": str(people), "modes": {"roll_back_lambda_alias": "autonomous"}}
    made = app.build(context, outdir=str(tmp_path / "out"))
    told = [str(each.data) for stack in made.node.children for each in stack.node.metadata]
    assert any("nobody could stop roll_back_lambda_alias" in each for each in told) is warned
