"""The audit log as deployed: who may write what of it, what is locked, and who may sign (1.4)."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from grace.model.log import KEPT, TILES, VKEY
from grace.stores.archive import PARTIAL
from infra.constructs.floor_plan import DOORS
from infra.stacks.vault import PARTIAL_DAYS
from tests.infra.conftest import Synth
from tests.infra.template import Template, statements, text
from tests.support.documents import document

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


def unconditional(vault: Template) -> set[str]:
    """Return which of the log's objects could be written over: a put without `If-None-Match` is not refused for them."""
    [found] = [each for each in vault.properties("AWS::S3::BucketPolicy") if "LogObjects" in text(each["Bucket"])]
    refused: set[str] = set()
    for each in statements(found["PolicyDocument"]):
        if (each["Effect"], each["Principal"]) != ("Deny", {"AWS": "*"}) or "s3:PutObject" not in each["Action"]:
            continue
        if each.get("Condition") == {"Null": {"s3:if-none-match": "true"}}:
            refused |= {text(arn).rsplit("Arn>", 1)[-1].lstrip("/") for arn in each["Resource"]}
    return {f"{TILES}*", f"{KEPT}*", VKEY} - refused


def test_i6_nobody_writes_over_what_is_written_once_whatever_role_he_holds(vault: Template) -> None:
    """The condition is not left to the code that a stolen role does not run."""
    assert unconditional(vault) == set()


@pytest.mark.parametrize("gone", ["statement", "Condition", "Resource"])
def test_i6_without_any_part_of_that_refusal_it_is_found(vault: Template, gone: str) -> None:
    body = copy.deepcopy(vault.body)
    for each in body["Resources"].values():
        document = each.get("Properties", {}).get("PolicyDocument", {})
        for rule in [one for one in document.get("Statement", []) if one.get("Sid") == "WrittenOnce"]:
            if gone == "statement":
                document["Statement"].remove(rule)
            elif gone == "Condition":
                rule["Condition"] = {"Null": {"s3:if-none-match": "false"}}
            else:
                rule["Resource"] = rule["Resource"][:1]
    assert unconditional(Template(body))


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


def test_the_policy_that_the_witness_is_told_to_set_lets_our_roles_do_what_they_do(synth: Synth) -> None:
    """Across accounts both sides must allow it: the documented policy is the other half of the roles' own."""
    [block] = re.findall(r"```json\n(\{.*?\n\})\n```", document("operations.md"), re.DOTALL)
    told: dict[str, set[tuple[str, str]]] = {}
    for each in statements(json.loads(block)):
        names = each["Principal"]["AWS"]
        for role in [names] if isinstance(names, str) else names:
            door = role.rsplit("/", 1)[-1].split("-")[1]
            told.setdefault(door, set()).update((one, arn) for one in each["Action"] for arn in each["Resource"])
    named = synth(witness_bucket="elsewhere-log")["engine"]
    held = {
        door: {
            (action, arn.replace("<AWS::Partition>", "aws"))
            for each in named.rights(door)
            for arn in each["Resource"]
            if "elsewhere-log" in arn
            for action in each["Action"]
        }
        for door in ROLES
    }
    assert told == {door: rights for door, rights in held.items() if rights}


def unheard(engine: Template) -> list[str]:
    """Return what is wrong with the alarms on the log's own parts: none, or one that would stay quiet."""
    alarms = {each["AlarmName"]: each for each in engine.properties("AWS::CloudWatch::Alarm")}
    found = []
    for part, silence, door in (("audit", 1800, "audit"), ("log", 300, "integrate")):
        silent, errors = alarms.get(f"grace-{part}-silent", {}), alarms.get(f"grace-{part}-errors", {})
        wanted = {
            "MetricName": "Invocations",
            "Namespace": "AWS/Lambda",
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": 1,
            "TreatMissingData": "breaching",
        }
        found += [f"{part}: {name}" for name, value in wanted.items() if silent.get(name) != value]
        if silent.get("Period", 0) * silent.get("EvaluationPeriods", 0) != silence:
            found.append(f"{part}: not after {silence} s")
        if errors.get("MetricName") != "Errors":
            found.append(f"{part}: errors")
        for alarm in (silent, errors):
            where = text(alarm.get("Dimensions", [{}])[0].get("Value", ""))
            if door.capitalize() not in where:
                found.append(f"{part}: watches {where or 'nothing'}")
            if not alarm.get("AlarmActions"):
                found.append(f"{part}: tells nobody")
    return found


def test_i13_f22_a_verifier_or_an_integrator_that_does_not_run_raises_an_alarm(engine: Template) -> None:
    """After two of the verifier's own quarters of an hour; no word of the metric counts as silence."""
    assert unheard(engine) == []


@pytest.mark.parametrize("field", ["TreatMissingData", "AlarmActions", "Period", "Dimensions", "whole"])
@pytest.mark.parametrize("part", ["audit", "log"])
def test_i13_without_any_part_of_the_alarm_it_is_found(engine: Template, part: str, field: str) -> None:
    """The mutants: a silence that nobody hears."""
    body = copy.deepcopy(engine.body)
    name, alarm = next(
        (name, each)
        for name, each in body["Resources"].items()
        if each.get("Properties", {}).get("AlarmName") == f"grace-{part}-silent"
    )
    if field == "whole":
        del body["Resources"][name]
    else:
        del alarm["Properties"][field]
    assert unheard(Template(body))


def test_f12_a_log_that_cannot_be_signed_for_long_raises_an_alarm(engine: Template) -> None:
    """Three runs of the integrator in five minutes that end in an error; one that is repeated well is none."""
    alarms = {each["AlarmName"]: each for each in engine.properties("AWS::CloudWatch::Alarm")}
    assert (alarms["grace-log-errors"]["Threshold"], alarms["grace-log-errors"]["Period"]) == (3, 300)


def test_the_outputs_say_where_the_log_is_and_whose(vault: Template) -> None:
    outputs = vault.body["Outputs"]
    assert text(outputs["LogOrigin"]["Value"]) == "grace-log/<AWS::AccountId>/<AWS::Region>"
    assert text(outputs["LogVkey"]["Value"]).endswith("/vkey")
    assert {"LogBucket", "LogKey"} <= set(outputs)
    assert json.dumps(outputs)
