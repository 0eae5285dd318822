"""Sentences that entries, mail, page and command have in common: what others read holds no text of a call or an answer."""

import json

from grace.model.base import Json
from grace.model.expectation import AlarmLine, Expectation, HttpLine, InvokeLine, MetricLine, StateLine


def promise(line: Expectation) -> str:
    """Return a promise in words, before anything was measured."""
    match line:
        case MetricLine():
            names = " / ".join(f"{series.namespace} {series.name}" for series in line.series)
            stat = "" if len(line.series) == 2 else f" {line.series[0].stat}"
            return f"{names}{stat} {line.bound.text()} over {line.within} s"
        case StateLine():
            return f"{line.path} is {line.equals}"
        case AlarmLine():
            return f"the alarm {alarm_name(line.alarm)} becomes {line.becomes} within {line.within} s"
        case InvokeLine():
            return f"{line.times} calls answer {plain(line.expect)}"
        case HttpLine():
            return f"{line.times} requests to {address(line.url)} answer {line.status}"


def alarm_name(alarm: str) -> str:
    """Return an alarm's name, which every command takes as well as its ARN."""
    return alarm.partition(":alarm:")[2] or alarm


def plain(value: Json) -> str:
    """Return a value that is sent or answered as JSON without its texts: any of them may be a secret, a number is none."""
    return json.dumps(_plain(value))


def address(url: str) -> str:
    """Return a web address without its query, which may hold a secret."""
    place, query, _ = url.partition("#")[0].partition("?")
    return place + query + ("..." if query else "")


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return "(text)" if isinstance(value, str) else value
