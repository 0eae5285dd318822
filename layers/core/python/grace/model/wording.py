"""Sentences that mail, page and command have in common."""

from __future__ import annotations

import json

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
            return f"{line.times} calls answer {json.dumps(line.expect)}"
        case HttpLine():
            return f"{line.times} requests to {line.url} answer {line.status}"


def alarm_name(alarm: str) -> str:
    """Return an alarm's name, which every command takes as well as its ARN."""
    return alarm.partition(":alarm:")[2] or alarm
