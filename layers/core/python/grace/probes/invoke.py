"""A Lambda function that must answer: real calls, each of which must bring what was promised."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic import Field

from grace.errors import NotFound, PermanentError, Unobservable
from grace.model.base import Json, Model
from grace.model.expectation import InvokeLine
from grace.model.records import Observation
from grace.model.wording import plain
from grace.ports import Aws
from grace.probes._calls import Calls
from grace.probes._lines import check_templates, fill, same, short
from grace.probes.base import Probe, PromiseContext, Seen
from grace.resources.base import Restorable


class _Invoke(Model):
    payload: Json
    expect: dict[str, Json] = Field(min_length=1)
    times: int = Field(default=1, ge=1, le=100)


class InvokeLineSpec(Model):
    """`payload` is sent `times` times; each answer must be an object that holds every field of `expect`."""

    invoke: _Invoke
    must: bool = True


class InvokeProbe(Probe[InvokeLineSpec, InvokeLine]):
    """Calls the resource's own function, and no other."""

    spec: ClassVar[type[Model]] = InvokeLineSpec
    iam = ("lambda:InvokeFunction",)
    proof_iam = ("lambda:GetFunctionConfiguration",)
    arns = ("arn:{partition}:lambda:{region}:{account}:function:*",)
    tag_condition = True

    def check(self, spec: InvokeLineSpec, where: str, kind: Restorable[Any], plan: frozenset[str]) -> None:
        """Check the templates of payload and answer."""
        check_templates(spec.invoke.payload, f"{where}.invoke.payload", kind, plan)
        check_templates(spec.invoke.expect, f"{where}.invoke.expect", kind, plan)

    def compile(self, spec: InvokeLineSpec, line_id: str, context: PromiseContext) -> InvokeLine:
        """Return the line with the function's ARN and its values filled in; a resource without a function is refused."""
        where = f"expect {line_id}.invoke"
        return InvokeLine(
            id=line_id,
            must=spec.must,
            function=context.kind.probe_function(context.resource),
            payload=fill(spec.invoke.payload, context, f"{where}.payload"),
            expect=fill(spec.invoke.expect, context, f"{where}.expect"),
            times=spec.invoke.times,
        )

    def prove(self, line: InvokeLine, context: PromiseContext, seen: Seen) -> None:  # noqa: ARG002
        """Refuse a function that does not exist or may not be looked at."""
        try:
            seen.reading.sources.aws.call("lambda", "get_function_configuration", FunctionName=line.function)
        except PermanentError as exc:
            raise Unobservable(f"invoke {line.function}: {exc}") from exc

    def observe(self, line: InvokeLine, seen: Seen) -> Observation:
        """Call until one answer breaks the promise or all have kept it, or the time for calls is over.

        An error of the function and another answer break it. A function that takes longer than its own time-out answers
        with such an error; one that merely takes longer than we wait has said nothing, and neither has a call that AWS
        refuses us or that there was no time for.
        """
        payload = json.dumps(line.payload).encode()
        calls = Calls(lambda: _wrong(seen.reading.sources.aws, line, payload), line.times, seen.reading).make()
        return Observation(
            id=line.id,
            kind=line.kind,
            must=line.must,
            result=calls.result,
            predicate=f"{line.times} of {line.times} calls answer {short(plain(line.expect))}",
            expected=short(plain(line.expect)),
            observed=short(
                f"{calls.kept} of {calls.made} calls as promised" + (f"; then {calls.wrong}" if calls.wrong else "")
            ),
            samples=calls.made,
            supporting=calls.kept,
            source=short(f"Invoke {line.function} {plain(line.payload)}", 500),
            note=short(calls.note),
        )


def _wrong(aws: Aws, line: InvokeLine, payload: bytes) -> str:
    """Call once and return what is wrong with the answer, or nothing."""
    try:
        answer = aws.call("lambda", "invoke", FunctionName=line.function, Payload=payload)
    except NotFound as exc:
        return f"no answer: {exc}"
    if answer.get("FunctionError"):
        return f"error {answer['FunctionError']}"
    try:
        body = json.loads(answer.get("Payload") or b"null")
    except ValueError:
        return "an answer that is not JSON"
    if not isinstance(body, dict):
        return f"an answer that is no object: {short(plain(body), 60)}"
    for key, value in line.expect.items():
        if key not in body or not same(value, body[key]):
            return f"{key} {_otherwise(value, body[key]) if key in body else 'missing'}"
    return ""


def _otherwise(promised: Json, found: Json) -> str:
    """Return what was answered in place of what was promised; of two texts nothing but that they differ."""
    shown = plain(found)
    return short(shown, 60) if shown != plain(promised) else "has another text"


MEMBER = InvokeProbe
