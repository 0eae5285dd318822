"""State, alarm, invoke and http: what passes, what fails, and what was no measurement."""

from __future__ import annotations

from typing import Any

import pytest

from grace.errors import (
    AccessDenied,
    AnswerLost,
    BadRequest,
    InvalidPlaybook,
    NotFound,
    Refused,
    Throttled,
    Unobservable,
)
from grace.gateways.memory import MemoryAlarms, MemoryAws, MemoryFetch
from grace.model.records import Observation
from grace.probes.base import kinds, probe, probes
from grace.probes.measure import check_promises, compile_promises, measure, prove
from tests.unit.probes.world import FUNCTION, NOW, Alias, Ports, alarm, context, reading, spec


def line(fields: dict[str, Any], **changes: Any) -> Any:
    return compile_promises(spec(fields), context(**changes))[0][0]


def observe(fields: dict[str, Any], ports: Any = None, *, alarm: Any = None, **changes: Any) -> Observation:
    return measure([line(fields, alarm=alarm)], [], reading(ports, **changes)).observations[0]


def prove_line(fields: dict[str, Any], ports: Any = None, **changes: Any) -> None:
    prove([line(fields, **changes)], context(**changes), ports or Ports())


# the registry


def test_every_kind_is_a_member_and_the_rooms_tools_are_not() -> None:
    assert set(kinds()) == set(probes()) == {"alarm", "http", "invoke", "metric", "state"}
    for tool in ("base", "measure", "_lines"):
        with pytest.raises(Refused):
            probe(tool)


@pytest.mark.parametrize("kind", ["metric", "alarm", "invoke"])
def test_what_asks_aws_says_which_authority_it_needs(kind: str) -> None:
    assert all(":" in action for action in probe(kind).iam)
    assert probe(kind).iam


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"metrik": "AWS/Lambda Errors"},
            r"expect\[0\]: names metrik: exactly one of alarm, http, invoke, metric, state",
        ),
        ({"state": {}, "alarm": {}}, "exactly one of"),
        ({}, "names nothing"),
        ({"alarm": {"becomes": "ALARM"}}, r"expect\[0\]\.alarm\.becomes"),
        ({"alarm": {"become": "OK"}}, r"expect\[0\]\.alarm\.become: there is no such key"),
        ({"alarm": {}, "shall": True}, r"expect\[0\]\.shall: there is no such key: use alarm, must"),
        ({"state": {"path": "version"}}, r"expect\[0\]\.state\.equals: is missing"),
        ({"invoke": {"payload": {}, "expect": {}}}, r"expect\[0\]\.invoke\.expect"),
        ({"http": {"url": "https://x.example", "times": 100}}, r"expect\[0\]\.http\.times"),
    ],
)
def test_a_wrong_line_is_named_with_its_fix(fields: dict[str, Any], sentence: str) -> None:
    for attempt in (lambda: line(fields, alarm=alarm()), lambda: check_promises(spec(fields), Alias(), ["version"])):
        with pytest.raises(InvalidPlaybook, match=sentence):
            attempt()


# the alarm that fired


@pytest.mark.parametrize(
    ("lines", "alarms"),
    [
        ([{"state": {"path": "version", "equals": "6"}}], ["slow:added"]),
        ([{"alarm": {"within": "2m"}}], ["slow:120"]),
        ([{"alarm": {"name": "slow", "within": "2m"}}], ["slow:120"]),
        ([{"alarm": {"name": "other"}}], ["other:600", "slow:added"]),
        ([{"alarm": {}, "must": False}], ["slow:600", "slow:added"]),
    ],
)
def test_the_alarm_that_fired_is_always_promised_to_recover(lines: list[dict[str, Any]], alarms: list[str]) -> None:
    compiled, _ = compile_promises(spec(*lines), context(alarm=alarm()))
    found = [one for one in compiled if one.kind == "alarm"]
    names = [one.alarm.rpartition(":")[2] for one in found]
    assert names == [text.split(":")[0] for text in alarms]
    if alarms[-1].endswith("added"):
        assert found[-1].must
        assert found[-1].id == f"e{len(lines) + 1}"
    else:
        assert found[-1].within == int(alarms[-1].split(":")[1])


def test_an_event_has_no_alarm_to_add_and_none_to_promise() -> None:
    compiled, _ = compile_promises(spec({"state": {"path": "version", "equals": "6"}}), context())
    assert [one.kind for one in compiled] == ["state"]
    with pytest.raises(Unobservable, match="the alert is no alarm"):
        line({"alarm": {}})


# alarm


@pytest.mark.parametrize(
    ("state", "since", "result"),
    [
        ("OK", NOW - 10, "passed"),
        ("ALARM", NOW - 599, "inconclusive"),
        ("ALARM", NOW - 600, "failed"),
        ("INSUFFICIENT_DATA", NOW - 9999, "inconclusive"),
        ("nobody knows", NOW - 9999, "inconclusive"),
    ],
)
def test_an_alarm_counts_against_the_promise_when_its_time_is_over(state: str, since: int, result: str) -> None:
    seen = observe({"alarm": {}}, Ports(alarms=MemoryAlarms([alarm(state)])), alarm=alarm(), since=since)
    assert (seen.result, seen.observed) == (result, state)
    assert (seen.samples, seen.supporting) == (int(result != "inconclusive"), int(result == "passed"))


def test_an_alarm_that_is_gone_is_inconclusive_and_cannot_be_promised() -> None:
    gone = Ports(alarms=MemoryAlarms())
    assert observe({"alarm": {}}, gone, alarm=alarm()).result == "inconclusive"
    with pytest.raises(Unobservable, match="does not exist"):
        prove_line({"alarm": {"name": "nobody"}}, gone)
    prove_line({"alarm": {"name": "slow"}})


def test_an_alarm_that_may_not_be_read_is_inconclusive() -> None:
    class Denied(MemoryAlarms):
        def describe(self, name: str) -> Any:
            raise AccessDenied("no")

    seen = observe({"alarm": {}}, Ports(alarms=Denied()), alarm=alarm())
    assert (seen.result, seen.note) == ("inconclusive", "no")
    with pytest.raises(Unobservable, match="no"):
        prove_line({"alarm": {"name": "slow"}}, Ports(alarms=Denied()))


# state


@pytest.mark.parametrize(
    ("equals", "result"),
    [
        ("6", "passed"),
        ("{{ plan.version }}", "passed"),
        ("{{plan.version}}", "passed"),
        ("{{ before.version }}", "failed"),
        (6, "failed"),
        ("7", "failed"),
    ],
)
def test_the_state_is_compared_with_its_type(equals: Any, result: str) -> None:
    assert observe({"state": {"path": "version", "equals": equals}}).result == result


@pytest.mark.parametrize(
    ("found", "equals", "result"),
    [
        (True, True, "passed"),
        (True, 1, "failed"),
        (0, False, "failed"),
        (3, 3.0, "passed"),
        ({"a": [1, True]}, {"a": [1, True]}, "passed"),
        ({"a": [1, True]}, {"a": [1, 1]}, "failed"),
        ({"a": 1}, {"a": 1, "b": 2}, "failed"),
        ([1], [1, 2], "failed"),
    ],
)
def test_equality_is_jsons(found: Any, equals: Any, result: str) -> None:
    assert observe({"state": {"path": "version", "equals": equals}}, state={"version": found}).result == result


@pytest.mark.parametrize("state", [{}, {"version": None}, {"routes": []}])
def test_a_path_that_finds_nothing_is_no_observation(state: dict[str, Any]) -> None:
    seen = observe({"state": {"path": "version", "equals": None}}, state=state)
    assert (seen.result, seen.samples, seen.observed) == ("inconclusive", 0, "nothing")


def test_a_path_is_jmespath() -> None:
    assert observe({"state": {"path": "length(routes)", "equals": 1}}).result == "passed"
    assert observe({"state": {"path": "routes[0]", "equals": "a"}}).result == "passed"
    assert observe({"state": {"path": "length(version)", "equals": 1}}, state={"version": 5}).result == "inconclusive"
    with pytest.raises(InvalidPlaybook, match=r"state\.path: 'version\[' is not a JMESPath"):
        line({"state": {"path": "version[", "equals": 1}})


def test_d2_a_path_must_find_something_in_the_predicted_state() -> None:
    prove_line({"state": {"path": "version", "equals": "6"}})
    with pytest.raises(Unobservable, match="finds nothing"):
        prove_line({"state": {"path": "weights.canary", "equals": 0}})


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("{{ plan.nothing }}", "plan.nothing does not exist: use one of count, version"),
        ("{{ before.version.deeper }}", "does not exist"),
        ("{{ env.SECRET }}", "is not a template"),
        ("v{{ plan.version }}", "is not a template"),
        ("{{ plan.version }}{{ plan.count }}", "is not a template"),
        ("{{ plan.__class__() }}", "is not a template"),
        ("{{ plan }}", "is not a template"),
        ("}}", "is not a template"),
        ({"{{ plan.version }}": 1}, "plain text key"),
        ([1, {"deep": "{{ plan.nothing }}"}], r"equals\[1\]\.deep: plan\.nothing"),
    ],
)
def test_there_are_two_templates_and_no_others(value: Any, sentence: str) -> None:
    with pytest.raises(InvalidPlaybook, match=sentence):
        line({"state": {"path": "version", "equals": value}})


def test_a_template_is_the_value_itself_with_its_type() -> None:
    assert line({"state": {"path": "version", "equals": "{{ plan.count }}"}}).equals == 3
    assert line({"state": {"path": "version", "equals": ["{{ before.routes }}"]}}).equals == [["a"]]


def test_f63_what_looks_like_code_stays_text() -> None:
    for text in ("; rm -rf /", "$(reboot)", "`id`", "a\r\nb", "' OR 1=1"):
        assert line({"state": {"path": "version", "equals": text}}).equals == text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"state": {"path": "FunctionVersion", "equals": "1"}},
            "the state has no 'FunctionVersion': use one of routes",
        ),
        ({"state": {"path": "verson.x[0]", "equals": "1"}}, "the state has no 'verson'"),
        (
            {"state": {"path": "version", "equals": "{{ plan.weight }}"}},
            "plan.weight does not exist: use one of version",
        ),
        ({"state": {"path": "version", "equals": "{{ before.weight }}"}}, "before.weight does not exist"),
        ({"invoke": {"payload": "{{ plan.x }}", "expect": {"a": 1}}}, r"invoke\.payload: plan\.x"),
        ({"invoke": {"payload": 1, "expect": {"a": "{{ plan.x }}"}}}, r"invoke\.expect\.a: plan\.x"),
        ({"http": {"url": "https://user@x.example/"}}, r"http\.url: leave the user name"),
        ({"metric": "AWS/Lambda Errors", "is": "not breaching"}, "is for `metric: alarm`"),
        ({"metric": "alarm", "is": "not breaching", "period": 60}, "the alarm's own period"),
        ({"metric": "AWS/Lambda Errors", "is": {"below": 1}, "period": 45}, "whole minutes"),
        ({"metric": {"ratio": ["A B", "A C"]}, "is": {"below": 1}, "reduce": "max"}, "reduce: leave it out"),
    ],
)
def test_what_can_be_seen_without_a_resource_is_seen_by_the_lint(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidPlaybook, match=sentence):
        check_promises(spec(fields), Alias(), ["version"])


@pytest.mark.parametrize(
    "fields",
    [
        {"state": {"path": "weights.a", "equals": "{{ before.routes }}"}},
        {"state": {"path": "length(routes)", "equals": 1}},
        {"metric": "alarm", "is": "not breaching"},
        {"invoke": {"payload": {"to": "{{ plan.version }}"}, "expect": {"a": 1}}},
        {"http": {"url": "https://x.example/"}},
        {"alarm": {}},
    ],
)
def test_a_good_line_passes_the_lint(fields: dict[str, Any]) -> None:
    check_promises(spec(fields, guard=({"metric": "AWS/Lambda Duration p95"},)), Alias(), ["version"])


# invoke

PING = {"invoke": {"payload": {"ping": True}, "expect": {"statusCode": 200}, "times": 20}}


def test_twenty_real_calls_prove_it() -> None:
    ports = Ports()
    seen = observe(PING, ports)
    assert (seen.result, seen.samples, seen.supporting) == ("passed", 20, 20)
    assert ports.invoked == [b'{"ping": true}'] * 20
    assert line(PING).function == FUNCTION


@pytest.mark.parametrize(
    "bad",
    [
        {"statusCode": 500},
        {"statusCode": "200"},
        {},
        [],
        None,
        "statusCode",
        b"garbage",
        b"",
        b"\xff\xfe",
        NotFound("no such function"),
    ],
)
def test_f52_one_bad_answer_among_good_ones_fails(bad: Any) -> None:
    ports = Ports(answers=[{"statusCode": 200}, {"statusCode": 200}, bad])
    seen = observe(PING, ports)
    assert (seen.result, seen.samples, seen.supporting) == ("failed", 3, 2)
    assert len(ports.invoked) == 3


def test_an_error_of_the_function_fails_although_its_body_looks_right() -> None:
    class Failing(Ports):
        @property
        def aws(self) -> Any:
            answer = {"FunctionError": "Unhandled", "Payload": b'{"statusCode": 200}'}
            return MemoryAws({("lambda", "invoke"): lambda **_: answer})

    assert observe(PING, Failing()).result == "failed"


def test_more_than_was_promised_is_fine() -> None:
    assert observe(PING, Ports(answers=[{"statusCode": 200, "body": "x"}])).result == "passed"


@pytest.mark.parametrize(
    "error", [AccessDenied("not ours to call"), BadRequest("payload too large"), AnswerLost("no answer in 10 s")]
)
def test_a_call_we_may_not_make_or_did_not_wait_for_says_nothing_of_the_function(error: Exception) -> None:
    """Longer than its own time-out a function never takes: Lambda answers for it then, with an error of the function."""
    seen = observe(PING, Ports(answers=[{"statusCode": 200}, error]))
    assert (seen.result, seen.samples, seen.supporting, seen.note) == ("inconclusive", 1, 1, str(error))


def test_a_call_that_may_work_next_time_is_the_workflows_to_repeat() -> None:
    with pytest.raises(Throttled):
        observe(PING, Ports(answers=[Throttled("slow down")]))


def test_d2_a_function_that_does_not_exist_is_refused() -> None:
    prove_line(PING)

    class Missing(Ports):
        @property
        def aws(self) -> Any:
            def missing(**_: Any) -> Any:
                raise NotFound("no such function")

            return MemoryAws({("lambda", "get_function_configuration"): missing})

    with pytest.raises(Unobservable, match="no such function"):
        prove_line(PING, Missing())


# http

HEALTH = {"http": {"url": "https://shop.example.com/health", "status": 200, "contains": "fine", "times": 3}}
URL = "https://shop.example.com/health"


def answering(answer: Any) -> Ports:
    return Ports(fetch=MemoryFetch(("shop.example.com",), {} if answer is None else {URL: answer}))


@pytest.mark.parametrize(
    ("answer", "result", "supporting"),
    [
        ((200, b"all fine"), "passed", 3),
        ((200, b"all broken"), "failed", 0),
        ((200, b""), "failed", 0),
        ((503, b"fine"), "failed", 0),
        ((302, b"fine"), "failed", 0),
        (None, "failed", 0),
        (Refused("address", "it leads to 10.0.0.1"), "inconclusive", 0),
    ],
)
def test_f52_a_url_must_answer_as_promised_every_time(answer: Any, result: str, supporting: int) -> None:
    seen = observe(HEALTH, answering(answer))
    assert (seen.result, seen.supporting) == (result, supporting)


def test_d2_a_host_that_is_not_listed_is_refused_without_asking() -> None:
    silent = answering(None)
    prove_line(HEALTH, silent)
    for url in ("https://evil.example/", "http://shop.example.com/", "https://shop.example.com:444/"):
        with pytest.raises(Unobservable, match="not on the list"):
            prove_line({"http": {"url": url}}, silent)
