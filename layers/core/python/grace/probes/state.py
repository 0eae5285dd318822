"""A field of the resource itself, read back after the action: the effect is proved, not believed."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import Field

from grace.errors import InvalidPlaybook, Unobservable
from grace.model.base import Json, Model
from grace.model.expectation import StateLine
from grace.model.records import Observation
from grace.probes._lines import check_templates, fill, same, short
from grace.probes.base import Probe, PromiseContext, Seen
from grace.resources.base import Restorable


class _State(Model):
    path: str = Field(min_length=1, max_length=256)
    equals: Json


class StateLineSpec(Model):
    """`path` is a JMESPath over the captured state; `equals` may be `{{ plan.NAME }}` or `{{ before.NAME }}`."""

    state: _State
    must: bool = True


class StateProbe(Probe[StateLineSpec, StateLine]):
    """Looks at the state that the resource's own `capture` returns, so it needs no authority of its own."""

    spec: ClassVar[type[Model]] = StateLineSpec

    def check(self, spec: StateLineSpec, where: str, kind: Restorable[Any], plan: frozenset[str]) -> None:
        """Check the path's grammar, that it begins at a field of the state, and the templates."""
        root = _compiled(spec.state.path, f"{where}.state.path")
        fields = kind.state.model_fields
        first = _first_field(root.parsed)
        if first is not None and first not in fields:
            raise InvalidPlaybook(
                f"{where}.state.path: the state has no {first!r}: use one of {', '.join(sorted(fields))}"
            )
        check_templates(spec.state.equals, f"{where}.state.equals", kind, plan)

    def compile(self, spec: StateLineSpec, line_id: str, context: PromiseContext) -> StateLine:
        """Return the line with its value filled in."""
        where = f"expect {line_id}.state"
        _compiled(spec.state.path, f"{where}.path")
        return StateLine(
            id=line_id,
            must=spec.must,
            path=spec.state.path,
            equals=fill(spec.state.equals, context, f"{where}.equals"),
        )

    def prove(self, line: StateLine, context: PromiseContext, seen: Seen) -> None:  # noqa: ARG002
        """Refuse a path that finds nothing in the state the action leads to."""
        if _search(line.path, context.predicted) is None:
            raise Unobservable(f"state {line.path}: finds nothing in the state of {context.resource.arn}")

    def observe(self, line: StateLine, seen: Seen) -> Observation:
        """Compare what the path finds in the state as it stands; nothing found is no observation."""
        found = _search(line.path, seen.reading.state)
        result: Literal["passed", "failed", "inconclusive"] = "inconclusive"
        if found is not None:
            result = "passed" if same(line.equals, found) else "failed"
        return Observation(
            id=line.id,
            kind=line.kind,
            must=line.must,
            result=result,
            predicate=f"{line.path} equals {short(repr(line.equals))}",
            expected=short(repr(line.equals)),
            observed="nothing" if found is None else short(repr(found)),
            samples=int(found is not None),
            supporting=int(result == "passed"),
            source=f"state of the resource, JMESPath {line.path}",
            note="" if found is not None else "the path finds nothing",
        )


def _compiled(path: str, where: str) -> Any:
    try:
        return jmespath.compile(path)
    except JMESPathError as exc:
        raise InvalidPlaybook(f"{where}: {path!r} is not a JMESPath: {str(exc).splitlines()[0]}") from exc


def _first_field(node: dict[str, Any]) -> str | None:
    """Return the field a path begins at, None when it begins with something else (a function, a literal)."""
    while node["type"] != "field":
        if node["type"] not in {"subexpression", "index_expression", "projection", "pipe"} or not node["children"]:
            return None
        node = node["children"][0]
    return str(node["value"])


def _search(path: str, state: dict[str, Json]) -> Json:
    try:
        return jmespath.search(path, state)
    except JMESPathError:  # a function met a value of another type: there is nothing to compare
        return None


MEMBER = StateProbe
