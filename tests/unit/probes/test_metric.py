"""The metric probe and guards: windows, ratios, bounds, and every way of not having measured anything."""

from __future__ import annotations

import math
from typing import Any

import pytest

from grace.errors import AccessDenied, InvalidPlaybook, Throttled, Unobservable
from grace.evidence.verdict import ExpectationResult, Importance, Outcome
from grace.gateways.memory import MemoryMetrics
from grace.model.contract import Window
from grace.model.expectation import Guard, MetricLine
from grace.model.records import Observation
from grace.model.signal import MetricRef
from grace.probes.base import PROOF_SECONDS, probe_of
from grace.probes.measure import compile_promises, measure, prove
from tests.unit.probes.world import ACTED, ALARM_METRIC, DIMENSIONS, HEALTHY, NOW, Ports, alarm, context, reading, spec

ERRORS = MetricRef(namespace="AWS/Lambda", name="Errors", stat="Sum", period=60, dimensions=DIMENSIONS)
CALLS = ERRORS.model_copy(update={"name": "Invocations"})
LATENCY = ERRORS.model_copy(update={"name": "Duration", "stat": "p95"})
PUBLISHED = NOW + 60
"""When what was measured until `NOW` can be read, a minute at a time."""
RATIO = {"metric": {"ratio": ["AWS/Lambda Errors", "AWS/Lambda Invocations"]}, "within": "5m", "is": {"below": 0.02}}


def line(fields: dict[str, Any], **changes: Any) -> MetricLine:
    (compiled, *_), _ = compile_promises(spec(fields), context(**changes))
    assert isinstance(compiled, MetricLine)
    return compiled


def observe(fields: dict[str, Any], ports: Any, **changes: Any) -> Observation:
    compiled = line(fields, alarm=alarm())
    return measure([compiled], [], reading(ports, **({"now": PUBLISHED} | changes))).observations[0]


def put(ports: Ports, metric: MetricRef, *values: float, start: int = ACTED) -> Ports:
    ports.metrics.put(metric, [(start + number * metric.period, value) for number, value in enumerate(values)])
    return ports


def test_a_ratio_is_two_sums_with_the_resources_own_dimensions() -> None:
    compiled = line(RATIO)
    assert compiled.series == (ERRORS, CALLS)
    assert (compiled.reduce, compiled.within, compiled.must) == ("ratio_of_sums", 300, True)
    assert compiled.bound.text() == "below 0.02"


def test_the_window_is_weighed_by_its_denominator() -> None:
    """One error among two calls in a quiet minute, none among 998 in the next: 0.1 %, not 25 %."""
    ports = put(put(Ports(), ERRORS, 1, 0, 0), CALLS, 2, 998, 0)
    fields = RATIO | {"min_samples": 2}
    seen = observe(fields, ports)
    assert (seen.result, seen.observed, seen.samples, seen.supporting) == ("passed", "0.001", 2, 1)


def test_too_many_errors_fail() -> None:
    ports = put(put(Ports(), ERRORS, 5, 5, 5), CALLS, 100, 100, 100)
    seen = observe(RATIO, ports)
    assert (seen.result, seen.observed, seen.supporting) == ("failed", "0.05", 0)
    assert seen.expected == "below 0.02"
    assert "AWS/Lambda Errors Sum 60s {FunctionName=shop,Resource=shop:live}" in seen.source
    assert f"[{ACTED}, {NOW})" in seen.source


@pytest.mark.parametrize("missing", ["gap", "zero"])
def test_f53_a_series_that_says_nothing_is_inconclusive_whatever_a_gap_means(missing: str) -> None:
    for fields in (RATIO, {"metric": "AWS/Lambda Errors sum", "is": {"below": 1}}):
        seen = observe(fields | {"missing": missing}, Ports())
        assert (seen.result, seen.samples, seen.observed) == ("inconclusive", 0, "nothing")


def test_a_count_that_is_only_published_when_it_happens_is_zero_where_there_were_calls() -> None:
    ports = put(Ports(), CALLS, 10, 10, 10)
    assert observe(RATIO, ports).result == "inconclusive"
    assert observe(RATIO | {"missing": "zero"}, ports).result == "passed"


def test_filled_zeros_move_the_number_and_are_no_samples() -> None:
    ports = put(Ports(), ERRORS, 1)
    fields = {"metric": "AWS/Lambda Errors sum", "is": {"below": 2}, "missing": "zero"}
    assert observe(fields, ports).result == "inconclusive"
    seen = observe(fields | {"min_samples": 1}, ports)
    assert (seen.result, seen.observed, seen.samples) == ("passed", "0.2", 1)


def test_a_pass_that_only_filled_zeros_support_is_no_pass() -> None:
    ports = put(Ports(), ERRORS, 4)
    seen = observe({"metric": "AWS/Lambda Errors sum", "is": {"below": 2}, "missing": "zero", "min_samples": 1}, ports)
    assert (seen.result, seen.observed) == ("inconclusive", "0.8")


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf])
def test_f52_nan_and_infinity_are_gaps(garbage: float) -> None:
    ports = put(Ports(), LATENCY, garbage, garbage, garbage)
    seen = observe({"metric": "AWS/Lambda Duration p95", "is": {"above": -1e9}}, ports)
    assert (seen.result, seen.samples) == ("inconclusive", 0)


def test_two_values_for_one_period_are_not_ours_to_choose_from() -> None:
    class Torn(MemoryMetrics):
        def fetch(self, requests: Any) -> Any:
            return [[(ACTED, 1.0), (ACTED, 2.0), (ACTED + 60, 1.0), (ACTED + 120, 1.0)] for _ in requests]

    seen = observe({"metric": "AWS/Lambda Duration p95", "is": {"below": 9}}, Ports(metrics=Torn()))
    assert seen.result == "inconclusive"
    assert "two different values" in seen.note


@pytest.mark.parametrize("samples", [2, 3])
def test_fewer_points_than_asked_for_are_too_little(samples: int) -> None:
    ports = put(Ports(), LATENCY, *[0.1] * samples)
    seen = observe({"metric": "AWS/Lambda Duration p95", "is": {"below": 1}, "min_samples": 3}, ports)
    assert seen.result == ("passed" if samples == 3 else "inconclusive")
    assert seen.samples == samples


def test_only_whole_periods_after_the_action_count() -> None:
    """The period the action falls into, and the one still filling, are full of good news that must not count."""
    ports = put(Ports(), LATENCY, 0.1, start=ACTED - 60)
    ports.metrics.put(LATENCY, [(ACTED, 0.1), (NOW - 60, 0.1)])
    late = {"since": ACTED + 10, "now": PUBLISHED - 10}
    fields = {"metric": "AWS/Lambda Duration p95", "is": {"below": 1}, "min_samples": 1}
    assert observe(fields, ports, **late).result == "inconclusive"
    ports.metrics.put(LATENCY, [(ACTED + 60, 0.1)])
    seen = observe(fields, ports, **late)
    assert seen.samples == 1
    assert f"[{ACTED + 60}, {NOW - 60})" in seen.source


def test_within_is_the_last_stretch_before_now() -> None:
    ports = put(Ports(), LATENCY, 9, 9, 9, 0.1, 0.1)
    fields = {"metric": "AWS/Lambda Duration p95", "is": {"below": 1}, "min_samples": 2}
    assert observe(fields | {"within": "2m"}, ports).result == "passed"
    assert observe(fields | {"within": "5m"}, ports).result == "failed"


@pytest.mark.parametrize(("how", "observed"), [("mean", "2"), ("min", "1"), ("max", "3"), (None, "2")])
def test_a_window_becomes_one_number(how: str | None, observed: str) -> None:
    ports = put(Ports(), LATENCY, 1, 2, 3)
    fields = {"metric": "AWS/Lambda Duration p95", "is": {"below": 9}} | ({"reduce": how} if how else {})
    assert observe(fields, ports).observed == observed


def test_a_multiple_of_the_healthy_window() -> None:
    ports = put(put(Ports(), LATENCY, 100, 100, 100, start=HEALTHY.start), LATENCY, 115, 115, 115)
    fields = {"metric": "AWS/Lambda Duration p95", "should": {"below": "1.2 of before"}}
    seen = observe(fields, ports)
    assert (seen.result, seen.must, seen.expected) == ("passed", False, "below 1.2 of before (before: 100)")
    put(ports, LATENCY, 125, 125, 125)
    assert observe(fields, ports).result == "failed"
    assert observe(fields, ports, before=None).result == "inconclusive"
    assert observe(fields, ports, before=Window(start=60, end=120)).result == "inconclusive"


def test_the_alarms_own_series_and_its_threshold_from_the_good_side() -> None:
    ports = put(Ports(), ALARM_METRIC, *[0.5] * 30)
    fields = {"metric": "alarm", "is": "not breaching", "within": "5m"}
    seen = observe(fields, ports, now=NOW + 10)
    assert (seen.result, seen.expected, seen.samples) == ("passed", "at most 0.5", 30)
    assert line(fields, alarm=alarm()).series == (ALARM_METRIC,)


@pytest.mark.parametrize(
    ("comparison", "text"),
    [
        ("GreaterThanThreshold", "at most 0.5"),
        ("GreaterThanOrEqualToThreshold", "below 0.5"),
        ("LessThanThreshold", "at least 0.5"),
        ("LessThanOrEqualToThreshold", "above 0.5"),
    ],
)
def test_not_breaching_is_what_the_alarm_does_not_call_breaching(comparison: str, text: str) -> None:
    compiled = line({"metric": "alarm", "is": "not breaching"}, alarm=alarm(comparison=comparison))
    assert compiled.bound.text() == text


@pytest.mark.parametrize(
    "changes", [{"alarm": None}, {"alarm": alarm(metric=None)}, {"alarm": alarm(threshold=None)},
                {"alarm": alarm(comparison="LessThanLowerOrGreaterThanUpperThreshold")}]
)  # fmt: skip
def test_an_alert_without_a_plain_series_or_threshold_has_none(changes: dict[str, Any]) -> None:
    with pytest.raises(Unobservable):
        line({"metric": "alarm", "is": "not breaching"}, **changes)


def test_what_is_written_out_keeps_its_dimensions_and_period() -> None:
    written = {"namespace": "Shop", "name": "Latency", "stat": "p99", "dimensions": {"Shop": "two"}}
    compiled = line({"metric": written, "is": {"below": 1}, "period": "10s"})
    assert compiled.series == (
        MetricRef(namespace="Shop", name="Latency", stat="p99", period=10, dimensions={"Shop": "two"}),
    )


@pytest.mark.parametrize(
    ("word", "stat"), [("avg", "Average"), ("sum", "Sum"), ("max", "Maximum"), ("count", "SampleCount"), ("p99.9", "p99.9")]
)  # fmt: skip
def test_statistics_by_their_short_words(word: str, stat: str) -> None:
    assert line({"metric": f"AWS/Lambda Duration {word}", "is": {"below": 1}}).series[0].stat == stat
    assert line({"metric": "AWS/Lambda Duration", "is": {"below": 1}}).series[0].stat == "Average"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"metric": "AWS/Lambda Duration p95"}, "either `is`"),
        ({"metric": "AWS/Lambda Duration", "is": {"below": 1}, "should": {"below": 2}}, "either `is`"),
        ({"metric": "AWS/Lambda Duration p95", "is": {"under": 1}}, r"expect e1\.is: write one of below"),
        ({"metric": "AWS/Lambda Duration p95", "is": {"below": 1, "above": 0}}, "write one of below"),
        ({"metric": "AWS/Lambda Duration p95", "is": {"below": "1.2 of after"}}, "must be a number"),
        ({"metric": "AWS/Lambda Duration p95", "is": {"below": True}}, "must be a number"),
        ({"metric": "AWS/Lambda Duration p95", "is": {"below": math.nan}}, "must be a number"),
        ({"metric": "AWS/Lambda Duration median", "is": {"below": 1}}, "'median' is no statistic"),
        ({"metric": "Duration", "is": {"below": 1}}, "NAMESPACE NAME STAT"),
        ({"metric": ["AWS/Lambda Errors"], "is": {"below": 1}}, "NAMESPACE NAME STAT"),
        ({"metric": {"ratio": ["AWS/Lambda Errors"]}, "is": {"below": 1}}, r"metric\.ratio"),
        ({"metric": {"namespace": "A", "name": "B", "unit": "x"}, "is": {"below": 1}}, "unit: there is no such key"),
        ({"metric": "AWS/Lambda Errors", "is": {"below": 1}, "witin": "5m"}, "witin: there is no such key: use metric"),
        ({"metric": "AWS/Lambda Errors", "is": {"below": 1}, "within": "soon"}, "within: "),
    ],
)
def test_a_wrong_line_is_named_with_its_fix(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidPlaybook, match=sentence):
        line(fields, alarm=alarm())


def test_a_period_that_is_hardly_over_is_not_published_yet() -> None:
    """What CloudWatch has of it is a part, or nothing: the last whole minute is left out until a minute later."""
    ports = put(Ports(), LATENCY, 0.1, 0.1, 0.1, 0.1, 9)
    fields = {"metric": "AWS/Lambda Duration p95", "is": {"below": 1}, "within": "2m", "min_samples": 2}
    assert observe(fields, ports, now=PUBLISHED - 1).result == "passed"
    assert observe(fields, ports, now=PUBLISHED).result == "failed"


@pytest.mark.parametrize(("period", "within"), [(10, 120), (60, 120), (120, 240), (300, 600), (900, 1800)])
def test_a_stretch_holds_the_points_it_is_judged_by(period: int, within: int) -> None:
    """A playbook is written for any alarm; `within: 2m` of a five-minute series would never hold two points."""
    metric = ALARM_METRIC.model_copy(update={"period": period})
    fields = {"metric": "alarm", "is": "not breaching", "within": "2m", "min_samples": 2}
    compiled = line(fields, alarm=alarm(metric=metric))
    assert compiled.within == within
    assert probe_of(compiled).ripens(compiled) == 3 * period + (60 if period >= 60 else 10)


# proof


def test_d2_a_series_without_data_for_three_hours_is_refused() -> None:
    """A little less: a question that is three hours old when it arrives has no points of less than a minute."""
    compiled = line(RATIO)
    first = NOW - PROOF_SECONDS
    assert 2.9 * 3600 < PROOF_SECONDS < 3 * 3600
    ports = put(put(Ports(), ERRORS, 0, start=first - 60), CALLS, 5, start=first - 60)
    with pytest.raises(Unobservable, match="no data for three hours"):
        prove([compiled], context(), ports)
    put(put(ports, ERRORS, 0, start=first), CALLS, 5, start=first)
    prove([compiled], context(), ports)


def test_a_numerator_may_be_silent_where_a_gap_is_zero() -> None:
    ports = put(Ports(), CALLS, 5)
    prove([line(RATIO | {"missing": "zero"})], context(), ports)
    with pytest.raises(Unobservable, match="Errors"):
        prove([line(RATIO)], context(), ports)


def test_a_must_that_needs_a_healthy_window_is_refused_without_one() -> None:
    ports = put(put(Ports(), LATENCY, 1, start=HEALTHY.start), LATENCY, 1)
    must = line({"metric": "AWS/Lambda Duration p95", "is": {"below": "1.2 of before"}})
    prove([must], context(), ports)
    with pytest.raises(Unobservable, match="no healthy window"):
        prove([must], context(healthy=None), ports)
    should = line({"metric": "AWS/Lambda Duration p95", "should": {"below": "1.2 of before"}})
    prove([should], context(healthy=None), ports)


# one call


def test_all_lines_guards_and_windows_are_one_call() -> None:
    ports = Ports()
    (*expect,), guards = compile_promises(
        spec(
            RATIO,
            {"metric": "AWS/Lambda Duration avg", "should": {"below": "1.2 of before"}},
            {"metric": "alarm", "is": "not breaching"},
            guard=({"metric": "AWS/Lambda Duration p95"},),
        ),
        context(alarm=alarm()),
    )
    measure(expect, guards, reading(ports))
    assert ports.metrics.fetches == 1


def test_a_source_that_refuses_for_good_makes_its_lines_inconclusive() -> None:
    class Denied(MemoryMetrics):
        def fetch(self, requests: Any) -> Any:
            raise AccessDenied("may not be read")

    (*expect,), guards = compile_promises(spec(RATIO, guard=({"metric": "AWS/Lambda Duration p95"},)), context())
    measured = measure(expect, guards, reading(Ports(metrics=Denied())))
    assert measured.observations[0].result == measured.guards[0].result == "inconclusive"
    assert measured.observations[0].note == measured.guards[0].note == "may not be read"
    assert measured.notes == ("metrics: may not be read",)
    with pytest.raises(Unobservable, match="may not be read"):
        prove(expect, context(), Ports(metrics=Denied()))


def test_a_source_that_may_answer_next_time_is_asked_again_by_the_workflow() -> None:
    class Busy(MemoryMetrics):
        def fetch(self, requests: Any) -> Any:
            raise Throttled("slow down")

    with pytest.raises(Throttled):
        observe(RATIO, Ports(metrics=Busy()))


def test_every_observation_is_one_the_verdict_accepts() -> None:
    for values in ((0, 0, 0), (5, 5, 5), (1,), ()):
        ports = put(put(Ports(), ERRORS, *values), CALLS, 100, 100, 100)
        seen = observe(RATIO, ports)
        ExpectationResult(seen.id, Importance.MUST, Outcome(seen.result), seen.samples, seen.supporting)


# guards


def guard(**changes: Any) -> Guard:
    _, (compiled,) = compile_promises(
        spec(RATIO, guard=({"metric": "AWS/Lambda Duration p95", "period": "60s"} | changes,)), context()
    )
    return compiled


def judged(compiled: Guard, old: list[float], new: list[float], **changes: Any) -> Any:
    ports = put(put(Ports(), LATENCY, *old, start=HEALTHY.start), LATENCY, *new, start=NOW - 3600)
    return measure([], [compiled], reading(ports, since=NOW - 3600, **changes)).guards[0]


NOISE = [100.0, 102.0, 98.0, 101.0, 99.0] * 8


def test_a_guard_flags_what_got_worse_and_nothing_else() -> None:
    compiled = guard()
    assert judged(compiled, NOISE, [value * 1.5 for value in NOISE]).result == "worse"
    assert judged(compiled, NOISE, NOISE).result == "passed"
    assert judged(compiled, NOISE, [value * 0.5 for value in NOISE]).result == "passed"
    lower = guard(worse="lower", tolerance={"relative": 0.1})
    assert judged(lower, NOISE, [value * 0.5 for value in NOISE]).result == "worse"


def test_a_guard_without_enough_of_either_window_is_inconclusive_and_says_so() -> None:
    few = judged(guard(min_samples=30), NOISE, NOISE[:10])
    assert (few.result, few.samples_before, few.samples_after) == ("inconclusive", 40, 10)
    assert "30 of each are needed" in few.note
    measured = measure([], [guard()], reading(Ports(), before=None))
    assert measured.guards[0].result == "inconclusive"
    assert "no healthy window" in measured.notes[0]
    silent = judged(guard(), [], NOISE)
    assert (silent.result, silent.note) == ("inconclusive", "the series has no data in the healthy window")


def test_silence_is_no_measurement_even_where_a_gap_is_zero() -> None:
    compiled = guard(missing="zero", worse="higher")
    found = judged(compiled, NOISE, [])
    assert (found.result, found.samples_after, found.after) == ("inconclusive", 0, None)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"metric": "AWS/Lambda Duration p95", "worst": "higher"}, "worst: there is no such key"),
        ({"metric": "AWS/Lambda Duration p95", "worse": "up"}, "worse"),
        ({"metric": "AWS/Lambda Duration p95", "tolerance": {"relative": -1}}, r"tolerance\.relative"),
        ({"worse": "higher"}, "metric: is missing"),
    ],
)
def test_a_wrong_guard_is_named_with_its_fix(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidPlaybook, match=sentence):
        compile_promises(spec(RATIO, guard=(fields,)), context())
