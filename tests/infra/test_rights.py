"""I41, I42: what each role may do, word by word. A right that nobody wrote down here is one too many."""

from __future__ import annotations

import re

import pytest

from grace.actions.base import actions
from grace.probes.base import probes
from grace.resources.base import resource_types
from grace.settings import Settings
from infra.constructs.authority import ONLY_MANAGED
from infra.constructs.floor_plan import DOORS, Door
from tests.infra.conftest import MAIL, Synth
from tests.infra.reach import SERVICES, services_reached
from tests.infra.template import Template, statements, text

OWN_VOICE = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
STATE = {"dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:Query"}
READ_VAULT = {"s3:GetObject", "kms:Decrypt"}
WRITE_VAULT = READ_VAULT | {"s3:PutObject", "kms:GenerateDataKey"}
NOTIFY = {"sns:Publish", "kms:Decrypt", "kms:GenerateDataKey"}
START = {"states:StartExecution", "states:DescribeExecution"}
STOP = {"states:StopExecution", "states:DescribeExecution"}
PUBLISH, DRAFT = {"events:PutEvents"}, {"lambda:InvokeFunction"}
ALARMS, METRICS = {"cloudwatch:DescribeAlarms"}, {"cloudwatch:GetMetricData"}

LOG_ROWS, LOG_READ = {"dynamodb:BatchGetItem"}, {"s3:GetObject", "s3:ListBucket"}
STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}

READS = {one for kind in resource_types().values() for one in (*kind.reads, *kind.unscoped_reads)}
WRITES = {one for kind in resource_types().values() for one in kind.writes}
ACTS = {one for action in actions().values() for one in action.iam}
OBSERVES = {one for probe in probes().values() for one in probe.iam}
PROVES = {one for probe in probes().values() for one in probe.proof_iam}

ROWS = {
    "triage": STATE
    | WRITE_VAULT
    | NOTIFY
    | PUBLISH
    | DRAFT
    | {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "contract": STATE | READS | PROVES | ALARMS | METRICS | NOTIFY | PUBLISH | START,
    "ask": STATE | NOTIFY | PUBLISH | {"kms:Encrypt", "kms:GenerateMac", "kms:DescribeKey", "ses:SendEmail"},
    "answer": STATE | {"kms:VerifyMac", "kms:GenerateMac"},
    "operate": STATE | DRAFT | NOTIFY | PUBLISH | START | STOP,
    "resolve": STATE
    | START
    | STOP
    | PUBLISH
    | {"kms:Decrypt", "states:SendTaskSuccess", "sqs:SendMessage"}
    | {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"},
    "snapshot": STATE | WRITE_VAULT | READS | {"iam:SimulatePrincipalPolicy"},
    "execute": STATE | READ_VAULT | READS | ACTS,
    "benchmark": STATE | READS | OBSERVES | ALARMS,
    "verify": STATE,
    "rollback": STATE | READ_VAULT | READS | WRITES | ALARMS | NOTIFY,
    "close": STATE | NOTIFY | PUBLISH,
    "integrate": LOG_ROWS
    | LOG_READ
    | NOTIFY
    | PUBLISH
    | STREAM
    | {"dynamodb:PutItem", "s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectTagging"}
    | {"kms:GetPublicKey", "lambda:InvokeFunction"},
    "audit": STATE
    | LOG_READ
    | METRICS
    | NOTIFY
    | PUBLISH
    | {"kms:GetPublicKey", "s3:ListBucketVersions", "s3:GetObjectRetention", "s3:GetObjectVersion"},
    "sign": LOG_ROWS | LOG_READ | {"dynamodb:PutItem", "s3:PutObject", "kms:GetPublicKey", "kms:Sign"},
    "reap": STATE | READS | ALARMS | START | STOP | DRAFT | NOTIFY | PUBLISH | {"kms:DescribeKey"},
}

ON_EVERYTHING = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"} | ALARMS | METRICS
"""What may stand on `*`, beside what a registry declares so: it only reads, and IAM knows no resource for it."""


def test_every_door_has_a_row() -> None:
    assert set(ROWS) == {door.name for door in DOORS}


@pytest.mark.parametrize("door", ROWS)
def test_a_role_may_do_its_row_and_nothing_else(engine: Template, door: str) -> None:
    assert engine.actions(door) == ROWS[door] | OWN_VOICE


@pytest.mark.parametrize("door", ROWS)
def test_no_right_is_a_pattern_of_actions_or_stands_on_everything_unasked(engine: Template, door: str) -> None:
    declared = {one for kind in resource_types().values() for one in kind.unscoped_reads}
    declared |= {one for probe in probes().values() if probe.arns == ("*",) for one in (*probe.iam, *probe.proof_iam)}
    for each in engine.rights(door):
        assert not [action for action in each["Action"] if "*" in action]
        assert each["Effect"] == "Allow"
        if "*" in each["Resource"]:
            assert set(each["Action"]) <= ON_EVERYTHING | declared, each


def test_targets_are_changed_by_execute_and_rollback_alone(engine: Template) -> None:
    changing = ACTS | WRITES
    assert ACTS
    assert {door for door in ROWS if engine.actions(door) & changing} == {"execute", "rollback"}


@pytest.mark.parametrize(("door", "changes"), [("execute", ACTS), ("rollback", WRITES)])
def test_only_managed_resources_of_this_account_and_region_are_changed(
    engine: Template, door: str, changes: set[str]
) -> None:
    """I42: the condition holds for every change whose service knows resource tags; ours all do today."""
    untagged = {one for kind in resource_types().values() if not kind.tag_condition for one in kind.writes}
    untagged |= {
        one for action in actions().values() if not resource_types()[action.on].tag_condition for one in action.iam
    }
    for each in engine.rights(door):
        changing = set(each["Action"]) & changes
        if changing:
            assert changing <= untagged or each["Condition"] == ONLY_MANAGED, each
            assert all("<AWS::Region>:<AWS::AccountId>" in arn for arn in each["Resource"]), each


def test_what_a_probe_calls_is_managed_too(engine: Template) -> None:
    calls = [each for each in engine.rights("benchmark") if "lambda:InvokeFunction" in each["Action"]]
    assert calls
    assert all(each["Condition"] == ONLY_MANAGED for each in calls)


def test_only_resolve_wakes_a_workflow_and_only_on_our_machine(engine: Template) -> None:
    """I24: neither the door that mints nor the one that faces people can resume a workflow."""
    waking = {door for door in ROWS if engine.actions(door) & {"states:SendTaskSuccess", "states:SendTaskFailure"}}
    assert waking == {"resolve"}
    machine = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:stateMachine:grace-remediation"
    [grant] = [each for each in engine.rights("resolve") if "states:SendTaskSuccess" in each["Action"]]
    assert grant["Resource"] == [machine]


def test_the_doors_that_face_people_cannot_seal_or_unseal_or_touch_a_target(engine: Template) -> None:
    for door in ("answer", "operate"):
        assert not engine.actions(door) & (ACTS | WRITES | READS | {"kms:Encrypt", "s3:GetObject", "s3:PutObject"})
    reaching = {action for action in engine.actions("answer") if action.startswith(("states:", "kms:", "lambda:"))}
    assert reaching == {"kms:VerifyMac", "kms:GenerateMac"}


def test_i41_the_door_that_faces_people_writes_what_belongs_to_contracts_alone(engine: Template) -> None:
    """Neither the kill switch nor a hold, a breaker or a mission: whoever owns it lifts none of them."""
    writing = [
        each
        for each in engine.rights("answer")
        if "dynamodb:PutItem" in each["Action"] and any("State" in arn for arn in each["Resource"])
    ]
    assert [each["Action"] for each in writing] == [["dynamodb:PutItem"]]
    assert writing[0]["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["C#*"]}}


def test_i24_only_ask_makes_a_link_and_only_answer_checks_one(engine: Template) -> None:
    minting = {
        door
        for door in ROWS
        for each in engine.rights(door)
        if "kms:GenerateMac" in each["Action"] and any("LinkKey" in arn for arn in each["Resource"])
    }
    assert minting == {"ask"}
    assert {door for door in ROWS if "kms:VerifyMac" in engine.actions(door)} == {"answer"}
    assert {door for door in ROWS if "ses:SendEmail" in engine.actions(door)} == {"ask"}


def test_f40_the_newest_link_key_mints_and_the_one_before_it_is_still_checked(synth: Synth) -> None:
    templates = synth(link_key=3)
    keys = {
        name: each["Properties"]
        for name, each in templates["vault"].of_type("AWS::KMS::Key").items()
        if each["Properties"].get("KeySpec") == "HMAC_256"
    }
    assert [name[:8] for name, each in keys.items() if each["Enabled"]] == ["LinkKey2", "LinkKey3"]
    assert len(keys) == 3
    assert {each["KeyUsage"] for each in keys.values()} == {"GENERATE_VERIFY_MAC"}
    [alias] = [each for each in templates["vault"].properties("AWS::KMS::Alias") if "link" in each["AliasName"]]
    assert text(alias["TargetKeyId"]).startswith("<LinkKey3")
    used = {
        action: [
            key for each in rights if action in each["Action"] for arn in each["Resource"] for key in keys if key in arn
        ]
        for door, action in (("ask", "kms:GenerateMac"), ("answer", "kms:VerifyMac"))
        for rights in [templates["engine"].rights(door)]
    }
    assert [key[:8] for key in used["kms:GenerateMac"]] == ["LinkKey3"]
    assert [key[:8] for key in used["kms:VerifyMac"]] == ["LinkKey2", "LinkKey3"]
    exported = [text(each["Value"]) for each in templates["vault"].body["Outputs"].values()]
    assert all(any(key in value for value in exported) for key in keys)


def test_i24_the_key_of_sign_ins_is_no_key_of_links_and_answers_alone(engine: Template, synth: Synth) -> None:
    grants = {
        door: each
        for door in ROWS
        for each in engine.rights(door)
        if any("SessionKey" in arn for arn in each["Resource"])
    }
    assert list(grants) == ["answer"]
    assert sorted(grants["answer"]["Action"]) == ["kms:GenerateMac", "kms:VerifyMac"]
    assert len(grants["answer"]["Resource"]) == 1
    alone = synth(mail=MAIL)["engine"]
    assert "kms:GenerateMac" not in alone.actions("answer")


def test_mail_leaves_from_the_configured_address_alone(engine: Template) -> None:
    [grant] = [each for each in engine.rights("ask") if "ses:SendEmail" in each["Action"]]
    ours = "arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:"
    assert set(grant["Resource"]) == {
        ours + "identity/grace@ops.example",
        ours + "identity/ops.example",
        ours + "configuration-set/grace",
    }
    assert grant["Condition"] == {"StringEquals": {"ses:FromAddress": "grace@ops.example"}}


def test_without_a_sender_nobody_may_send_mail(synth: Synth) -> None:
    engine = synth()["engine"]
    assert not {door for door in ROWS if "ses:SendEmail" in engine.actions(door)}


def test_a_sealed_value_is_opened_directly_and_an_object_through_s3_alone(engine: Template) -> None:
    for door in ROWS:
        for each in engine.rights(door):
            if {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"} & set(each["Action"]):
                condition = each["Condition"]
                through = condition.get("StringEquals", {}).get("kms:ViaService")
                direct = condition == {"Null": {"kms:ViaService": "true"}}
                assert direct or through, each
                assert direct == (door in {"ask", "resolve"} and through is None)


def test_nothing_in_the_tables_can_be_deleted_or_searched(engine: Template) -> None:
    for door in ROWS:
        assert not [
            one for one in engine.actions(door) if re.match(r"dynamodb:(Delete|Scan|Update|PartiQL|BatchWrite)", one)
        ]
        assert not [one for one in engine.actions(door) if re.match(r"s3:(Delete|Bypass|PutBucket)", one)]


def test_roles_that_touch_targets_are_bounded(engine: Template) -> None:
    bounded = {door for door in ROWS if "PermissionsBoundary" in engine.roles()[door]}
    assert bounded == {"execute", "benchmark", "rollback"}


def test_the_boundary_allows_what_is_declared_and_denies_what_would_undo_it(engine: Template) -> None:
    [policy] = engine.properties("AWS::IAM::ManagedPolicy")
    allowed, denied, tags = statements(policy["PolicyDocument"])
    assert (
        set(allowed["Action"])
        == set().union(*(ROWS[door] for door in ("execute", "benchmark", "rollback"))) | OWN_VOICE
    )
    for action in (
        "iam:*",
        "organizations:*",
        "sts:AssumeRole",
        "kms:PutKeyPolicy",
        "cloudtrail:Stop*",
        "dynamodb:Delete*",
        "s3:Delete*",
    ):
        assert action in denied["Action"]
    assert (denied["Effect"], denied["Resource"]) == ("Deny", ["*"])
    assert (tags["Effect"], tags["Action"], tags["Resource"]) == ("Deny", ["*"], ["*"])
    assert tags["Condition"] == {"ForAnyValue:StringLike": {"aws:TagKeys": ["grace:*"]}}


def test_the_workflow_may_call_its_doors_and_nothing_else(engine: Template) -> None:
    [policy] = engine.properties("AWS::IAM::Policy")
    calls = [each for each in statements(policy["PolicyDocument"]) if "lambda:InvokeFunction" in each["Action"]]
    called = {re.sub(r"<Doors(\w+?)Function.*", r"\1", arn).lower() for each in calls for arn in each["Resource"]}
    assert called == {"ask", "snapshot", "execute", "benchmark", "verify", "rollback", "close"}
    others = {one for each in statements(policy["PolicyDocument"]) for one in each["Action"]} - {
        "lambda:InvokeFunction"
    }
    assert all(one.startswith(("logs:", "xray:")) for one in others)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_door_has_the_rights_and_settings_its_code_reaches(engine: Template, door: Door) -> None:
    """Read from the source: a door that speaks to a service in any branch may do so, and is told its name."""
    name = door.name
    given = {
        key.removeprefix("GRACE_").lower()
        for key in engine.functions()[name]["Environment"]["Variables"]
        if key.startswith("GRACE_")
    }
    assert given <= set(Settings.model_fields)
    for service in services_reached(name):
        rights, settings = SERVICES[service]
        assert set(rights) <= engine.actions(name), f"{name} reaches {service}"
        assert set(settings) <= given, f"{name} reaches {service}"


def test_rights_and_settings_are_not_handed_out_unused(engine: Template) -> None:
    for door in DOORS:
        reached = {setting for service in services_reached(door.name) for setting in SERVICES[service][1]}
        assert set(door.environment) <= reached, door.name


def test_roles_are_taken_on_by_lambda_and_the_workflow_alone(engine: Template) -> None:
    for name, role in engine.roles().items():
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        service = "states.amazonaws.com" if name == "workflow" else "lambda.amazonaws.com"
        assert trust["Principal"] == {"Service": service}
        if name == "workflow":
            assert text(trust["Condition"]["StringEquals"]["aws:SourceAccount"]) == "<AWS::AccountId>"
