"""I30: whatever goes wrong while measuring, nothing that was not measured is a success."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import AccessDenied, AnswerLost, BadRequest, GraceError, NotFound, Refused, Throttled, Unavailable
from grace.evidence.verdict import ExpectationResult, Importance, Outcome, decide
from grace.gateways.memory import MemoryAlarms, MemoryFetch, MemoryMetrics
from grace.probes.measure import compile_promises, measure
from tests.unit.probes.world import ACTED, Ports, alarm, context, reading, spec

PROMISES: tuple[dict[str, Any], ...] = (
    {"metric": {"ratio": ["AWS/Lambda Errors", "AWS/Lambda Invocations"]}, "is": {"below": 0.02}, "missing": "zero"},
    {"metric": "alarm", "is": "not breaching", "min_samples": 1},
    {"metric": "AWS/Lambda Duration p95", "is": {"below": "1.2 of before"}, "min_samples": 1},
    {"state": {"path": "version", "equals": "{{ plan.version }}"}},
    {"alarm": {}},
    {"invoke": {"payload": {}, "expect": {"statusCode": 200}, "times": 3}},
    {"http": {"url": "https://shop.example.com/health"}},
)

ERRORS = [
    AccessDenied("a"),
    AnswerLost("b"),
    BadRequest("c"),
    NotFound("d"),
    Throttled("e"),
    Unavailable("f"),
    Refused("g", "h"),
]

# What a broken source may give: an error, nothing, or numbers that are no numbers.
trouble = st.sampled_from(ERRORS)
no_points = st.lists(
    st.tuples(st.integers(ACTED, ACTED + 300), st.sampled_from([float("nan"), float("inf")])), max_size=5
)
bad_state: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"version": None}, {"version": 6}, {"version": "7"}, {"other": "6"}]
)
bad_answer = st.one_of(
    trouble, st.sampled_from([b"", b"null", b"[]", b"garbage", {}, {"statusCode": "200"}, {"statusCode": 500}])
)
bad_reply = st.one_of(st.none(), st.just(Refused("address", "x")), st.sampled_from([(500, b""), (301, b"")]))
bad_alarm = st.sampled_from([None, "ALARM", "INSUFFICIENT_DATA"])


class Broken(MemoryMetrics):
    def __init__(self, what: Any) -> None:
        super().__init__()
        self.what = what

    def fetch(self, requests: Any) -> Any:
        if isinstance(self.what, Exception):
            raise self.what
        return [sorted(self.what) for _ in requests]


@settings(max_examples=150, deadline=None)
@given(
    points=st.one_of(trouble, no_points),
    state=bad_state,
    answer=bad_answer,
    reply=bad_reply,
    found=bad_alarm,
)
def test_no_broken_source_makes_a_line_pass(points: Any, state: Any, answer: Any, reply: Any, found: Any) -> None:
    ports = Ports(
        metrics=Broken(points),
        alarms=MemoryAlarms([alarm(found)] if found else []),
        fetch=MemoryFetch(
            ("shop.example.com",), {"https://shop.example.com/health": reply} if reply is not None else {}
        ),
        answers=[answer],
    )
    expect, guards = compile_promises(
        spec(*PROMISES, guard=({"metric": "AWS/Lambda Duration p95", "missing": "zero", "min_samples": 5},)),
        context(alarm=alarm()),
    )
    try:
        measured = measure(expect, guards, reading(ports, state=state))
    except GraceError:
        return  # nothing was written, and from here the workflow leads to the rollback
    assert {seen.result for seen in measured.observations} <= {"failed", "inconclusive"}
    assert [guard.result for guard in measured.guards] == ["inconclusive"]
    verdict = decide(
        [
            ExpectationResult(o.id, Importance.MUST, Outcome(o.result), o.samples, o.supporting)
            for o in measured.observations
        ],
        {},
    )
    assert not verdict.kind.keeps_the_change


def test_the_same_promises_pass_when_they_are_measured() -> None:
    """Without this the test above could not fail."""
    ports = Ports(fetch=MemoryFetch(("shop.example.com",), {"https://shop.example.com/health": (200, b"")}))
    expect, _ = compile_promises(spec(*PROMISES), context(alarm=alarm()))
    now = reading(ports)
    for line in expect:
        if line.kind == "metric":
            for metric in line.series:
                value = 0.0 if metric.name == "Errors" else 0.4
                ports.metrics.put(metric, [(ACTED + n * metric.period, value) for n in range(5)])
                assert now.before is not None
                ports.metrics.put(metric, [(now.before.start + n * metric.period, 0.4) for n in range(5)])
    assert {seen.result for seen in measure(expect, [], now).observations} == {"passed"}
