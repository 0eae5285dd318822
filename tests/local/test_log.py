"""The log of a deployed Grace: what happened is in a signed checkpoint, and the engine's IAM lets nobody else write it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grace.ledger import fsck, note
from grace.ledger.ed25519 import KeyVerifier, public_key
from grace.stores.dynamo import DynamoStore
from infra.local.deploy import clients, deploy
from infra.local.engine import Engine
from infra.local.reconcile import Clients
from tests.local.rig import isolated_root
from tests.support.world import EVENTS

ALERTS = 4
SECONDS = 60


@dataclass(frozen=True)
class Deployed:
    """A deployed Grace."""

    aws: Clients
    outputs: dict[str, str]

    def get(self, path: str) -> bytes | None:
        try:
            return bytes(self.aws("s3").get_object(Bucket=self.outputs["LogBucket"], Key=path)["Body"].read())
        except self.aws("s3").exceptions.NoSuchKey:
            return None

    def paths(self) -> list[str]:
        found = self.aws("s3").list_objects_v2(Bucket=self.outputs["LogBucket"]).get("Contents", [])
        return [each["Key"] for each in found]

    def signed(self) -> int:
        """Return the size of the log as last signed, 0 where the engine has no whole checkpoint at the moment."""
        found = self.get(fsck.CHECKPOINT)
        return note.verify(found, [self.key], self.key.name).size if found else 0

    @property
    def key(self) -> KeyVerifier:
        spki = self.aws("kms").get_public_key(KeyId=self.outputs["LogKey"])["PublicKey"]
        return KeyVerifier(public_key(self.outputs["LogOrigin"], spki))

    def invoke(self, function: str, **event: Any) -> tuple[str | None, dict[str, Any]]:
        answer = self.aws("lambda").invoke(FunctionName=self.outputs[function], Payload=json.dumps(event).encode())
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    root: Path = isolated_root(tmp_path_factory.mktemp("log"))
    engine = Engine(root)
    state = engine.start()
    done = deploy(state, root=root)
    found = Deployed(clients(state), {**done.outputs["grace-vault"], **done.outputs["grace-engine"]})
    detail = json.loads((EVENTS / "error_timeout.json").read_text())["detail"]
    for number in range(ALERTS):
        entry = {
            "EventBusName": found.outputs["BusName"], "Source": "shop", "DetailType": "error.detected",
            "Detail": json.dumps(detail | {"service": f"shop-{number}"}),
        }  # fmt: skip
        found.aws("events").put_events(Entries=[entry])
    yield found
    engine.stop()


@pytest.mark.engine
def test_what_happened_is_signed_and_can_be_checked_from_outside(deployed: Deployed) -> None:
    """The stream rings, the integrator stores, the signer signs under its own role, and a reader believes the key alone."""
    until = time.monotonic() + SECONDS
    size = 0
    while size < ALERTS and time.monotonic() < until:
        time.sleep(1)
        size = deployed.signed()
    assert size >= ALERTS
    report = fsck.check(deployed.get, deployed.paths(), deployed.key)
    assert report.findings == ()
    assert note.parse_vkey((deployed.get(fsck.VKEY) or b"").decode()) == deployed.key.key


@pytest.mark.engine
def test_the_verifier_finds_nothing_and_its_result_is_signed_too(deployed: Deployed) -> None:
    error, says = deployed.invoke("AuditFunction")
    assert error is None, says
    size = says["size"]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if deployed.signed() > size:
            return
        time.sleep(1)
    pytest.fail(f"the verifier's entry was not signed: the log has {size} entries")


@pytest.mark.engine
def test_the_bucket_is_locked_and_a_version_cannot_be_deleted(deployed: Deployed) -> None:
    bucket = deployed.outputs["LogBucket"]
    s3 = deployed.aws("s3")
    path = next(path for path in deployed.paths() if path.startswith("checkpoints/"))
    [version] = s3.list_object_versions(Bucket=bucket, Prefix=path)["Versions"][:1]
    with pytest.raises(s3.exceptions.ClientError, match=r"AccessDenied|locked|retention"):
        s3.delete_object(Bucket=bucket, Key=path, VersionId=version["VersionId"])


@pytest.mark.engine
@pytest.mark.parametrize(
    ("door", "action", "resource"),
    [
        ("triage", "dynamodb:DeleteItem", "table/grace-log"),
        ("triage", "dynamodb:UpdateItem", "table/grace-log"),
        ("execute", "dynamodb:DeleteItem", "table/grace-log"),
        ("integrate", "dynamodb:DeleteItem", "table/grace-log"),
        ("integrate", "kms:Sign", "key"),
        ("triage", "kms:Sign", "key"),
        ("triage", "dynamodb:PutItem", "table/grace-signer"),
        ("integrate", "dynamodb:PutItem", "table/grace-signer"),
        ("audit", "s3:PutObject", "bucket"),
        ("sign", "s3:DeleteObjectVersion", "bucket"),
        ("integrate", "s3:DeleteObjectVersion", "bucket"),
    ],
)
def test_a_role_may_not(deployed: Deployed, door: str, action: str, resource: str) -> None:
    """As the engine evaluates the deployed roles."""
    arns = {
        "key": deployed.outputs["LogKey"],
        "bucket": f"arn:aws:s3:::{deployed.outputs['LogBucket']}/tile/0/000",
    }
    arn = arns.get(resource, f"arn:aws:dynamodb:us-east-1:000000000000:{resource}")
    role = deployed.aws("iam").get_role(RoleName=f"grace-{door}-us-east-1")["Role"]["Arn"]
    [answer] = deployed.aws("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[arn]
    )["EvaluationResults"]
    assert answer["EvalDecision"] != "allowed"


@pytest.mark.engine
def test_what_somebody_did_to_an_object_is_on_the_bus_in_the_log_and_an_error_of_the_verifier(
    deployed: Deployed,
) -> None:
    """F19 with the rights as deployed; the error is what the alarm on the verifier counts. The last test: it tampers."""
    sqs, events, s3 = deployed.aws("sqs"), deployed.aws("events"), deployed.aws("s3")
    heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = deployed.outputs["BusName"]
    pattern = json.dumps({"detail-type": ["log.integrity_issue"]})
    events.put_rule(Name="heard", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="heard", EventBusName=bus, Targets=[{"Id": "heard", "Arn": arn}])
    path = next(path for path in deployed.paths() if path.startswith("checkpoints/"))
    bucket = deployed.outputs["LogBucket"]
    s3.put_object(Bucket=bucket, Key=path, Body=deployed.get(path), ChecksumAlgorithm="SHA256")

    error, says = deployed.invoke("AuditFunction", full=True)

    assert (error, says["errorType"]) == ("Unhandled", "IntegrityError")
    [message] = sqs.receive_message(QueueUrl=heard, WaitTimeSeconds=10)["Messages"]
    found = json.loads(message["Body"])["detail"]
    assert (found["check"], found["where"]) == ("V10", path)
    table = DynamoStore(deployed.aws("dynamodb"), "grace-state", "grace-log", 16)
    written = {entry.type: entry for entry in table.story("sys:audit")}
    assert written["log.doubted"].body["issues"] == 1
    assert written["log.integrity_issue"].body["where"] == path
