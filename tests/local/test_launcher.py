"""The corrections to the engine: errors keep their class, and TLS is one that Python's strict checks accept."""

from __future__ import annotations

import io
import json
import ssl
import stat
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.local.corrections import restore_error_type, with_error_types
from infra.local.launcher import AUTHORITY, CERTIFICATE, KEY, write_certificates
from infra.local.reconcile import Clients

HANDLER = """
class ThrottledError(Exception):
    pass

def handler(event, context):
    if event["say"] == "die":
        import os
        os._exit(1)
    raise ThrottledError(event["say"])
"""


@pytest.mark.engine
@pytest.mark.parametrize("text", ["slow down", "", "[errorType=Other] two\nlines"])
def test_an_exception_reaches_the_caller_with_its_class_and_message(aws: Clients, text: str) -> None:
    functions = aws("lambda")
    name = _function(aws)
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"say": text}).encode())
    body = json.load(answer["Payload"])
    assert answer["FunctionError"] == "Unhandled"
    assert (body["errorType"], body["errorMessage"]) == ("ThrottledError", text)


@pytest.mark.engine
def test_a_worker_that_ended_is_a_runtime_exit(aws: Clients) -> None:
    answer = aws("lambda").invoke(FunctionName=_function(aws), Payload=b'{"say": "die"}')
    assert (answer["FunctionError"], json.load(answer["Payload"])["errorType"]) == ("Unhandled", "Runtime.ExitError")


@pytest.mark.engine
def test_a_state_machine_catches_an_exception_by_its_class(aws: Clients) -> None:
    """What the correction is for: without it `ErrorEquals` matches nothing but States.ALL."""
    assert _caught(aws, "ThrottledError") == ("SUCCEEDED", '"caught"')


@pytest.mark.engine
def test_a_state_machine_knows_a_throttled_function(aws: Clients) -> None:
    functions = aws("lambda")
    functions.put_function_concurrency(FunctionName=_function(aws), ReservedConcurrentExecutions=0)
    try:
        assert _caught(aws, "Lambda.TooManyRequestsException") == ("SUCCEEDED", '"caught"')
    finally:
        functions.delete_function_concurrency(FunctionName=_function(aws))


def _caught(aws: Clients, error: str) -> tuple[str, str | None]:
    """How a machine ends whose one task catches this error and no other."""
    states = {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": _function(aws), "Payload": {"say": "x"}},
            "Catch": [{"ErrorEquals": [error], "Next": "Caught"}],
            "End": True,
        },
        "Caught": {"Type": "Pass", "Result": "caught", "End": True},
    }
    machines = aws("stepfunctions")
    machine = machines.create_state_machine(
        name=f"catcher-{error.rpartition('.')[2]}",
        definition=json.dumps({"StartAt": "Call", "States": states}),
        roleArn=_role(aws),
    )["stateMachineArn"]
    try:
        execution = machines.start_execution(stateMachineArn=machine, name="one")["executionArn"]
        while (seen := machines.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.05)
        return seen["status"], seen.get("output")
    finally:  # While there is a second machine the engine cannot tell which of them a task's answer is for.
        machines.delete_state_machine(stateMachineArn=machine)


@pytest.mark.parametrize("said", ["Worker process died", "Worker process exited immediately. stderr: "])
def test_both_ways_a_worker_ends_are_a_runtime_exit(said: str) -> None:
    body = {"errorMessage": said, "errorType": "RuntimeError"}
    assert restore_error_type({"body": body, "error": True})["body"]["errorType"] == "Runtime.ExitError"


def test_a_worker_that_looks_different_ends_the_start_with_a_sentence() -> None:
    with pytest.raises(SystemExit, match="runs functions in another way"):
        with_error_types("print('another engine')")


@pytest.mark.parametrize(
    "result",
    [
        {"body": {"errorMessage": "[errorType=X]y", "errorType": "Z"}},
        {"body": "[errorType=X]y", "error": True},
        {"body": {"errorMessage": "Task timed out after 3.00 seconds", "errorType": "Sandbox.Timedout"}, "error": True},
    ],
)
def test_what_is_no_marked_error_stays_as_it_is(result: dict[str, Any]) -> None:
    assert restore_error_type(json.loads(json.dumps(result))) == result


def test_the_certificates_pass_strict_verification_and_the_key_is_private(tmp_path: Path) -> None:
    write_certificates(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    client = ssl.create_default_context(cafile=str(tmp_path / AUTHORITY))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / CERTIFICATE, tmp_path / KEY)
    for name in ("127.0.0.1", "localhost"):
        _handshake(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _handshake(client, server, "example.com")


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory: no socket."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            done.add(side)


def _role(aws: Clients) -> str:
    iam = aws("iam")
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ]
    }
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}]}
    try:
        arn = iam.create_role(RoleName="thrower", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName="thrower")["Role"]["Arn"]
    iam.put_role_policy(RoleName="thrower", PolicyName="invoke", PolicyDocument=json.dumps(allow))
    return str(arn)


def _function(aws: Clients, name: str = "thrower", source: str = HANDLER) -> str:
    functions = aws("lambda")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    try:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=_role(aws),
            Handler="index.handler",
            Code={"ZipFile": buffer.getvalue()},
            Timeout=10,
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    except functions.exceptions.ResourceConflictException:
        pass
    return name
