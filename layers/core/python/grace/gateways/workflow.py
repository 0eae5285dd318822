"""The state machine. Names and tokens make every call here safe to repeat, so a lost answer is only `Unavailable`."""

from __future__ import annotations

import json
from typing import Any

from grace.errors import AnswerLost, BadRequest, NotFound, Unavailable
from grace.gateways.translate import code_of
from grace.model.contract import Ticket
from grace.ports import Aws

_RUNS_OR_RAN = "ExecutionAlreadyExists"
_MOVED_ON = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class StepFunctionsWorkflow:
    """`ports.Workflow` over one Standard state machine."""

    def __init__(self, aws: Aws, state_machine: str) -> None:
        """Keep the port and the state machine's ARN."""
        self._aws = aws
        self._machine = state_machine

    def start(self, name: str, ticket: Ticket) -> None:
        """Start an execution; one of that name that runs or ran already is success."""
        try:
            self._call("start_execution", stateMachineArn=self._machine, name=name, input=ticket.model_dump_json())
        except BadRequest as exc:
            if code_of(exc) != _RUNS_OR_RAN:
                raise

    def status(self, name: str) -> str | None:
        """Return RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, or None when there never was one."""
        try:
            return str(self._call("describe_execution", executionArn=self._execution(name))["status"])
        except NotFound:
            return None

    def stop(self, name: str, reason: str) -> None:
        """Stop an execution; one that has ended, or never began, is success."""
        if self.status(name) == "RUNNING":
            self._call("stop_execution", executionArn=self._execution(name), error="Stopped", cause=reason[:1024])

    def wake(self, task_token: str, contract_id: str) -> bool:
        """Release a waiting task; its answer holds the contract id alone. False when the workflow has moved on."""
        try:
            self._call("send_task_success", taskToken=task_token, output=json.dumps({"contract_id": contract_id}))
        except (BadRequest, NotFound) as exc:
            if code_of(exc) in _MOVED_ON:
                return False
            raise
        return True

    def _execution(self, name: str) -> str:
        return self._machine.replace(":stateMachine:", ":execution:") + ":" + name

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._aws.call("stepfunctions", operation, **arguments)
        except AnswerLost as exc:
            raise Unavailable(str(exc)) from exc
