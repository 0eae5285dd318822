"""I30: whatever a benchmark meets, nothing that was not measured is a success."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import AccessDenied, AnswerLost, BadRequest, NotFound, Throttled, Unavailable
from grace.flow import verify as verify_door
from grace.flow.loading import load, ticket_for
from grace.model.contract import Contract, ContractStatus
from grace.model.records import Evidence, Outcome
from grace.ports import SeriesRequest
from tests.support.machine import Execution, WorkerDied
from tests.support.world import World
from tests.unit.flow.scenes import (
    GOOD,
    announced,
    check,
    ended,
    holes,
    incident,
    need,
    shop,
    stays_bad,
)

NAN, INF = float("nan"), float("inf")


# -- F52, F53: what a benchmark may meet

METRICS: dict[str, Callable[[World], Any]] = {
    "throttled": lambda world: raising(Throttled("slow")),
    "unavailable": lambda world: raising(Unavailable("later")),
    "denied": lambda world: raising(AccessDenied("no")),
    "nothing": lambda world: lambda requests: [[] for _ in requests],
    "NaN": lambda world: constant(NAN),
    "infinity": lambda world: constant(INF),
    "minus infinity": lambda world: constant(-INF),
    "two values a period": lambda world: lambda requests: [[(r.start, 0.0), (r.start, 9.0)] for r in requests],
    "the worker dies": lambda world: raising(WorkerDied()),
}


def raising(error: BaseException) -> Callable[[Any], Any]:
    def fails(_: Any) -> Any:
        raise error

    return fails


def constant(value: float) -> Callable[[list[SeriesRequest]], Any]:
    return lambda requests: [[(at, value) for at in range(r.start, r.end, r.metric.period)] for r in requests]


@pytest.mark.parametrize("fault", METRICS)
def test_f53_a_metric_that_cannot_be_read_is_no_success(fault: str) -> None:
    world = shop()

    def between(world: World, execution: Execution) -> None:
        if execution.state == "Benchmark":
            world.heal()
            world.metrics.fetch = METRICS[fault](world)

    world.between = between
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.version_of("shop", "live") == "2"
    assert announced(world) == ["agentic.action_failed"]
    ended(world)
    check(world)


INVOKES: dict[str, Callable[..., Any]] = {
    "garbage": lambda **_: {"StatusCode": 200, "Payload": b"\x00\xff garbage"},
    "nothing": lambda **_: {"StatusCode": 200, "Payload": b""},
    "null": lambda **_: {"StatusCode": 200, "Payload": b"null"},
    "NaN": lambda **_: {"StatusCode": 200, "Payload": b'{"statusCode": NaN}'},
    "text for a number": lambda **_: {"StatusCode": 200, "Payload": b'{"statusCode": "200"}'},
    "true for one": lambda **_: {"StatusCode": 200, "Payload": b'{"statusCode": true}'},
    "an error of the function": lambda **_: {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": b"{}"},
    "a hanging call": lambda **_: (_ for _ in ()).throw(AnswerLost("read timed out")),
    "denied": lambda **_: (_ for _ in ()).throw(AccessDenied("no")),
    "gone": lambda **_: (_ for _ in ()).throw(NotFound("no such function")),
    "refused": lambda **_: (_ for _ in ()).throw(BadRequest("no")),
    "throttled": lambda **_: (_ for _ in ()).throw(Throttled("slow")),
}


@pytest.mark.parametrize("fault", INVOKES)
def test_f52_d28_a_benchmark_that_hangs_or_answers_nonsense_is_no_success(fault: str) -> None:
    world = shop()

    def between(world: World, execution: Execution) -> None:
        if execution.state == "Benchmark":
            world.heal()
            world.aws.handlers["lambda", "invoke"] = INVOKES[fault]

    world.between = between
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert announced(world) == ["agentic.action_failed"]
    ended(world)
    check(world)


@pytest.mark.parametrize("state", ["ALARM", "INSUFFICIENT_DATA", None])
def test_d28_an_alarm_that_did_not_recover_is_no_success(state: str | None) -> None:
    world = shop()

    def between(world: World, execution: Execution) -> None:
        if execution.state == "Benchmark":
            world.heal()
            if state is None:
                world.alarms._alarms.clear()
            else:
                world.alarm(state, world.clock.now())

    world.between = between
    contract = incident(world)
    undone = ContractStatus.ROLLED_BACK if state == "ALARM" else ContractStatus.SAFE_HOLD
    assert world.head(contract).status is undone, "as bad as before is no worse; nothing at all shows nothing"
    assert world.lambdas.version_of("shop", "live") == "2"
    check(world)


def test_f53_without_the_rule_that_silence_never_passes_it_would_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a line nobody could measure counts as passed. The check after every scenario finds it."""
    real = verify_door.judge

    def lenient(loaded: Any, evidence: Evidence | None) -> Any:
        assert evidence is not None
        passed = tuple(
            o
            if o.result != "inconclusive"
            else o.model_copy(update={"result": "passed", "samples": 1, "supporting": 1})
            for o in evidence.observations
        )
        return real(loaded, evidence.model_copy(update={"observations": passed}))

    monkeypatch.setattr(verify_door, "judge", lenient)
    world = shop()

    def between(world: World, execution: Execution) -> None:
        if execution.state == "Benchmark":
            world.heal()
            holes(world, "Invocations")

    world.between = between
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.VERIFIED
    with pytest.raises(AssertionError, match="I30"):
        check(world)


def test_evidence_that_lacks_a_line_is_judged_as_unmeasured() -> None:
    world = shop()
    contract = incident(world)
    loaded = load(ticket_for(need(world, Contract, contract), needs_approval=False), world)
    evidence = need(world, Evidence, contract, "outcome")
    for n in range(len(evidence.observations)):
        fewer = evidence.observations[:n] + evidence.observations[n + 1 :]
        assert not verify_door.judge(loaded, evidence.model_copy(update={"observations": fewer})).kind.keeps_the_change
    assert not verify_door.judge(loaded, None).kind.keeps_the_change
    assert verify_door.judge(loaded, evidence).kind.keeps_the_change


# -- I30: no sequence of errors, gaps and dying workers makes a success

HEALTHY = {"metrics": "good", "alarm": "OK", "invoke": "good"}
moment = st.fixed_dictionaries(
    {
        "metrics": st.sampled_from(["good", "good", "good", "bad", *METRICS]),
        "alarm": st.sampled_from(["OK", "OK", "OK", "ALARM", "INSUFFICIENT_DATA", "gone"]),
        "invoke": st.sampled_from(["good", "good", "good", *INVOKES]),
    }
)
death = st.tuples(st.sampled_from(["snapshot", "benchmark", "execute", "verify", "close"]), st.booleans())


@settings(max_examples=150, deadline=None)
@given(first=moment, second=moment, deaths=st.lists(death, max_size=6))
def test_i30_no_sequence_of_errors_gaps_and_dying_workers_ends_as_a_success_that_was_not_measured(
    first: dict[str, str], second: dict[str, str], deaths: list[tuple[str, bool]]
) -> None:
    world = shop()
    real_fetch, real_invoke = world.metrics.fetch, world.aws.handlers["lambda", "invoke"]
    measured: list[dict[str, str]] = []
    dying(world, deaths)

    def between(world: World, execution: Execution) -> None:
        if execution.state == "Benchmark" and not execution.tries:
            now = first if not measured else second
            measured.append(now)
            world.heal()
            if now["metrics"] == "bad":
                stays_bad(world, execution)
            world.metrics.fetch = METRICS[now["metrics"]](world) if now["metrics"] in METRICS else real_fetch
            world.aws.handlers["lambda", "invoke"] = INVOKES.get(now["invoke"], real_invoke)
            if now["alarm"] == "gone":
                world.alarms._alarms.clear()
            elif now["alarm"] != "OK":
                world.alarm(now["alarm"], world.clock.now())
        elif execution.state == "Rollback":
            world.metrics.fetch = real_fetch

    world.between = between
    contract = incident(world)
    head = world.head(contract)
    check(world)
    ended(world)
    if head.status in GOOD:
        assert measured[-1] == HEALTHY, f"called {head.status.value} on {measured}"
    elif first == HEALTHY and not deaths:
        raise AssertionError("a good action was taken back")
    assert (announced(world)[-1] == "agentic.problem_resolved") == (head.status is ContractStatus.VERIFIED)
    left = head.status is ContractStatus.SAFE_HOLD and not need(world, Outcome, contract).restored
    assert (world.lambdas.version_of("shop", "live") == "1") == (head.status in GOOD or left)
    if head.status is ContractStatus.ROLLED_BACK:
        assert measured[-1:] == [] or measured[-1]["alarm"] in {"OK", "ALARM"}, (
            "an alarm that says nothing is no success"
        )


def dying(world: World, deaths: list[tuple[str, bool]]) -> None:
    """Let doors die: before they do anything, or after all of it, with their answer lost."""
    left = list(deaths)
    for name, door in dict(world.machine.doors).items():

        def dies(event: dict[str, Any], name: str = name, door: Any = door) -> dict[str, Any]:
            before = next((d for d in left if d == (name, True)), None)
            if before:
                left.remove(before)
                raise WorkerDied
            answered: dict[str, Any] = door(event)
            after = next((d for d in left if d == (name, False)), None)
            if after:
                left.remove(after)
                raise WorkerDied
            return answered

        world.machine.doors[name] = dies
