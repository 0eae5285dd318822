"""The real CDK CLI against the engine: outputs, progress, and every failure as one sentence."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from infra.local.deploy import deploy, explain
from infra.local.engine import EngineState
from infra.local.errors import DeployFailed, LocalError
from infra.local.paths import Layout, node_folder, tool_path
from infra.local.reconcile import Clients

# A CDK app as the CLI sees one: a command that writes an assembly to CDK_OUTDIR. Without jsii it takes no time.
APP = """
import json, os, pathlib, sys
out = pathlib.Path(os.environ["CDK_OUTDIR"])
context = json.loads(os.environ["CDK_CONTEXT_JSON"])
template = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Topic": {"Type": sys.argv[1], "Properties": {"TopicName": "deployed", "KmsMasterKeyId": "alias/deployed"}},
    },
    "Outputs": {
        "Queue": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}},
        "Context": {"Value": f"{context['engine']} {context['platform']}"},
    },
}
(out / "Deployed.template.json").write_text(json.dumps(template))
stack = {
    "type": "aws:cloudformation:stack",
    "environment": "aws://000000000000/us-east-1",
    "properties": {"templateFile": "Deployed.template.json"},
}
(out / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": {"Deployed": stack}}))
"""


def _app(folder: Path, source: str, *arguments: str) -> str:
    script = folder / "app.py"
    script.write_text(source, encoding="utf-8")
    return shlex.join([sys.executable, str(script), *arguments])


@pytest.mark.engine
def test_a_deploy_gives_outputs_progress_and_what_was_put_back(
    engine: EngineState, engine_root: Path, aws: Clients, tmp_path: Path
) -> None:
    said: list[str] = []
    result = deploy(engine, root=engine_root, progress=said.append, app=_app(tmp_path, APP, "AWS::SNS::Topic"))
    queue = result.outputs["Deployed"]["Queue"]
    assert queue.startswith(f"arn:aws:sqs:{engine.region}:{engine.account}:Deployed-Queue")
    assert result.outputs["Deployed"]["Context"] == "true host"
    assert result.reconciled == ("Deployed/Topic KmsMasterKeyId",)
    topic = aws("sns").get_topic_attributes(TopicArn="arn:aws:sns:us-east-1:000000000000:deployed")["Attributes"]
    assert topic["KmsMasterKeyId"] == "alias/deployed"
    assert any("bootstrapped" in line for line in said)
    assert any("CREATE_COMPLETE" in line and "AWS::SNS::Topic" in line for line in said)
    assert said[0] in Layout(engine_root).deploy_log.read_text(encoding="utf-8")


@pytest.mark.engine
def test_what_cloudformation_refuses_is_named(engine: EngineState, engine_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DeployFailed, match=r"AWS::Nonsense::Thing") as caught:
        deploy(engine, root=engine_root, app=_app(tmp_path, APP, "AWS::Nonsense::Thing"))
    _is_one_sentence_with_the_log(caught.value, engine_root)


@pytest.mark.engine
def test_an_app_that_raises_gives_its_own_sentence(engine: EngineState, engine_root: Path, tmp_path: Path) -> None:
    app = _app(tmp_path, "class ConfigError(Exception): ...\nraise ConfigError('cdk.json: no key `plattform`.')")
    with pytest.raises(DeployFailed, match=r"`cdk deploy` failed: cdk.json: no key `plattform` \(see") as caught:
        deploy(engine, root=engine_root, app=app)
    _is_one_sentence_with_the_log(caught.value, engine_root)


def test_no_node_is_one_sentence_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(LocalError, match=r"^Node, which the CDK runs on, is not installed .*: run `make setup`\.$"):
        node_folder()


def test_the_node_of_the_set_up_comes_before_the_machines_own() -> None:
    found = shutil.which("node", path=tool_path())
    assert found is not None
    assert Path(found).parent == node_folder()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            [
                "Traceback (most recent call last):",
                '  File "app.py", line 3, in <module>',
                "infra.config.ConfigError: The key `x` of cdk.json is not known.",
                "Subprocess exited with error 1",
            ],
            "The key `x` of cdk.json is not known",
        ),
        (
            [
                "Engine |  3/40 | 2:06:30 AM | CREATE_FAILED        | AWS::Lambda::Function | triage Layer too large",
                "Failed resources:",
                "❌  Engine failed: ToolkitError: The stack named Engine failed creation",
            ],
            "AM | CREATE_FAILED        | AWS::Lambda::Function | triage Layer too large",
        ),
        (["something else entirely."], "something else entirely"),
        ([], "it said nothing"),
    ],
)
def test_the_telling_line_is_found(lines: list[str], sentence: str) -> None:
    assert explain(lines) == sentence


def _is_one_sentence_with_the_log(error: DeployFailed, root: Path) -> None:
    text = str(error)
    assert "\n" not in text
    assert text.endswith(f"(see {Layout(root).deploy_log}).")
