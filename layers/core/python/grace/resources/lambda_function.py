"""AWS::Lambda::Function: memory, timeout, reserved concurrency and log level of a function that is called as `$LATEST`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from grace.errors import Refused, Unavailable, Unobservable
from grace.model.base import Model
from grace.model.resource import Reach, ResourceRef
from grace.model.signal import Signal
from grace.ports import Aws
from grace.resources._lambda import (
    CALLER_READS,
    FUNCTION_ARNS,
    UNSCOPED_CALLER_READS,
    callers,
    function_and_alias,
    function_tags,
    moving,
    names,
    update_in_progress,
)
from grace.resources._stacks import STACK_READS, stack_in_progress
from grace.resources.base import Captured, Restorable

LOGGING_CONFIG = "LoggingConfig"
LEVEL_VARIABLES = ("POWERTOOLS_LOG_LEVEL", "LOG_LEVEL")
"""The variables that set the level of a function which logs plain text, the first one found wins."""

_LEVELS = frozenset({"TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL"})


class LambdaFunctionState(Model):
    """What an action may set. `memory_size` in MB, `timeout` in seconds; without `reserved_concurrency` it is unreserved.

    `log_level_in` says where the level is set: in Lambda's own logging configuration or in which variable. A variable
    is only looked at when its value is one of a closed list of level names, so no other value ever gets in here.
    """

    memory_size: int = Field(ge=128, le=32768)
    timeout: int = Field(ge=1, le=900)
    reserved_concurrency: int | None = Field(default=None, ge=0)
    log_level: str | None = Field(default=None, max_length=8)
    log_level_in: Literal["", "LoggingConfig", "POWERTOOLS_LOG_LEVEL", "LOG_LEVEL"] = ""


class LambdaFunction(Restorable[LambdaFunctionState]):
    """The unpublished version of a function. Its revision is Lambda's `RevisionId`.

    Published versions never change, so a signal about an alias is none about this: what is set here would not reach
    the alias's callers.
    """

    cfn_type = "AWS::Lambda::Function"
    state = LambdaFunctionState
    reads = ("lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration", "lambda:ListTags", *CALLER_READS)
    unscoped_reads = ("lambda:GetAccountSettings", *UNSCOPED_CALLER_READS, *STACK_READS)
    writes = (
        "lambda:DeleteFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
        "lambda:UpdateFunctionConfiguration",
    )
    arns: ClassVar[tuple[str, ...]] = FUNCTION_ARNS

    def from_signal(self, signal: Signal) -> ResourceRef | None:
        """Return the first function the signal names without an alias."""
        for arn in signal.resources:
            if arn.split(":", 3)[2] == "lambda":
                found = function_and_alias(arn.split(":", 5)[5])
                if found and not found[1]:
                    return ResourceRef(type=self.cfn_type, arn=arn)
        return None

    def tags(self, ref: ResourceRef, aws: Aws) -> dict[str, str]:
        """Return the function's tags; raises `NotFound`."""
        return function_tags(ref, aws)

    def capture(self, ref: ResourceRef, aws: Aws) -> Captured[LambdaFunctionState]:
        """Read configuration and reserved concurrency; raises `NotFound`."""
        function, _ = names(ref)
        found = aws.call("lambda", "get_function_configuration", FunctionName=function)
        reserved = aws.call("lambda", "get_function_concurrency", FunctionName=function)
        level, where = _log_level(found)
        state = LambdaFunctionState(
            memory_size=found["MemorySize"],
            timeout=found["Timeout"],
            reserved_concurrency=reserved.get("ReservedConcurrentExecutions"),
            log_level=level,
            log_level_in=where,
        )
        return Captured(state, revision=str(found["RevisionId"]))

    def restore(
        self, ref: ResourceRef, wanted: LambdaFunctionState, now: Captured[LambdaFunctionState], aws: Aws
    ) -> None:
        """Set what differs back; raises `Mismatch` when the configuration was changed since `now` was read."""
        self.put(ref, wanted, now, aws)

    def put(self, ref: ResourceRef, wanted: LambdaFunctionState, now: Captured[LambdaFunctionState], aws: Aws) -> None:
        """Set what differs from `now`: the configuration in one compare-and-set, then the reserved concurrency.

        Raises:
            Mismatch: the configuration was changed since `now` was read; nothing was done.
            Unavailable: an update is in progress, so Lambda accepts no other; nothing was done.
            Refused: `environment`, the level is in a variable and the variables cannot be read.
        """
        function, _ = names(ref)
        changes = _changes(wanted, now.state)
        if changes or wanted.log_level != now.state.log_level:
            found = aws.call("lambda", "get_function_configuration", FunctionName=function)
            if busy := moving(found, function):
                raise Unavailable(f"{busy}: try again when it is done")
            changes |= _level_change(wanted, now.state, found)
            aws.call(
                "lambda", "update_function_configuration", FunctionName=function, RevisionId=now.revision, **changes
            )
        if wanted.reserved_concurrency == now.state.reserved_concurrency:
            return
        if wanted.reserved_concurrency is None:
            aws.call("lambda", "delete_function_concurrency", FunctionName=function)
        else:
            aws.call(
                "lambda",
                "put_function_concurrency",
                FunctionName=function,
                ReservedConcurrentExecutions=wanted.reserved_concurrency,
            )

    def in_progress(self, ref: ResourceRef, aws: Aws) -> str:
        """Return that the function or its stack is being updated."""
        function, _ = names(ref)
        return update_in_progress(function, aws) or stack_in_progress(self.tags(ref, aws), aws)

    def dimensions(self, ref: ResourceRef, namespace: str) -> dict[str, str]:
        """Return the dimensions of the function in `AWS/Lambda`; raises `Unobservable` for another namespace."""
        if namespace != "AWS/Lambda":
            raise Unobservable(f"a function has no metrics in {namespace}: name the dimensions in the playbook")
        return {"FunctionName": names(ref)[0]}

    def reach(self, ref: ResourceRef, aws: Aws) -> Reach:
        """Return who calls it."""
        return callers(ref, aws)

    def probe_function(self, ref: ResourceRef) -> str:
        """Return the function's own ARN."""
        return ref.arn


def _log_level(found: dict[str, Any]) -> tuple[str | None, Any]:
    """Return the level and where it is set. Lambda's own setting counts for functions that log JSON, and for these alone."""
    logging = found.get("LoggingConfig") or {}
    if logging.get("LogFormat") == "JSON":
        return str(logging.get("ApplicationLogLevel") or "INFO"), LOGGING_CONFIG
    variables = (found.get("Environment") or {}).get("Variables") or {}
    for name in LEVEL_VARIABLES:
        if str(variables.get(name, "")).upper() in _LEVELS:
            return str(variables[name]), name
    return None, ""


def _changes(wanted: LambdaFunctionState, now: LambdaFunctionState) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if wanted.memory_size != now.memory_size:
        changes["MemorySize"] = wanted.memory_size
    if wanted.timeout != now.timeout:
        changes["Timeout"] = wanted.timeout
    return changes


def _level_change(wanted: LambdaFunctionState, now: LambdaFunctionState, found: dict[str, Any]) -> dict[str, Any]:
    """Return what sets the log level. Variables are only set all together, so the others are sent as they were read.

    `RevisionId` makes this safe: had anybody changed a variable meanwhile, Lambda would refuse the call.
    """
    if wanted.log_level == now.log_level:
        return {}
    if wanted.log_level_in == LOGGING_CONFIG:
        return {"LoggingConfig": {**found["LoggingConfig"], "ApplicationLogLevel": wanted.log_level}}
    # Where the key of the variables may not be used, Lambda answers with an error in their place, and with none of them.
    variables = (found.get("Environment") or {}).get("Variables") or {}
    if wanted.log_level_in not in variables:
        raise Refused(
            "environment", f"the variables of {found['FunctionName']} cannot be read, so none of them can be set"
        )
    return {"Environment": {"Variables": {**variables, wanted.log_level_in: wanted.log_level}}}


MEMBER = LambdaFunction
