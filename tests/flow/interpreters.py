"""Two interpreters for one script: moto's, which is nobody of ours, and the fast one of `tests.support.machine`."""

from __future__ import annotations

import copy
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import boto3
from moto import mock_aws

from grace.model.contract import Ticket
from tests.flow.scripts import FUNCTIONS, Cast, Document, Fails, Run, Script, Silence
from tests.support.machine import DEFINITION, Execution, Machine

REGION = "eu-central-1"
FUNCTION_PREFIX = f"arn:aws:lambda:{REGION}:123456789012:function:"
PATIENCE_SECONDS = 60.0
# Refusals of the service itself, which the interpreter sees as an error of the call and not of the function.
_REFUSALS = {"Lambda.TooManyRequestsException": 429, "Lambda.ServiceException": 500}


def quick_definition() -> str:
    """The definition with ARNs for its placeholders, and with three numbers changed: moto really sleeps and waits.

    A retry comes after a second at most (full jitter), and an approval's backstop is one second. Which errors are
    repeated and how often, what catches what and where it leads are the file's own.
    """
    definition = copy.deepcopy(DEFINITION)
    for state in definition["States"].values():
        for retry in state.get("Retry", []):
            retry |= {"IntervalSeconds": 1, "BackoffRate": 1}
    definition["States"]["Ask"]["TimeoutSeconds"] = 1
    text = json.dumps(definition)
    for function in set(FUNCTIONS.values()):
        text = text.replace(f"${{{function}}}", FUNCTION_PREFIX + function)
    return text


@dataclass(frozen=True)
class _Answer:
    """What botocore looks at in an HTTP answer."""

    status_code: int


class _Lambda:
    """Answers the interpreter's calls of Lambda in this process: a botocore handler, nothing of moto is patched."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.machines = boto3.client("stepfunctions", region_name=REGION)

    def __call__(self, params: Document, **_: Any) -> tuple[_Answer, Document]:
        try:
            return self._invoke(params)
        except Exception as exc:
            # The interpreter would take it for an error of the state, and the definition might even catch it.
            self.cast.wrong.append(repr(exc))
            raise

    def _invoke(self, params: Document) -> tuple[_Answer, Document]:
        function = unquote(params["url_path"]).split("/")[-2].removeprefix(FUNCTION_PREFIX)
        call = json.loads(params["body"])
        line, ticket = self.cast.play(function, call)
        if isinstance(line, Fails):
            if status := _REFUSALS.get(line.error):
                code = line.error.removeprefix("Lambda.")
                facts = {"HTTPStatusCode": status, "RequestId": "none"}
                return _Answer(status), {"Error": {"Code": code, "Message": "scripted"}, "ResponseMetadata": facts}
            return self._answer({"errorType": line.error, "errorMessage": "scripted"}, FunctionError="Unhandled")
        if (token := call.get("task_token")) and not isinstance(line, Silence):
            self.machines.send_task_success(taskToken=token, output='{"woken": true}')
        return self._answer(ticket)

    @staticmethod
    def _answer(payload: Document, **more: str) -> tuple[_Answer, Document]:
        return _Answer(200), {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(payload).encode()), **more}


@contextmanager
def _moto(cast: Cast) -> Iterator[Any]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        # The interpreter makes its clients from the default session.
        boto3.setup_default_session(region_name=REGION)
        answers = _Lambda(cast)
        boto3.DEFAULT_SESSION.events.register("before-call.lambda.Invoke", answers)
        try:
            yield answers.machines
        finally:
            boto3.DEFAULT_SESSION = None


def run_on_moto(script: Script) -> Run:
    """Run a script on moto's interpreter; fails when it does not end in time or a door would have refused a call."""
    cast = Cast(script)
    with _moto(cast) as machines:
        machine = machines.create_state_machine(
            name="remediation", definition=quick_definition(), roleArn="arn:aws:iam::123456789012:role/workflow"
        )["stateMachineArn"]
        execution = machines.start_execution(
            stateMachineArn=machine, name=script.ticket.contract_id, input=script.ticket.model_dump_json()
        )["executionArn"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := machines.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"still running after {cast.called}"
            time.sleep(0.01)
        pages = machines.get_paginator("get_execution_history").paginate(executionArn=execution)
        events = [event for page in pages for event in page["events"]]
    assert not cast.wrong, cast.wrong
    return Run(
        status=found["status"],
        visited=tuple(e["stateEnteredEventDetails"]["name"] for e in events if e["type"].endswith("StateEntered")),
        called=tuple(cast.called),
        ticket=Ticket.model_validate_json(found["output"]) if "output" in found else None,
    )


def run_on_ours(script: Script) -> tuple[Run, list[float]]:
    """Run a script on `tests.support.machine`; also return the seconds it was asked to pause, in order."""
    cast, pauses = Cast(script), list[float]()
    silent = False

    def door(function: str) -> Any:
        def answer(call: Document) -> Document:
            nonlocal silent
            line, ticket = cast.play(function, call)
            if isinstance(line, Fails):
                raise type(line.error, (Exception,), {})("scripted")
            silent = isinstance(line, Silence)
            return ticket

        return answer

    doors = {name.removesuffix("Function").lower(): door(name) for name in FUNCTIONS.values()}
    machine = Machine(doors, pauses.append)
    execution = Execution(script.ticket.contract_id, script.ticket.model_dump(mode="json"))
    while machine.run(execution).status == "RUNNING":
        machine.expire(execution) if silent else machine.wake(execution)
    assert not cast.wrong, cast.wrong
    run = Run(
        status=execution.status,
        visited=tuple(execution.visited),
        called=tuple(cast.called),
        ticket=Ticket.model_validate(execution.document) if execution.status == "SUCCEEDED" else None,
    )
    return run, pauses
