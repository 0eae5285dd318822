"""F44, F62, F63 and I39, I43 at the edge: bad input is refused by name, and nothing else ever happens to it."""

from __future__ import annotations

import copy
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import InvalidSignal
from grace.model.signal import Signal
from grace.signals import parse

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES: dict[str, Any] = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(EVENTS.glob("*.json"))
    if path.name.startswith(("alarm_", "health_", "ec2_", "ecs_", "rds_", "autoscaling_", "error_"))
}
ALARM = SAMPLES["alarm_lambda_errors.eventbridge.json"]
RAW = SAMPLES["alarm_lambda_errors.sns_raw.json"]
ERROR = SAMPLES["error_timeout.json"]


def changed(document: Any, path: str, value: Any) -> str:
    """Return the document as text with the value at `a.b.0` replaced."""
    result = copy.deepcopy(document)
    *above, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = result
    for part in above:
        place = place[part]
    place[last] = value
    return json.dumps(result)


def refused(body: str | bytes) -> InvalidSignal:
    with pytest.raises(InvalidSignal) as error:
        parse(body)
    assert error.value.field
    assert error.value.fix
    assert str(error.value).isprintable()
    return error.value


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"", "message", "not JSON"),
        (b"no json", "message", "not JSON"),
        (b"\xff\xfe", "message", "UTF-8"),
        ("\ud800", "message", "UTF-8"),
        ("null", "message", "one JSON object"),
        ("[]", "message", "one JSON object"),
        ('"text"', "message", "one JSON object"),
        ("{}", "source", "missing"),
        ('{"a": NaN}', "message", "NaN"),
        ('{"a": 1e999}', "message.a", "too large"),
        ('{"a": ' + "9" * 5000 + "}", "message", "not JSON"),
        ('{"a": "\\ud800"}', "message.a", "half of a character"),
        ('{"\\ud800": 1}', "message", "half of a character"),
        ('{"a": 1, "a": 2}', "message", "same key twice"),
        ('{"Type": "Notification", "TopicArn": "t", "Message": 5}', "Message", "string"),
        ('{"Type": "Notification", "TopicArn": "t", "Message": "Hello"}', "message", "not JSON"),
        ('{"source": "aws.s3", "detail-type": "Object Created"}', "detail-type", "no event Grace reads"),
        ('{"source": "aws.iam", "alarmData": {}}', "source", "aws.cloudwatch"),
    ],
)
def test_what_is_no_alert(body: str | bytes, field: str, words: str) -> None:
    error = refused(body)
    assert error.field == field
    assert words in error.fix


def test_f62_a_message_of_300_kib_is_refused_by_size() -> None:
    error = refused(changed(RAW, "AlarmDescription", "x" * 300 * 1024))
    assert (error.field, "at most 65536" in error.fix) == ("message", True)


def test_a_string_over_4_kib_is_refused_by_its_name() -> None:
    error = refused(changed(RAW, "AlarmDescription", "x" * 4097))
    assert (error.field, "4096" in error.fix) == ("message.AlarmDescription", True)
    assert parse(changed(RAW, "AlarmDescription", "x" * 4096)) == parse(json.dumps(RAW))
    assert refused(changed(RAW, "AlarmDescription", "\u00e9" * 2049)).field == "message.AlarmDescription"


def test_an_error_says_who_caused_it() -> None:
    named = ["ada", "ben@example.org", "arn:aws:iam::111122223333:role/release"]
    assert parse(changed(ERROR, "detail.caused_by", named)).caused_by == tuple(named)


def test_json_carried_as_text_is_bounded_by_the_message() -> None:
    assert parse(changed(ALARM, "detail.state.reasonData", "x" * 10_000)) == parse(json.dumps(ALARM))


@pytest.mark.parametrize("depth", [19, 20, 500, 30_000])
def test_depth(depth: int) -> None:
    body = json.dumps(RAW)[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
    if depth < 20:
        assert parse(body) == parse(json.dumps(RAW))
    else:
        assert "nested too deep" in refused(body).fix


@pytest.mark.parametrize(
    ("document", "path", "value", "field"),
    [
        (ALARM, "resources", [], "resources"),
        (ERROR, "detail.caused_by", ["two words"], "detail.caused_by.0"),
        (ERROR, "detail.caused_by", ["a"] * 6, "detail.caused_by"),
        (ALARM, "resources.0", 5, "resources"),
        (ALARM, "resources.0", "arn:aws:s3:::bucket", "resources[0]"),
        (ALARM, "resources.0", "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:shop\n", "resources[0]"),
        (ALARM, "account", "999999999999", "account"),
        (ALARM, "account", "\u0661" * 12, "account"),
        (ALARM, "region", "eu-west-1", "region"),
        (ALARM, "region", "eu-central-1\n", "region"),
        (ALARM, "detail", None, "detail"),
        (ALARM, "detail.state", "ALARM", "detail.state"),
        (ALARM, "detail.state.value", "BROKEN", "detail.state.value"),
        (ALARM, "detail.state.timestamp", "yesterday", "detail.state.timestamp"),
        (ALARM, "detail.state.timestamp", "2026-01-31T12:00:03", "detail.state.timestamp"),
        (ALARM, "detail.state.timestamp", "2026-13-31T12:00:03Z", "detail.state.timestamp"),
        (ALARM, "detail.state.timestamp", "0001-01-01T00:00:00+23:59", "detail.state.timestamp"),
        (ALARM, "detail.configuration.metrics", {}, "detail.configuration.metrics"),
        (ALARM, "detail.configuration.metrics.0", 5, "detail.configuration.metrics[0]"),
        (
            ALARM,
            "detail.configuration.metrics.0.metricStat.period",
            0,
            "detail.configuration.metrics[0].metricStat.period",
        ),
        (RAW, "Trigger.Period", 1.5, "Trigger.Period"),
        (RAW, "Trigger.Threshold", "5", "Trigger.Threshold"),
        (RAW, "Trigger.Threshold", True, "Trigger.Threshold"),
        (RAW, "Trigger.Threshold", 10**400, "Trigger.Threshold"),
        (RAW, "Trigger.Dimensions.0.value", None, "Trigger.Dimensions[0].value"),
        (RAW, "Trigger.ExtendedStatistic", "p" * 21, "metric.stat"),
        (RAW, "AWSAccountId", "1234", "AWSAccountId"),
        (ERROR, "detail.code", "has a blank", "detail.code"),
        (ERROR, "detail.code", "SQLITE_BUSY\n", "detail.code"),
        (ERROR, "detail.severity", "awful", "detail.severity"),
        (ERROR, "detail.hop", -1, "detail.hop"),
        (ERROR, "detail.hop", "1", "detail.hop"),
        (ERROR, "detail.at", "now", "detail.at"),
        (ERROR, "detail.corr", "r 1", "detail.corr"),
        (ERROR, "detail.extra", 1, "detail.extra"),
        (ERROR, "detail.resources", ["i-123"], "detail.resources[0]"),
        (ERROR, "detail.resources", ["arn:aws:s3:::a b"], "detail.resources[0]"),
        (ERROR, "detail.resources", ["arn:aws:sqs:eu-central-1:999999999999:q"], "detail.resources[0]"),
        (ERROR, "detail.resources", ["arn:aws:sqs:eu-central-1:111122223333:q\n"], "detail.resources[0]"),
        (SAMPLES["ecs_deployment_failed.json"], "resources", [], "resources"),
        (SAMPLES["health_lambda_issue.json"], "detail.statusCode", "maybe", "detail.statusCode"),
    ],
)
def test_a_wrong_field_is_refused_by_name(document: Any, path: str, value: Any, field: str) -> None:
    assert refused(changed(document, path, value)).field == field


def strings(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every string in a document."""
    if isinstance(value, str):
        yield path[1:]
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from strings(below, f"{path}.{name}")
    elif isinstance(value, list):
        for place, below in enumerate(value):
            yield from strings(below, f"{path}.{place}")


HOSTILE = ("x; rm -rf /", "$(reboot)", "${IFS}", "{{ plan.to }}", "x\r\nSet-Cookie: a", "`id`", 'a"b', "a\\b")
FREE_TEXT = ("message",)
"""Fields of a Signal that hold prose: kept as data, without unseen characters. Every other text is a name."""


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_f63_hostile_text_in_every_string_is_refused_or_stays_prose(sample: str, hostile: str) -> None:
    for path in strings(SAMPLES[sample]):
        try:
            signal = parse(changed(SAMPLES[sample], path, hostile))
        except InvalidSignal:
            continue
        kept = signal.model_dump(mode="json", exclude=set(FREE_TEXT))
        for text in (value for value in walk(kept) if isinstance(value, str)):
            assert hostile not in text, f"{path} reached a name"
            assert "\r" not in text
            assert "\n" not in text
        assert "\r" not in signal.message
        assert "\n" not in signal.message


def walk(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from walk(below)
    elif isinstance(value, list):
        for below in value:
            yield from walk(below)
    else:
        yield value


def test_control_and_bidirectional_characters_are_taken_out_of_names_and_reasons() -> None:
    signal = parse(changed(ERROR, "detail.service", "check\u202eout\u200b\x07"))
    assert signal.service == "checkout"
    signal = parse(changed(ERROR, "detail.message", "first\u2028second\r\nthird \u2066x\u2069\x1b[31m"))
    assert signal.message == "first second  third x[31m"


def test_an_alarm_whose_arn_hides_characters_is_refused() -> None:
    arn = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:sh\u202eop"
    assert refused(changed(RAW, "AlarmArn", arn)).field == "AlarmArn"


@pytest.mark.parametrize("number", ["9" * 400, "1E999"])
def test_a_number_in_a_reason_that_no_float_holds_is_left_out(number: str) -> None:
    reason = f"Threshold Crossed: 1 datapoint [{number} (31/01/26 11:59:00)] was greater than the threshold ({number})."
    signal = parse(changed(ALARM, "detail.state.reason", reason))
    assert (signal.observed, signal.threshold) == (None, None)


def test_text_is_nfc() -> None:
    signal = parse(changed(ERROR, "detail.message", "cafe\u0301"))
    assert unicodedata.is_normalized("NFC", signal.message)


@pytest.mark.parametrize("key", ["\u202e" * 50 + "\x1b[31m", "k" * 4000])
def test_a_key_of_the_message_is_fit_for_a_log_line_when_it_is_named(key: str) -> None:
    dimensions = "detail.configuration.metrics.0.metricStat.metric.dimensions"
    for body in (changed(ERROR, f"detail.{key}", 1), changed(ALARM, dimensions, {key: None}), json.dumps({key: 1e400})):
        error = refused(body.replace("Infinity", "1e999"))
        assert len(error.field) <= 200


def test_a_refusal_does_not_repeat_what_it_refuses() -> None:
    error = refused(changed(ERROR, "detail.severity", "canary-secret-1234"))
    assert "canary-secret" not in str(error)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text(max_size=5), below, max_size=3)),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value below the root."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in inside:
        yield (*path, name)
        yield from places(below, (*path, name))


def outcome(body: str | bytes) -> None:
    """Parse: a Signal or an InvalidSignal; anything else fails the test."""
    refusal = None
    try:
        assert isinstance(parse(body), Signal)
    except InvalidSignal as exc:
        refusal = exc
    assert refusal is None or (refusal.field and len(str(refusal)) < 1000)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_change_to_a_real_event_raises_anything_else(data: st.DataObject) -> None:
    document = copy.deepcopy(SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))])
    if isinstance(document.get("Message"), str):
        document["Message"] = json.loads(document["Message"])
    for _ in range(data.draw(st.integers(1, 3))):
        found = list(places(document))
        if not found:
            break
        *above, last = data.draw(st.sampled_from(found))
        place = document
        for part in above:
            place = place[part]
        if data.draw(st.booleans()):
            del place[last]
        else:
            place[last] = data.draw(json_values)
    if isinstance(document.get("Message"), dict):
        document["Message"] = json.dumps(document["Message"])
    outcome(json.dumps(document))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200), json_values.map(json.dumps)))
def test_no_message_raises_anything_else(body: str | bytes) -> None:
    outcome(body)


def test_f44_one_poisoned_message_does_not_touch_the_others() -> None:
    bodies = [json.dumps({**RAW, "StateChangeTime": f"2026-01-31T12:00:00.{n:03}Z"}) for n in range(100)]
    bodies[41] = bodies[41][:-20]
    read: set[str] = set()
    poison = []
    for number, body in enumerate(bodies):
        try:
            read.add(parse(body).fingerprint)
        except InvalidSignal:
            poison.append(number)
    assert (len(read), poison) == (99, [41])
