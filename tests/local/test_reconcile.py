"""Each line of the reconciliation: still needed on this engine, and enough."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.engine import EngineState
from infra.local.errors import LocalError
from infra.local.reconcile import LINES, Clients, Line, reconcile
from infra.local.templates import Deployed
from tests.local.rig import create_stack

STACK = "dropped"


def _trust(service: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


def _arn(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


# One resource per type that has lines, with every listed property set to something other than the engine's default.
RESOURCES: dict[str, Any] = {
    "Key": {
        "Type": "AWS::KMS::Key",
        "Properties": {
            "KeyPolicy": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}},
                        "Action": "kms:*",
                        "Resource": "*",
                    }
                ],
            }
        },
    },
    "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
    "Access": {"Type": "AWS::S3::Bucket", "Properties": {}},
    "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/dropped/machine"}},
    "Limit": {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
            }
        },
    },
    "Bucket": {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            "VersioningConfiguration": {"Status": "Enabled"},
            "ObjectLockEnabled": True,
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
            },
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "old",
                        "Status": "Enabled",
                        "ExpirationInDays": 30,
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    },
                    {
                        "Status": "Enabled",
                        "Prefix": "tiles/",
                        "Transitions": [{"TransitionInDays": 90, "StorageClass": "GLACIER"}],
                    },
                ]
            },
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {
                        "BucketKeyEnabled": True,
                        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": _arn("Key")},
                    }
                ]
            },
            "LoggingConfiguration": {"DestinationBucketName": {"Ref": "Access"}, "LogFilePrefix": "a/"},
        },
    },
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": _trust("lambda.amazonaws.com"),
            "PermissionsBoundary": {"Ref": "Limit"},
        },
    },
    "Function": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Role": _arn("Role"),
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": "def handler(event, context):\n    return 1\n"},
            "ReservedConcurrentExecutions": 4,
            "KmsKeyArn": _arn("Key"),
            "DeadLetterConfig": {"TargetArn": _arn("Queue")},
        },
    },
    "Table": {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ttl"},
            "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": _arn("Key")},
        },
    },
    "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Fn::GetAtt": "Key.Arn"}}},
    "MachineRole": {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": _trust("states.amazonaws.com")},
    },
    "Machine": {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": _arn("MachineRole"),
            "DefinitionString": json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}),
            "LoggingConfiguration": {
                "Level": "ALL",
                "IncludeExecutionData": False,
                "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": _arn("Logs")}}],
            },
        },
    },
}


@dataclass(frozen=True)
class Seen:
    """What a line wanted and what was there: after the bare deploy, and after reconciling."""

    wanted: Any
    dropped: Any
    restored: Any


@dataclass(frozen=True)
class Run:
    assembly: Path
    first: list[str]
    second: list[str]
    seen: dict[str, Seen]


@pytest.fixture(scope="module")
def run(engine: EngineState, aws: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    assembly = tmp_path_factory.mktemp("assembly")
    create_stack(aws("cloudformation"), STACK, RESOURCES, assembly)
    deployed = Deployed(aws("cloudformation"), assembly, account=engine.account, region=engine.region)

    def look(line: Line) -> tuple[Any, Any]:
        [resource] = [r for r in deployed.resources(line.resource_type) if line.template_property in r.properties]
        wanted = line.want(deployed.resolve(STACK, resource.properties[line.template_property]))
        return wanted, line.read(aws, resource.physical_id)

    before = {line.name: look(line) for line in LINES}
    first = reconcile(aws, assembly, account=engine.account, region=engine.region)
    second = reconcile(aws, assembly, account=engine.account, region=engine.region)
    seen = {line.name: Seen(*before[line.name], look(line)[1]) for line in LINES}
    yield Run(assembly, first, second, seen)
    # While there is a second machine the engine cannot tell which of them a task's answer is for.
    machine = aws("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId="Machine")
    aws("stepfunctions").delete_state_machine(stateMachineArn=machine["StackResourceDetail"]["PhysicalResourceId"])


@pytest.mark.engine
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_the_line_is_still_needed(line: Line, run: Run, engine: EngineState) -> None:
    """Fails as soon as the engine's CloudFormation honours the property: then the line is to be removed."""
    seen = run.seen[line.name]
    assert seen.dropped != seen.wanted, f"{engine.name} honours {line.name}: remove its line"
    assert f"ministack {line.engine}" == engine.name, f"seen again on {engine.name}: name that version in the line"


@pytest.mark.engine
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_the_line_puts_back_what_the_template_asks_for(line: Line, run: Run) -> None:
    seen = run.seen[line.name]
    assert seen.restored == seen.wanted
    assert any(applied.endswith(f" {line.template_property}") for applied in run.first)


@pytest.mark.engine
def test_a_second_run_changes_nothing(run: Run) -> None:
    assert run.second == []


@pytest.mark.engine
def test_object_lock_put_back_protects_an_object(aws: Clients, run: Run) -> None:
    """The property is worth nothing unless a locked version refuses to be deleted."""
    s3 = aws("s3")
    found = aws("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId="Bucket")
    bucket = found["StackResourceDetail"]["PhysicalResourceId"]
    version = s3.put_object(Bucket=bucket, Key="entry", Body=b"1")["VersionId"]
    with pytest.raises(s3.exceptions.ClientError, match="object protected by object lock"):
        s3.delete_object(Bucket=bucket, Key="entry", VersionId=version)


@pytest.mark.engine
def test_a_direct_call_without_effect_is_one_sentence(aws: Clients, run: Run, engine: EngineState) -> None:
    [line] = [line for line in LINES if line.name == "AWS::SNS::Topic.KmsMasterKeyId"]
    idle = replace(line, want=lambda _value: "another-key", apply=lambda *_: None)
    with pytest.raises(LocalError, match="dropped/Topic should have KmsMasterKeyId another-key, but the engine still"):
        reconcile(aws, run.assembly, account=engine.account, region=engine.region, lines=[idle])
