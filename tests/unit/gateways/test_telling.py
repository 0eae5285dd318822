"""Workflow, messages, seals, permissions: the real body and the in-memory one of each port, under the same promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from grace.errors import (
    AccessDenied,
    AnswerLost,
    BadRequest,
    IntegrityError,
    InvalidSetting,
    Throttled,
    Unavailable,
)
from grace.gateways.aws import BotoAws
from grace.gateways.memory import (
    MemoryAws,
    MemoryMessages,
    MemoryPermissions,
    MemorySealer,
    MemoryWorkflow,
)
from grace.gateways.messages import AwsMessages
from grace.gateways.permissions import SimulatedPermissions
from grace.gateways.sealer import KmsSealer
from grace.gateways.workflow import StepFunctionsWorkflow
from grace.model.contract import Ticket
from grace.model.diagnosis import DiagnosisCode
from grace.model.mission import DraftRequest
from grace.model.signal import MetricRef

REGION = "eu-central-1"
ACCOUNT = "123456789012"
LATENCY = MetricRef(namespace="Shop", name="Latency", stat="Average", period=60, dimensions={"Service": "cart"})
ERRORS = MetricRef(namespace="Shop", name="Errors", stat="Sum", period=60)


def ticket() -> Ticket:
    return Ticket(
        contract_id="c-1",
        mission_id="m-1",
        digest="d",
        corr="r-1",
        resource="arn",
        playbook="p",
        diagnosis=DiagnosisCode.ELEVATED_ERRORS,
        mode="remediate",
        needs_approval=False,
        settle=60,
    )


@pytest.fixture
def aws() -> Iterator[BotoAws]:
    with mock_aws():
        yield BotoAws(boto3.Session(region_name=REGION))


# workflow


@pytest.fixture(params=["memory", "stepfunctions"])
def workflow(request: pytest.FixtureRequest, aws: BotoAws) -> Any:
    if request.param == "memory":
        return MemoryWorkflow()
    machine = aws.call(
        "stepfunctions",
        "create_state_machine",
        name="remediation",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/x",
        definition=json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}),
    )
    return StepFunctionsWorkflow(aws, machine["stateMachineArn"])


def test_f58_starting_twice_is_starting_once(workflow: Any) -> None:
    assert workflow.status("c-1") is None
    workflow.start("c-1", ticket())
    workflow.start("c-1", ticket())
    assert workflow.status("c-1") == "RUNNING"


def test_stopping_ends_it_and_stopping_what_ended_is_success(workflow: Any) -> None:
    workflow.start("c-1", ticket())
    workflow.stop("c-1", "guard breached")
    assert workflow.status("c-1") == "ABORTED"
    workflow.stop("c-1", "again")
    workflow.stop("c-never", "nothing there")


def test_a_waiting_memory_task_is_woken_once() -> None:
    workflow = MemoryWorkflow()
    assert workflow.wake("token", "c-1") is False
    workflow.wait("token")
    assert workflow.wake("token", "c-1") is True
    assert workflow.wake("token", "c-1") is False


def service_says(code: str, status: int = 400) -> BotoAws:
    """The real port over a session whose every call is refused with one code."""

    class Session:
        def client(self, _service: str, config: Any) -> Any:
            def refuse(**_: Any) -> Any:
                response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
                raise ClientError(response, "Operation")

            return type("Client", (), {"__getattr__": lambda _self, _name: refuse})()

    return BotoAws(Session())


def test_the_state_machines_answers_have_their_meaning() -> None:
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:remediation"
    StepFunctionsWorkflow(service_says("ExecutionAlreadyExists"), arn).start("c-1", ticket())
    for code in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken"):
        assert StepFunctionsWorkflow(service_says(code), arn).wake("t", "c-1") is False
    with pytest.raises(BadRequest):
        StepFunctionsWorkflow(service_says("InvalidName"), arn).start("c 1", ticket())
    with pytest.raises(BadRequest):
        StepFunctionsWorkflow(service_says("InvalidOutput"), arn).wake("t", "c-1")
    with pytest.raises(Throttled):
        StepFunctionsWorkflow(service_says("ThrottlingException"), arn).start("c-1", ticket())


def test_an_execution_is_addressed_below_its_state_machine() -> None:
    aws = MemoryAws({("stepfunctions", "describe_execution"): lambda **_: {"status": "SUCCEEDED"}})
    port = StepFunctionsWorkflow(aws, f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:remediation")
    assert port.status("c-1-rb-1") == "SUCCEEDED"
    assert aws.calls[0][2] == {"executionArn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:remediation:c-1-rb-1"}


# messages


def test_people_are_told_through_the_topic_with_a_severity(aws: BotoAws) -> None:
    topic = aws.call("sns", "create_topic", Name="grace-notify")["TopicArn"]
    queue = aws.call("sqs", "create_queue", QueueName="inbox")["QueueUrl"]
    aws.call("sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox")
    messages = AwsMessages(aws, topic=topic, bus="", contract_function="")
    messages.notify("high", "shop\nwas rolled back \u2192 " + "x" * 200, "Details.")
    body = json.loads(aws.call("sqs", "receive_message", QueueUrl=queue)["Messages"][0]["Body"])
    assert body["Message"] == "Details."
    assert body["Subject"].startswith("shop was rolled back x")
    assert len(body["Subject"]) == 100
    assert body["MessageAttributes"]["severity"]["Value"] == "high"


def test_events_leave_as_ours_on_the_bus() -> None:
    aws = MemoryAws({("events", "put_events"): lambda **_: {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}})
    AwsMessages(aws, topic="", bus="grace", contract_function="").publish("contract.closed", {"contract": "c-1"})
    assert aws.calls[0][2] == {
        "Entries": [
            {
                "EventBusName": "grace",
                "Source": "grace",
                "DetailType": "contract.closed",
                "Detail": '{"contract": "c-1"}',
            }
        ]
    }


def test_an_event_the_bus_refused_is_not_said_to_be_sent() -> None:
    aws = MemoryAws(
        {("events", "put_events"): lambda **_: {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}}
    )
    with pytest.raises(Unavailable, match="InternalFailure"):
        AwsMessages(aws, topic="", bus="grace", contract_function="").publish("contract.closed", {})


def test_the_contract_door_is_asked_and_not_waited_for() -> None:
    aws = MemoryAws({("lambda", "invoke"): lambda **_: {"StatusCode": 202}})
    AwsMessages(aws, topic="", bus="", contract_function="contract").draft(DraftRequest(mission_id="m-1", attempt=2))
    arguments = aws.calls[0][2]
    assert (arguments["FunctionName"], arguments["InvocationType"]) == ("contract", "Event")
    assert json.loads(arguments["Payload"]) == {"mission_id": "m-1", "attempt": 2}


def test_a_name_the_door_was_not_given_is_named() -> None:
    messages = AwsMessages(MemoryAws(), topic="", bus="", contract_function="")
    says: list[Callable[[], None]] = [
        lambda: messages.notify("low", "s", "t"),
        lambda: messages.publish("e", {}),
        lambda: messages.draft(DraftRequest(mission_id="m")),
    ]
    for say in says:
        with pytest.raises(InvalidSetting, match="is not set for this function"):
            say()


def test_what_may_be_said_twice_is_only_unavailable_when_its_answer_is_lost() -> None:
    def lost(**_: Any) -> dict[str, Any]:
        raise AnswerLost("no answer")

    aws = MemoryAws(dict.fromkeys([("sns", "publish"), ("kms", "encrypt"), ("stepfunctions", "start_execution")], lost))
    for call in (
        lambda: AwsMessages(aws, topic="t", bus="", contract_function="").notify("low", "s", "t"),
        lambda: KmsSealer(aws, "k").seal("x", "c"),
        lambda: StepFunctionsWorkflow(aws, "arn").start("c-1", ticket()),
    ):
        with pytest.raises(Unavailable):
            call()


def test_memory_messages_keep_what_was_said_as_it_would_arrive() -> None:
    messages = MemoryMessages()
    messages.notify("low", "s", "t")
    messages.publish("contract.closed", {"pair": (1, 2)})
    messages.draft(DraftRequest(mission_id="m-1"))
    assert messages.notified == [("low", "s", "t")]
    assert messages.published == [("contract.closed", {"pair": [1, 2]})]
    assert messages.drafts == [DraftRequest(mission_id="m-1")]


# sealer


@pytest.fixture(params=["memory", "kms"])
def sealer(request: pytest.FixtureRequest, aws: BotoAws) -> Any:
    if request.param == "memory":
        return MemorySealer()
    return KmsSealer(aws, aws.call("kms", "create_key")["KeyMetadata"]["Arn"])


def test_what_was_sealed_opens_in_its_own_context(sealer: Any) -> None:
    sealed = sealer.seal("token-\u00fc", "c-1")
    assert sealed.isascii()
    assert "token" not in sealed
    assert sealer.unseal(sealed, "c-1") == "token-\u00fc"


def test_another_context_or_changed_bytes_do_not_open(sealer: Any) -> None:
    sealed = sealer.seal("token", "c-1")
    with pytest.raises(IntegrityError):
        sealer.unseal(sealed, "c-2")
    for changed in ("!" + sealed, sealed[:-8] + "AAAAAAAA", sealed[:-8]):
        with pytest.raises(IntegrityError):
            sealer.unseal(changed, "c-1")


# permissions

ALIAS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop:live"


def simulated(decisions: dict[str, dict[str, str]]) -> tuple[SimulatedPermissions, MemoryAws]:
    def simulate(PolicySourceArn: str, ActionNames: list[str], **_: Any) -> dict[str, Any]:  # noqa: N803  boto3's names
        known = decisions[PolicySourceArn]
        results = [{"EvalActionName": name, "EvalDecision": known[name]} for name in ActionNames if name in known]
        return {"EvaluationResults": results, "IsTruncated": False}

    aws = MemoryAws({("iam", "simulate_principal_policy"): simulate})
    return SimulatedPermissions(aws, execute="execute", rollback="rollback"), aws


def test_each_role_is_asked_for_its_own_work() -> None:
    port, aws = simulated(
        {
            "execute": {"lambda:UpdateAlias": "allowed", "lambda:DeleteFunctionConcurrency": "implicitDeny"},
            "rollback": {"lambda:UpdateAlias": "implicitDeny", "lambda:DeleteFunctionConcurrency": "allowed"},
        }
    )
    update, delete = "lambda:UpdateAlias", "lambda:DeleteFunctionConcurrency"
    assert port.missing([update], [delete], ALIAS) == []
    assert port.missing([update], [update, delete], ALIAS) == [update]
    assert port.missing([delete], [delete], ALIAS) == [delete]
    assert [call[2]["PolicySourceArn"] for call in aws.calls] == ["execute", "rollback"] * 3
    told = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in aws.calls[0][2]["ContextEntries"]}
    assert told == {
        "aws:ResourceTag/grace:managed": ["true"],
        "aws:RequestedRegion": [REGION],
        "aws:ResourceAccount": [ACCOUNT],
    }


def test_an_action_iam_says_nothing_of_is_missing() -> None:
    port, _ = simulated({"execute": {}, "rollback": {}})
    assert port.missing(["lambda:UpdateAlias"], [], ALIAS) == ["lambda:UpdateAlias"]
    assert port.missing([], ["lambda:UpdateAlias"], ALIAS) == ["lambda:UpdateAlias"]


def test_where_iam_cannot_be_asked_nothing_is_guessed() -> None:
    port = SimulatedPermissions(service_says("AccessDenied", 403), execute="execute", rollback="rollback")
    with pytest.raises(AccessDenied):
        port.missing(["lambda:UpdateAlias"], [], ALIAS)


def test_no_action_needs_no_call_and_memory_denies_what_it_is_told() -> None:
    assert SimulatedPermissions(MemoryAws(), execute="execute", rollback="rollback").missing([], [], ALIAS) == []
    assert MemoryPermissions(["a:B"]).missing(["a:A", "a:B"], ["a:B"], ALIAS) == ["a:B"]
