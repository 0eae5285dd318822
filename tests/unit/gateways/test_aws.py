"""`BotoAws` against the real SDK with its network answers scripted: what each answer and each silence becomes."""

from __future__ import annotations

import io
import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from grace.errors import (
    AccessDenied,
    AnswerLost,
    BadRequest,
    GraceError,
    Mismatch,
    NotFound,
    Throttled,
    Unavailable,
)
from grace.gateways.aws import BotoAws
from grace.gateways.translate import is_read
from grace.sdk import CONNECT_SECONDS, READ_SECONDS

READ = ("lambda", "get_alias", {"FunctionName": "shop", "Name": "live"})
CHANGE = ("lambda", "update_alias", {"FunctionName": "shop", "Name": "live", "FunctionVersion": "3"})


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


class Wire:
    """What the network does with each request, in place of sending it."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.next: Any = None

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        self.sent.append(request)
        if isinstance(self.next, Exception):
            raise self.next
        status, headers, body = self.next
        return AWSResponse(request.url, status, headers, _Raw(body))

    def json(self, status: int, body: dict[str, Any], code: str = "") -> None:
        headers = {"content-type": "application/json"} | ({"x-amzn-errortype": code} if code else {})
        self.next = (status, headers, json.dumps(body).encode())

    def xml(self, status: int, code: str, message: str) -> None:
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        self.next = (status, {"content-type": "text/xml"}, body.encode())

    def ec2(self, status: int, code: str) -> None:
        body = f"<Response><Errors><Error><Code>{code}</Code><Message>m</Message></Error></Errors></Response>"
        self.next = (status, {"content-type": "text/xml"}, body.encode())


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def aws(wire: Wire) -> BotoAws:
    session = boto3.Session(region_name="eu-central-1")
    session.events.register("before-send.*", wire)
    return BotoAws(session)


def call(aws: BotoAws, what: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    service, operation, arguments = what
    return aws.call(service, operation, **arguments)


def test_an_answer_comes_back_without_metadata(aws: BotoAws, wire: Wire) -> None:
    wire.json(200, {"FunctionVersion": "3", "RevisionId": "r"})
    assert call(aws, READ) == {"FunctionVersion": "3", "RevisionId": "r"}


def test_a_streamed_body_comes_back_as_bytes(aws: BotoAws, wire: Wire) -> None:
    wire.next = (200, {"content-type": "application/json"}, b'{"statusCode": 200}')
    answer = aws.call("lambda", "invoke", FunctionName="shop", Payload=b"{}")
    assert answer["Payload"] == b'{"statusCode": 200}'


@pytest.mark.parametrize(
    ("status", "code", "read", "change"),
    [
        (429, "TooManyRequestsException", Throttled, Throttled),
        (400, "ThrottlingException", Throttled, Throttled),
        (400, "RequestLimitExceeded", Throttled, Throttled),
        (503, "ServiceUnavailableException", Unavailable, Unavailable),
        (500, "ServiceException", Unavailable, AnswerLost),
        (502, "EC2UnexpectedException", Unavailable, AnswerLost),
        (404, "ResourceNotFoundException", NotFound, NotFound),
        (400, "NoSuchEntity", NotFound, NotFound),
        (400, "ClusterNotFoundException", NotFound, NotFound),
        (400, "ServiceNotActiveException", NotFound, NotFound),
        (403, "AccessDeniedException", AccessDenied, AccessDenied),
        (400, "UnauthorizedOperation", AccessDenied, AccessDenied),
        (400, "ExpiredTokenException", AccessDenied, AccessDenied),
        (412, "PreconditionFailedException", Mismatch, Mismatch),
        (409, "ResourceConflictException", Mismatch, Mismatch),
        (400, "InvalidParameterValueException", BadRequest, BadRequest),
        (418, "SomethingNobodyKnows", BadRequest, BadRequest),
    ],
)
def test_each_refusal_has_one_meaning(
    aws: BotoAws, wire: Wire, *, status: int, code: str, read: type[GraceError], change: type[GraceError]
) -> None:
    wire.json(status, {"message": "because"}, code)
    for what, expected in ((READ, read), (CHANGE, change)):
        with pytest.raises(GraceError) as caught:
            call(aws, what)
        assert type(caught.value) is expected
        assert code in str(caught.value)
        assert "because" in str(caught.value)
        assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("silence", "read", "change"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), Unavailable, Unavailable),
        (ConnectTimeoutError(endpoint_url="https://x"), Unavailable, Unavailable),
        (ReadTimeoutError(endpoint_url="https://x"), Unavailable, AnswerLost),
        (ConnectionClosedError(endpoint_url="https://x"), Unavailable, AnswerLost),
    ],
)
def test_a_change_that_got_no_answer_may_have_happened(
    aws: BotoAws, wire: Wire, *, silence: Exception, read: type[GraceError], change: type[GraceError]
) -> None:
    for what, expected in ((READ, read), (CHANGE, change)):
        wire.next = silence
        with pytest.raises(GraceError) as caught:
            call(aws, what)
        assert type(caught.value) is expected


def test_an_answer_that_cannot_be_read_is_lost_for_a_change(aws: BotoAws, wire: Wire) -> None:
    wire.next = (200, {"content-type": "text/xml"}, b"<oops")
    with pytest.raises(AnswerLost):
        aws.call("autoscaling", "set_desired_capacity", AutoScalingGroupName="g", DesiredCapacity=2)


@pytest.mark.parametrize("failure", [ReadTimeoutError(endpoint_url="https://x"), (503, {}, b"")])
def test_nothing_is_tried_twice(aws: BotoAws, wire: Wire, failure: Any) -> None:
    wire.next = failure
    for what in (READ, CHANGE):
        wire.sent.clear()
        with pytest.raises(GraceError):
            call(aws, what)
        assert len(wire.sent) == 1


def test_a_group_that_is_not_there_is_not_found_although_the_code_says_validation(aws: BotoAws, wire: Wire) -> None:
    wire.xml(400, "ValidationError", "AutoScalingGroup name not found - null")
    with pytest.raises(NotFound):
        aws.call("autoscaling", "set_desired_capacity", AutoScalingGroupName="g", DesiredCapacity=2)
    wire.xml(400, "ValidationError", "New SetDesiredCapacity value 9 is above max value 4")
    with pytest.raises(BadRequest):
        aws.call("autoscaling", "set_desired_capacity", AutoScalingGroupName="g", DesiredCapacity=9)


def test_a_dry_run_that_would_work_is_an_answer_and_one_that_would_not_is_an_error(aws: BotoAws, wire: Wire) -> None:
    wire.ec2(412, "DryRunOperation")
    assert aws.call("ec2", "reboot_instances", InstanceIds=["i-0"], DryRun=True) == {}
    wire.ec2(403, "UnauthorizedOperation")
    with pytest.raises(AccessDenied):
        aws.call("ec2", "reboot_instances", InstanceIds=["i-0"], DryRun=True)


def test_wrong_arguments_are_named_and_their_values_are_not(aws: BotoAws, wire: Wire) -> None:
    with pytest.raises(BadRequest) as caught:
        aws.call("lambda", "update_alias", FunctionName={"password": "hunter2"}, Name="live")
    assert "FunctionName" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert wire.sent == []


def test_no_credentials_is_said_in_words(aws: BotoAws, wire: Wire) -> None:
    wire.next = NoCredentialsError()
    with pytest.raises(AccessDenied, match="no AWS credentials"):
        call(aws, READ)


def test_clients_are_made_on_first_use_once_with_the_ladders_time_outs() -> None:
    made: list[tuple[str, Any]] = []

    class Session:
        def client(self, service: str, config: Any) -> Any:
            made.append((service, config))
            return type("Client", (), {"get_alias": staticmethod(lambda **_: {})})()

    aws = BotoAws(Session())
    assert made == []
    call(aws, READ)
    call(aws, READ)
    [(service, config)] = made
    assert service == "lambda"
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_SECONDS, READ_SECONDS) == (2, 10)
    assert config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize(
    ("operation", "read"),
    [
        ("get_alias", True),
        ("describe_alarms", True),
        ("list_tags", True),
        ("lookup_events", True),
        ("query", True),
        ("simulate_principal_policy", True),
        ("update_alias", False),
        ("invoke", False),
        ("reboot_instances", False),
        ("set_desired_capacity", False),
        ("put_function_concurrency", False),
        ("delete_function_concurrency", False),
    ],
)
def test_only_what_changes_nothing_counts_as_a_read(operation: str, read: bool) -> None:
    assert is_read(operation) is read
