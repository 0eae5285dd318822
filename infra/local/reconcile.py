"""Puts back what the engine's CloudFormation drops.

MiniStack accepts these properties in a template, ignores them, and honours the direct call for each. So after a
deploy the synthesised templates are read, what they ask for is compared with what is there, and the difference is
applied. On AWS nothing of this runs. Each line of LINES names the engine version it was seen in;
`tests/local/test_reconcile.py` fails for a line that the engine has stopped needing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.local.errors import LocalError
from infra.local.templates import Deployed

Clients = Callable[[str], Any]
"""Service name to boto3 client."""


@dataclass(frozen=True)
class Line:
    """One dropped property.

    `want` turns the template's resolved value into the form that `read` returns, so that the two compare as they are;
    `apply` makes the direct call. `read` and `apply` are given the physical id.
    """

    resource_type: str
    template_property: str
    engine: str
    want: Callable[[Any], Any]
    read: Callable[[Clients, str], Any]
    apply: Callable[[Clients, str, Any], None]

    @property
    def name(self) -> str:
        """`AWS::S3::Bucket.ObjectLockConfiguration`."""
        return f"{self.resource_type}.{self.template_property}"


def _unless(code: str, call: Callable[[], Any]) -> Any:
    """The call's answer, or None when it ends in the error `code`, which says that nothing is configured."""
    try:
        return call()
    except ClientError as exc:
        if exc.response["Error"]["Code"] == code:
            return None
        raise


def _same(value: Any) -> Any:
    return value


# --- S3 ---------------------------------------------------------------------------------------------------------------


def _read_lock(clients: Clients, bucket: str) -> Any:
    found = _unless(
        "ObjectLockConfigurationNotFoundError", lambda: clients("s3").get_object_lock_configuration(Bucket=bucket)
    )
    return found and found["ObjectLockConfiguration"]


def _apply_lock(clients: Clients, bucket: str, wanted: Any) -> None:
    clients("s3").put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=wanted)


def _want_filter(rule: dict[str, Any]) -> dict[str, Any]:
    if tags := rule.get("TagFilters"):
        [tag] = tags
        return {"Tag": {"Key": tag["Key"], "Value": tag["Value"]}}
    return {"Prefix": rule.get("Prefix", "")}


def _want_lifecycle(value: Any) -> list[dict[str, Any]]:
    """CloudFormation's lifecycle rules in the shape of the S3 API."""
    rules = []
    for number, rule in enumerate(value["Rules"]):
        made: dict[str, Any] = {
            "ID": rule.get("Id", f"rule-{number}"),
            "Status": rule["Status"],
            "Filter": _want_filter(rule),
        }
        if "ExpirationInDays" in rule:
            made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
        if "NoncurrentVersionExpiration" in rule:
            made["NoncurrentVersionExpiration"] = {
                "NoncurrentDays": int(rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
            }
        if "AbortIncompleteMultipartUpload" in rule:
            made["AbortIncompleteMultipartUpload"] = {
                "DaysAfterInitiation": int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
            }
        if "Transitions" in rule:
            made["Transitions"] = [
                {"Days": int(step["TransitionInDays"]), "StorageClass": step["StorageClass"]}
                for step in rule["Transitions"]
            ]
        rules.append(made)
    return rules


def _read_lifecycle(clients: Clients, bucket: str) -> Any:
    found = _unless(
        "NoSuchLifecycleConfiguration", lambda: clients("s3").get_bucket_lifecycle_configuration(Bucket=bucket)
    )
    return found and found["Rules"]


def _apply_lifecycle(clients: Clients, bucket: str, wanted: Any) -> None:
    clients("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": wanted})


def _want_encryption(value: Any) -> list[dict[str, Any]]:
    return [
        {
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]


def _read_encryption(clients: Clients, bucket: str) -> Any:
    return clients("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]


def _apply_encryption(clients: Clients, bucket: str, wanted: Any) -> None:
    clients("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": wanted})


def _want_access_logs(value: Any) -> Any:
    return {"TargetBucket": value["DestinationBucketName"], "TargetPrefix": value.get("LogFilePrefix", "")}


def _read_access_logs(clients: Clients, bucket: str) -> Any:
    return clients("s3").get_bucket_logging(Bucket=bucket).get("LoggingEnabled")


def _apply_access_logs(clients: Clients, bucket: str, wanted: Any) -> None:
    clients("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": wanted})


# --- IAM --------------------------------------------------------------------------------------------------------------


def _read_boundary(clients: Clients, role: str) -> Any:
    boundary = clients("iam").get_role(RoleName=role)["Role"].get("PermissionsBoundary")
    return boundary and boundary["PermissionsBoundaryArn"]


def _apply_boundary(clients: Clients, role: str, wanted: Any) -> None:
    clients("iam").put_role_permissions_boundary(RoleName=role, PermissionsBoundary=wanted)


# --- Lambda -----------------------------------------------------------------------------------------------------------


def _read_concurrency(clients: Clients, function: str) -> Any:
    return clients("lambda").get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")


def _apply_concurrency(clients: Clients, function: str, wanted: Any) -> None:
    clients("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=wanted)


def _read_function_key(clients: Clients, function: str) -> Any:
    return clients("lambda").get_function_configuration(FunctionName=function).get("KMSKeyArn")


def _apply_function_key(clients: Clients, function: str, wanted: Any) -> None:
    clients("lambda").update_function_configuration(FunctionName=function, KMSKeyArn=wanted)


def _read_dead_letter(clients: Clients, function: str) -> Any:
    return clients("lambda").get_function_configuration(FunctionName=function).get("DeadLetterConfig")


def _apply_dead_letter(clients: Clients, function: str, wanted: Any) -> None:
    clients("lambda").update_function_configuration(FunctionName=function, DeadLetterConfig=wanted)


# --- DynamoDB ---------------------------------------------------------------------------------------------------------


def _want_recovery(value: Any) -> Any:
    return bool(value["PointInTimeRecoveryEnabled"])


def _read_recovery(clients: Clients, table: str) -> Any:
    found = clients("dynamodb").describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    return found["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def _apply_recovery(clients: Clients, table: str, wanted: Any) -> None:
    clients("dynamodb").update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": wanted}
    )


def _want_expiry(value: Any) -> Any:
    return value["AttributeName"] if value["Enabled"] else None


def _read_expiry(clients: Clients, table: str) -> Any:
    return clients("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"].get("AttributeName")


def _apply_expiry(clients: Clients, table: str, wanted: Any) -> None:
    clients("dynamodb").update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": wanted}
    )


def _want_table_key(value: Any) -> Any:
    return value.get("KMSMasterKeyId", "owned by AWS") if value["SSEEnabled"] else None


def _read_table_key(clients: Clients, table: str) -> Any:
    found = clients("dynamodb").describe_table(TableName=table)["Table"].get("SSEDescription")
    return found and found.get("KMSMasterKeyArn", "owned by AWS")


def _apply_table_key(clients: Clients, table: str, wanted: Any) -> None:
    clients("dynamodb").update_table(
        TableName=table, SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": wanted}
    )


# --- SNS and Step Functions -------------------------------------------------------------------------------------------


def _read_topic_key(clients: Clients, topic: str) -> Any:
    return clients("sns").get_topic_attributes(TopicArn=topic)["Attributes"].get("KmsMasterKeyId")


def _apply_topic_key(clients: Clients, topic: str, wanted: Any) -> None:
    clients("sns").set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=wanted)


def _want_machine_logs(value: Any) -> Any:
    return {
        "level": value["Level"],
        "includeExecutionData": bool(value.get("IncludeExecutionData", False)),
        "destinations": [
            {"cloudWatchLogsLogGroup": {"logGroupArn": where["CloudWatchLogsLogGroup"]["LogGroupArn"]}}
            for where in value["Destinations"]
        ],
    }


def _read_machine_logs(clients: Clients, machine: str) -> Any:
    found = clients("stepfunctions").describe_state_machine(stateMachineArn=machine).get("loggingConfiguration")
    return found or None


def _apply_machine_logs(clients: Clients, machine: str, wanted: Any) -> None:
    clients("stepfunctions").update_state_machine(stateMachineArn=machine, loggingConfiguration=wanted)


_V = "1.5.33"
LINES: Sequence[Line] = (
    Line("AWS::S3::Bucket", "ObjectLockConfiguration", _V, _same, _read_lock, _apply_lock),
    Line("AWS::S3::Bucket", "LifecycleConfiguration", _V, _want_lifecycle, _read_lifecycle, _apply_lifecycle),
    Line("AWS::S3::Bucket", "BucketEncryption", _V, _want_encryption, _read_encryption, _apply_encryption),
    Line("AWS::S3::Bucket", "LoggingConfiguration", _V, _want_access_logs, _read_access_logs, _apply_access_logs),
    Line("AWS::IAM::Role", "PermissionsBoundary", _V, _same, _read_boundary, _apply_boundary),
    Line("AWS::Lambda::Function", "ReservedConcurrentExecutions", _V, int, _read_concurrency, _apply_concurrency),
    Line("AWS::Lambda::Function", "KmsKeyArn", _V, _same, _read_function_key, _apply_function_key),
    Line("AWS::Lambda::Function", "DeadLetterConfig", _V, _same, _read_dead_letter, _apply_dead_letter),
    Line(
        "AWS::DynamoDB::Table", "PointInTimeRecoverySpecification", _V, _want_recovery, _read_recovery, _apply_recovery
    ),
    Line("AWS::DynamoDB::Table", "TimeToLiveSpecification", _V, _want_expiry, _read_expiry, _apply_expiry),
    Line("AWS::DynamoDB::Table", "SSESpecification", _V, _want_table_key, _read_table_key, _apply_table_key),
    Line("AWS::SNS::Topic", "KmsMasterKeyId", _V, _same, _read_topic_key, _apply_topic_key),
    Line(
        "AWS::StepFunctions::StateMachine",
        "LoggingConfiguration",
        _V,
        _want_machine_logs,
        _read_machine_logs,
        _apply_machine_logs,
    ),
)


def reconcile(
    clients: Clients, assembly: Path, *, account: str, region: str, lines: Sequence[Line] = LINES
) -> list[str]:
    """Apply every dropped property of the stacks in `assembly`; returns `stack/logical id property` per applied one.

    Raises LocalError when a property still differs after its direct call.
    """
    deployed = Deployed(clients("cloudformation"), assembly, account=account, region=region)
    applied = []
    for line in lines:
        for resource in deployed.resources(line.resource_type):
            if line.template_property not in resource.properties:
                continue
            wanted = line.want(deployed.resolve(resource.stack, resource.properties[line.template_property]))
            if line.read(clients, resource.physical_id) == wanted:
                continue
            line.apply(clients, resource.physical_id, wanted)
            found = line.read(clients, resource.physical_id)
            if found != wanted:
                raise LocalError(
                    f"{resource.label} should have {line.template_property} {wanted}, but the engine still has {found}: "
                    "correct its line in infra/local/reconcile.py."
                )
            applied.append(f"{resource.label} {line.template_property}")
    return applied
