"""What is kept stays, whatever happens to the stack."""

from __future__ import annotations

import json
from typing import Any

from grace.stores import keys
from tests.infra.template import Template

KEPT = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"}


def test_what_holds_data_survives_the_stack(vault: Template) -> None:
    for kind in KEPT:
        for each in vault.of_type(kind).values():
            assert (each["DeletionPolicy"], each["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_other_stack_holds_none(engine: Template) -> None:
    assert not [kind for kind in KEPT if engine.of_type(kind)]


def test_tables_are_protected_backed_up_and_shaped_as_the_store_reads_them(vault: Template) -> None:
    tables = {each["TableName"]: each for each in vault.properties("AWS::DynamoDB::Table")}
    assert set(tables) == {"grace-state", "grace-log", "grace-signer"}
    for table in tables.values():
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert [each["AttributeName"] for each in table["KeySchema"]] == [keys.PARTITION, keys.SORT]
        assert table["TimeToLiveSpecification"] == {"AttributeName": keys.EXPIRES, "Enabled": True}
    [index] = tables["grace-state"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == keys.OPEN_INDEX
    assert [each["AttributeName"] for each in index["KeySchema"]] == [keys.OPEN_PARTITION, keys.OPEN_SORT]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert "GlobalSecondaryIndexes" not in tables["grace-log"]


def test_buckets_are_private_versioned_and_encrypted(vault: Template) -> None:
    for each in vault.properties("AWS::S3::Bucket"):
        assert set(each["PublicAccessBlockConfiguration"].values()) == {True}
        assert each["VersioningConfiguration"] == {"Status": "Enabled"}
        assert each["LifecycleConfiguration"]["Rules"]
    encrypted = [each for each in vault.properties("AWS::S3::Bucket") if "BucketKeyEnabled" in json.dumps(each)]
    [snapshots] = encrypted
    [rule] = snapshots["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_the_key_turns(vault: Template) -> None:
    [key] = [each for each in vault.properties("AWS::KMS::Key") if "KeySpec" not in each]
    assert key["EnableKeyRotation"] is True


def test_the_first_to_hear_is_the_address_that_was_given(vault: Template, synth: Any) -> None:
    assert not vault.of_type("AWS::SNS::Subscription")
    [subscription] = synth(notify_email="on-call@example.com")["vault"].properties("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")


def test_every_part_carries_the_tags_of_the_deployment(synth: Any) -> None:
    stacks = synth(tags={"team": "sre"})
    for table in stacks["vault"].properties("AWS::DynamoDB::Table"):
        assert {"Key": "team", "Value": "sre"} in table["Tags"]


OUTPUTS = {
    "vault": {"StateTable", "LogTable", "VaultBucket", "VaultKey", "NotifyTopicArn"},
    "engine": {
        "AlertQueueUrl",
        "AlarmTopicArn",
        "BusName",
        "StateMachineArn",
        "AnswerFunction",
        "RollbackFunction",
        "ReapFunction",
        "ApiUrl",
    },
}


def test_outputs_are_what_the_command_line_reads(templates: dict[str, Template]) -> None:
    for stack, wanted in OUTPUTS.items():
        assert wanted <= set(templates[stack].body["Outputs"])
