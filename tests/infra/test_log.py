"""The audit log as deployed: who may write what of it, what is locked, and who may sign (1.4)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from grace.stores.archive import PARTIAL
from infra.constructs.floor_plan import DOORS
from infra.stacks.vault import PARTIAL_DAYS
from tests.infra.conftest import Synth
from tests.infra.template import Template, statements, text

SIGNER = "arn:<AWS::Partition>:iam::<AWS::AccountId>:role/grace-sign-<AWS::Region>"
ROLES = [door.name for door in DOORS]


def _bucket(vault: Template) -> dict[str, Any]:
    [found] = [each for each in vault.properties("AWS::S3::Bucket") if each.get("ObjectLockEnabled")]
    return found


def _grants(engine: Template, door: str, action: str) -> list[dict[str, Any]]:
    return [each for each in engine.rights(door) if action in each["Action"]]


def test_without_a_word_the_lock_can_be_undone_and_with_one_it_cannot(vault: Template, synth: Synth) -> None:
    """What nobody can undo, not even root, is never a default."""
    usual = _bucket(vault)["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert usual == {"Mode": "GOVERNANCE", "Days": 1}
    said = synth(log_lock={"mode": "COMPLIANCE", "days": 400})
    assert _bucket(said["vault"])["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {
        "Mode": "COMPLIANCE",
        "Days": 400,
    }
    assert said["engine"].functions()["integrate"]["Environment"]["Variables"]["GRACE_LOG_LOCK"] == "COMPLIANCE"
    assert _bucket(synth(log_lock={})["vault"])["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {
        "Mode": "COMPLIANCE",
        "Days": 365,
    }


def test_only_what_is_replaced_expires(vault: Template) -> None:
    """A full tile, a checkpoint or a tile of a higher row carries no tag, so no rule ever takes it."""
    bucket = _bucket(vault)
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    key, _, value = PARTIAL.partition("=")
    assert rule["TagFilters"] == [{"Key": key, "Value": value}]
    assert rule["ExpirationInDays"] == PARTIAL_DAYS > 7
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_one_role_signs_and_the_keys_own_policy_says_so(vault: Template, engine: Template) -> None:
    assert [door for door in ROLES if "kms:Sign" in engine.actions(door)] == ["sign"]
    [grant] = _grants(engine, "sign", "kms:Sign")
    assert grant["Condition"] == {
        "StringEqualsIfExists": {"kms:SigningAlgorithm": "ED25519_SHA_512", "kms:MessageType": "RAW"}
    }
    [key] = [each for each in vault.properties("AWS::KMS::Key") if each.get("KeySpec") == "ECC_NIST_EDWARDS25519"]
    assert key["KeyUsage"] == "SIGN_VERIFY"
    [deny] = [each for each in statements(key["KeyPolicy"]) if each["Effect"] == "Deny"]
    assert deny["Action"] == ["kms:Sign"]
    allowed = [text(each) for each in deny["Condition"]["ArnNotLike"]["aws:PrincipalArn"]]
    assert allowed == [SIGNER, SIGNER.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/*"]


def test_the_integrator_writes_tiles_and_the_trees_head_and_cannot_sign(engine: Template) -> None:
    written = {arn for each in _grants(engine, "integrate", "s3:PutObject") for arn in each["Resource"]}
    assert {arn.rsplit("/", 2)[-2] for arn in written} == {"tile"}
    assert "kms:Sign" not in engine.actions("integrate")
    [head] = _grants(engine, "integrate", "dynamodb:PutItem")
    assert head["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["HEAD"]}}
    [asks] = _grants(engine, "integrate", "lambda:InvokeFunction")
    assert [arn.rsplit(":", 1)[-1] for arn in asks["Resource"]] == ["grace-sign"]


def test_the_signer_writes_checkpoints_and_its_record_and_nothing_else(engine: Template) -> None:
    written = {arn for each in _grants(engine, "sign", "s3:PutObject") for arn in each["Resource"]}
    assert {arn.split("/", 1)[1] for arn in written} == {"checkpoint", "checkpoints/*", "vkey"}
    [record] = _grants(engine, "sign", "dynamodb:PutItem")
    assert ["Signer" in arn for arn in record["Resource"]] == [True]
    assert not {one for one in engine.actions("sign") if one.startswith(("sns:", "events:", "lambda:", "states:"))}


@pytest.mark.parametrize("door", ROLES)
def test_nobody_else_writes_the_trees_head_or_the_signers_record(engine: Template, door: str) -> None:
    """An application role writes lanes and marks of commands; entries under other keys it cannot."""
    for each in _grants(engine, door, "dynamodb:PutItem"):
        log = [arn for arn in each["Resource"] if "LogTable" in arn or "Log" in arn.split(".")[0]]
        keys = each.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
        if log and door != "integrate":
            assert keys == ["L#*", "CMD#*"], each
        if any("Signer" in arn for arn in each["Resource"]):
            assert door == "sign"


@pytest.mark.parametrize("door", ROLES)
def test_nobody_deletes_unlocks_or_bypasses(engine: Template, door: str) -> None:
    assert not [
        one
        for one in engine.actions(door)
        if re.match(r"(dynamodb|s3|kms):.*(Delete|Bypass|LegalHold|PutBucket|Schedule|Disable|PutKeyPolicy)", one)
    ]
    if door != "integrate":
        assert "s3:PutObjectRetention" not in engine.actions(door)


def test_the_verifier_writes_its_own_entries_alone(engine: Template) -> None:
    assert not {one for one in engine.actions("audit") if one.startswith(("s3:Put", "kms:Sign", "lambda:", "states:"))}


def test_copies_are_made_where_somebody_elses_bucket_is_named(engine: Template, synth: Synth) -> None:
    assert not [arn for each in engine.rights("integrate") for arn in each["Resource"] if "elsewhere" in arn]
    named = synth(witness_bucket="elsewhere-log")["engine"]
    for door, actions in (("integrate", {"s3:GetObject", "s3:PutObject"}), ("audit", {"s3:GetObject"})):
        granted = {
            action
            for each in named.rights(door)
            for arn in each["Resource"]
            if arn.endswith("elsewhere-log/checkpoints/*")
            for action in each["Action"]
        }
        assert granted == actions
        assert named.functions()[door]["Environment"]["Variables"]["GRACE_WITNESS_BUCKET"] == "elsewhere-log"


def test_i13_a_verifier_or_an_integrator_that_does_not_run_raises_an_alarm(engine: Template) -> None:
    alarms = {each["AlarmName"]: each for each in engine.properties("AWS::CloudWatch::Alarm")}
    for name in ("grace-audit-silent", "grace-log-silent"):
        assert alarms[name]["TreatMissingData"] == "breaching"
        assert (alarms[name]["MetricName"], alarms[name]["Threshold"]) == ("Invocations", 1)
        assert alarms[name]["Namespace"] == "AWS/Lambda"
    assert alarms["grace-audit-errors"]["MetricName"] == "Errors"
    assert alarms["grace-audit-silent"]["Period"] == 900


def test_the_outputs_say_where_the_log_is_and_whose(vault: Template) -> None:
    outputs = vault.body["Outputs"]
    assert text(outputs["LogOrigin"]["Value"]) == "grace-log/<AWS::AccountId>/<AWS::Region>"
    assert text(outputs["LogVkey"]["Value"]).endswith("/vkey")
    assert {"LogBucket", "LogKey"} <= set(outputs)
    assert json.dumps(outputs)
