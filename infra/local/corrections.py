"""What the engine gets wrong that no direct call can put right, corrected inside its own process.

Only what would otherwise force a change to the deployed roles or to the state machine belongs here: the templates are
AWS's, so it is the engine that yields. Seen in ministack 1.5.33; `tests/local/test_corrections.py` asks the bare engine
for each of them and fails when one is no longer needed. Imports nothing but the engine.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from itertools import product
from typing import Any

Tags = dict[str, str]
_TYPE_MARK = re.compile(r"\[errorType=(\w+)\](.*)", re.DOTALL)
_DIED = ("Worker process died", "Worker process exited immediately")
_UNMARKED = '"error": str(e), "trace": traceback.format_exc()'

# Sub-resource of a Lambda function to the IAM action of each HTTP method. The engine knows the first as ListAliases,
# the second as PutFunctionConcurrency whatever the method, and the third as GetFunction or UpdateFunctionCode.
_LAMBDA_ACTIONS: Mapping[tuple[str, int], Mapping[str, str]] = {
    ("aliases", 2): {"GET": "GetAlias", "PUT": "UpdateAlias", "DELETE": "DeleteAlias"},
    ("concurrency", 1): {
        "GET": "GetFunctionConcurrency",
        "PUT": "PutFunctionConcurrency",
        "DELETE": "DeleteFunctionConcurrency",
    },
    ("event-invoke-config", 1): {
        "GET": "GetFunctionEventInvokeConfig",
        "PUT": "PutFunctionEventInvokeConfig",
        "POST": "UpdateFunctionEventInvokeConfig",
        "DELETE": "DeleteFunctionEventInvokeConfig",
    },
}
_FUNCTION_ARN_PARTS = 7
# The principal type of a request that is only imagined: it takes every condition's value from what the caller told.
_SIMULATED = "Simulated"
_DECISIONS: Mapping[str, str] = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
_SEND_MAIL = "/v2/email/outbound-emails"
_FROM_ADDRESS = "ses:fromaddress"
_SCALING, _SCALING_TARGET = "application-autoscaling", "AnyScaleFrontendService"
_TASK_ANSWERS = frozenset({"SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"})
_EVENT_AGE = 21600
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
"""AWS begins with a second too and goes up to five minutes; the engine shortens its other waits alike."""
_of_an_event: ContextVar[bool] = ContextVar("of_an_event", default=False)


def with_error_types(worker_script: str) -> str:
    """The engine's Python worker, changed to say the class of an unhandled exception at the head of its message.

    AWS answers `errorType` with the class's name, which is what a state machine's Retry and Catch match; the engine
    answers `Runtime.HandlerError` for every exception. Ends the process with one sentence when the worker has changed.
    """
    if worker_script.count(_UNMARKED) != 1:
        raise SystemExit("This engine version runs functions in another way: see `with_error_types` in corrections.py.")
    return worker_script.replace(_UNMARKED, _UNMARKED.replace("str(e)", 'f"[errorType={type(e).__name__}]{e}"'))


def restore_error_type(result: dict[str, Any]) -> dict[str, Any]:
    """An invocation's result with the class name moved from the message's head to `errorType`.

    A worker whose process ended is `Runtime.ExitError`, as on AWS; the engine has `Runtime.HandlerError` for that too.
    """
    body = result.get("body")
    if result.get("error") and isinstance(body, dict):
        if str(body.get("errorMessage")).startswith(_DIED):
            body["errorType"] = "Runtime.ExitError"
        marked = _TYPE_MARK.fullmatch(str(body.get("errorMessage", "")))
        if marked:
            body |= {"errorType": marked[1], "errorMessage": marked[2]}
    return result


def task_error(error: str, cause: str) -> str:
    """The name under which a state machine sees a failed invocation: a throttled one is not `Lambda.Unknown`."""
    throttled = error == "Lambda.Unknown" and '"__type": "TooManyRequestsException"' in cause
    return "Lambda.TooManyRequestsException" if throttled else error


def as_event(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """The engine's asynchronous invocation, whose thread knows by this that it runs an event; it copies the context."""

    def call(*request: Any) -> Any:
        mark = _of_an_event.set(True)
        try:
            return invoke(*request)
        finally:
            _of_an_event.reset(mark)

    return call


def kept_while_throttled(
    run: Callable[..., dict[str, Any]],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Callable[..., dict[str, Any]]:
    """The engine's running of a function, where a throttled event waits until it is too old, as in AWS's queue.

    The engine counts a throttle as one of the three attempts and loses the event with the third. A caller who waits
    for the answer still learns of the first.
    """

    def call(function: dict[str, Any], event: Any) -> dict[str, Any]:
        age = (function.get("event_invoke_config") or {}).get("MaximumEventAgeInSeconds") or _EVENT_AGE
        end, wait = clock() + age, _FIRST_WAIT
        while (result := run(function, event)).get("throttle") and _of_an_event.get() and clock() + wait < end:
            sleep(wait * random.uniform(0.5, 1))  # noqa: S311  those who wait together come back apart
            wait = min(2 * wait, _LONGEST_WAIT)
        return result

    return call


def with_cookies(event: dict[str, Any]) -> dict[str, Any]:
    """The event of an HTTP API's request with its cookies where AWS puts them: in `cookies`, and not in `headers`."""
    headers = event.get("headers")
    if event.get("version") != "2.0" or "cookies" in event or not isinstance(headers, dict) or "cookie" not in headers:
        return event
    kept = {name: value for name, value in headers.items() if name != "cookie"}
    return event | {"headers": kept, "cookies": [each.strip() for each in headers["cookie"].split(";")]}


def lambda_action(method: str, path: str) -> str | None:
    """The IAM action (without `lambda:`) of a Lambda request that the engine knows under another; None for the rest."""
    _, found, rest = path.partition("/functions/")
    sub = [part for part in rest.split("/") if part][1:]
    return _LAMBDA_ACTIONS.get((sub[0], len(sub)), {}).get(method) if found and sub else None


def qualified_function_arn(arn: str, path: str, query: Mapping[str, list[str]]) -> str:
    """The ARN that an invocation is authorised on: with the qualifier, which the engine leaves out when it is a query."""
    qualifier = (query.get("Qualifier") or [""])[0]
    if path.endswith("/invocations") and qualifier and len(arn.split(":")) == _FUNCTION_ARN_PARTS:
        return f"{arn}:{qualifier}"
    return arn


def ecs_service_arn(arn: str, target: str, body: bytes) -> str:
    """The ARN that an ECS service call is authorised on: the service's, where the engine takes the cluster's."""
    operation = target.rpartition(".")[2]
    if operation not in {"UpdateService", "DeleteService", "DescribeServices"}:
        return arn
    request = json.loads(body)
    names = request.get("services") or [request.get("service", "")]
    service = str(names[0])
    if service.startswith("arn:"):
        return service
    cluster = str(request.get("cluster", "default")).rpartition("/")[2]
    return f"{':'.join(arn.split(':')[:5])}:service/{cluster}/{service}"


def with_conditions(context: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """The condition keys of an S3 request with the condition that it is made under, which the engine leaves out."""
    return context | {f"s3:{name}": headers[name] for name in ("if-match", "if-none-match") if name in headers}


def mail_identity_arn(arn: str, path: str, body: bytes, place: str) -> str:
    """The ARN that mail is authorised on: the sender's identity, where the engine knows none. `place` is `region:account`."""
    if arn != "*" or path.rstrip("/") != _SEND_MAIL:
        return arn
    return f"arn:aws:ses:{place}:identity/{json.loads(body).get('FromEmailAddress', '')}"


def simulated_role_arn(arn: str, query: Mapping[str, list[str]]) -> str:
    """The ARN that a policy simulation is authorised on: the role that is asked about, where the engine knows none."""
    return (query.get("PolicySourceArn") or [arn])[0] if arn == "*" else arn


def members(query: Mapping[str, list[str]], name: str) -> list[str]:
    """The values of a list in a request of AWS's query protocol, in its order: `name.member.1` and so on."""
    found: list[str] = []
    while value := query.get(f"{name}.member.{len(found) + 1}"):
        found.append(value[0])
    return found


def told_context(query: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """The context that a policy simulation is told, as the engine looks it up: keys in lower case, one value bare."""
    context: dict[str, str | list[str]] = {}
    while key := query.get(f"{(entry := f'ContextEntries.member.{len(context) + 1}')}.ContextKeyName"):
        values = members(query, f"{entry}.ContextKeyValues")
        context[key[0].lower()] = values[0] if len(values) == 1 else values
    return context


def task_machine_arn(arn: str, target: str, machines: Iterable[str]) -> str:
    """The ARN that a task's answer is authorised on: the machine that waits, where the engine knows none.

    The engine does not keep which machine a token belongs to, so this is told only while it has a single machine.
    """
    known = list(machines)
    if arn == "*" and target.rpartition(".")[2] in _TASK_ANSWERS and len(known) == 1:
        return known[0]
    return arn


def tagged(prefix: str, by_name: Mapping[str, list[dict[str, str]]]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """`(ARN, tags)` as the engine's tag collectors yield them, from tags stored under a resource's name.

    `prefix` is what goes before the name; ECS writes its tags' keys in lower case, so both spellings are taken.
    """
    for name, tags in by_name.items():
        yield (
            f"{prefix}{name}",
            [
                {"Key": tag.get("Key", tag.get("key", "")), "Value": tag.get("Value", tag.get("value", ""))}
                for tag in tags
            ],
        )


def qualified(
    functions: Iterable[tuple[str, list[dict[str, str]]]], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Each function's ARN with its tags, and the same tags for its aliases and versions, which have none of their own."""
    for arn, tags in functions:
        yield arn, tags
        function = known.get(arn.rpartition(":")[2], {})
        for name in (*function.get("aliases", {}), *function.get("versions", {})):
            yield f"{arn}:{name}", tags


def scaling_policies(target: str) -> tuple[int, dict[str, str], bytes]:
    """What Application Auto Scaling answers: that there is no policy; whatever would make one is refused.

    The engine does not have the service at all, so nobody can have given anything on it a policy.
    """
    answer: dict[str, Any] = {"__type": "UnknownOperationException", "message": f"{target} is not known here"}
    known = target == f"{_SCALING_TARGET}.DescribeScalingPolicies"
    if known:
        answer = {"ScalingPolicies": []}
    return 200 if known else 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


def apply() -> None:
    """Change the imported engine. To be called once, before it serves."""
    from ministack import app  # noqa: PLC0415
    from ministack.core import iam_actions, iam_evaluator, lambda_runtime, router  # noqa: PLC0415
    from ministack.services import iam, lambda_svc, stepfunctions, tagging  # noqa: PLC0415

    # With TLS on, the engine would also take port 443 wherever it may: it gets the one port it was given.
    vars(app)["_port_is_bindable"] = lambda *_: False
    _wrap(lambda_runtime, "_PYTHON_WORKER_SCRIPT", with_error_types)
    _wrap(lambda_svc, "_execute_function_warm", lambda run: lambda *args: restore_error_type(run(*args)))
    _wrap(lambda_svc, "invoke_async_with_retry", as_event)
    _wrap(lambda_svc, "_execute_function", kept_while_throttled)
    _wrap(
        lambda_svc,
        "_execute_function_with_config_scope",
        lambda run: lambda function, event: run(function, with_cookies(event)),
    )
    _wrap(stepfunctions, "_call_lambda", _named)
    _wrap(iam_actions, "_lambda_action", lambda known: lambda *args: lambda_action(*args) or known(*args))
    _wrap(iam_actions, "extract_resource_arn", _authorised_on)
    _wrap(
        iam_actions,
        "s3_service_context",
        lambda known: (
            lambda action, query, path="", headers=None: with_conditions(
                known(action, query, path, headers), headers or {}
            )
        ),
    )
    vars(router)["SERVICE_PATTERNS"][_SCALING] = {"target_prefixes": [_SCALING_TARGET], "host_patterns": []}
    vars(iam_actions)["SERVICE_TO_IAM_NAMESPACE"][_SCALING] = _SCALING
    vars(app)["SERVICE_HANDLERS"][_SCALING] = _scaling
    vars(tagging)["_RESOURCE_TAG_COLLECTORS"] |= _collectors()
    _wrap(iam_evaluator, "_resolve_condition_key", _told)
    handlers = vars(iam)["_IAM_HANDLERS"]
    handlers["SimulatePrincipalPolicy"] = _simulated(handlers["SimulatePrincipalPolicy"])


async def _scaling(
    _method: str, _path: str, headers: Mapping[str, str], _body: bytes, _query: Mapping[str, list[str]]
) -> tuple[int, dict[str, str], bytes]:
    return scaling_policies(headers.get("x-amz-target", ""))


def _wrap(module: object, name: str, change: Callable[[Any], Any]) -> None:
    vars(module)[name] = change(vars(module)[name])


def _named(call: Callable[..., Any]) -> Callable[..., Any]:
    from ministack.services import stepfunctions  # noqa: PLC0415

    failed = vars(stepfunctions)["_ExecutionError"]

    def invoke(*request: Any) -> Any:
        try:
            return call(*request)
        except failed as exc:
            raise failed(task_error(exc.error, exc.cause), exc.cause) from exc

    return invoke


def _authorised_on(known: Callable[..., str]) -> Callable[..., str]:
    from ministack.services import stepfunctions  # noqa: PLC0415

    def arn(*request: Any) -> str:
        service, _method, path, headers, body, query, *place = request
        found = known(*request)
        if service == "lambda":
            return qualified_function_arn(found, path, query)
        if service == "ecs" and found != "*":
            return ecs_service_arn(found, headers.get("x-amz-target", ""), body)
        if service == "ses":
            return mail_identity_arn(found, path, body, ":".join(place))
        if service == "iam":
            return simulated_role_arn(found, query)
        if service == "states":
            return task_machine_arn(found, headers.get("x-amz-target", ""), vars(stepfunctions)["_state_machines"])
        return found

    return arn


def _told(known: Callable[..., Any]) -> Callable[..., Any]:
    def value(key: str, request: Any) -> Any:
        if key.lower() == _FROM_ADDRESS and request.action == "ses:SendEmail":
            return request.resource_arn.partition(":identity/")[2]
        return request.service_context.get(key.lower()) if request.principal_type == _SIMULATED else known(key, request)

    return value


def _simulated(known: Callable[..., Any]) -> Callable[..., Any]:
    """SimulatePrincipalPolicy of a role: with the context that is told, with its boundary, on each of the resources."""
    from ministack.core import iam_evaluator as evaluator  # noqa: PLC0415
    from ministack.services import iam  # noqa: PLC0415

    def answer(query: Mapping[str, list[str]]) -> Any:
        role = query.get("PolicySourceArn", [""])[0]
        if ":role/" not in role:
            return known(query)
        account, name = role.split(":")[4], role.rpartition("/")[2]
        policies = vars(evaluator)["_gather_role_policies"](name, account)
        limits = vars(evaluator)["_permissions_boundary"](vars(iam)["_roles"], name, account)
        context = told_context(query)
        results = ""
        for action, resource in product(members(query, "ActionNames"), members(query, "ResourceArns") or ["*"]):
            request = evaluator.EvalContext(role, _SIMULATED, account, action, resource, "", service_context=context)
            decision = _DECISIONS[evaluator.evaluate(request, policies, *limits).decision]
            results += (
                f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
                f"<EvalDecision>{decision}</EvalDecision></member>"
            )
        result = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
        return vars(iam)["_xml"](
            200,
            "SimulatePrincipalPolicyResponse",
            f"<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult>",
        )

    return answer


def _collectors() -> dict[str, Callable[[], Iterator[tuple[str, list[dict[str, str]]]]]]:
    from ministack.core.responses import get_account_id, get_region  # noqa: PLC0415
    from ministack.services import autoscaling, ec2, ecs, lambda_svc, tagging  # noqa: PLC0415

    functions = vars(tagging)["_RESOURCE_TAG_COLLECTORS"]["lambda"]

    def group_prefix() -> str:
        # The engine authorises on this pattern: it does not know the group's id when it looks at the request.
        return f"arn:aws:autoscaling:{get_region()}:{get_account_id()}:autoScalingGroup:*:autoScalingGroupName/"

    return {
        "lambda": lambda: qualified(functions(), vars(lambda_svc)["_functions"]),
        "autoscaling": lambda: tagged(group_prefix(), vars(autoscaling)["_tags"]),
        "ecs": lambda: tagged("", vars(ecs)["_tags"]),
        "ec2": lambda: tagged(f"arn:aws:ec2:{get_region()}:{get_account_id()}:instance/", vars(ec2)["_tags"]),
    }
