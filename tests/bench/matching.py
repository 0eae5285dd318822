"""P8: the indexed matcher against walking every rule, on rules like people write and alerts like those that come."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from grace.patterns import Index, Pattern, compile_pattern
from grace.signals import parse
from tests.bench.report import NotMeasured, Row
from tests.support.world import alarm_event

NAMESPACES = ("AWS/Lambda", "AWS/ECS", "AWS/EC2", "AWS/RDS", "AWS/SQS", "AWS/AutoScaling", "Shop", "Payments", "Search")
METRICS = ("Errors", "Duration", "Throttles", "CPUUtilization", "Latency", "Age", "Depth", "Faults", "FreeStorage")
CLASSES = ("errors", "latency", "availability", "exhaustion", "saturation", "backlog")
ALERTS, ROUNDS = 200, 7
FEWEST = 100
"""Alerts are about what the first hundred rules name, so that each book recognises the same ones."""


def _ask(index: Index, alerts: list[dict[str, Any]]) -> list[list[str]]:
    return [index.match(alert) for alert in alerts]


def measure() -> list[Row]:
    """Ask both about the same alerts; first that they say the same, then how long they take."""
    draw = random.Random(8)
    alerts = [_alert(draw) for _ in range(ALERTS)]
    books = {count: [_rule(draw, number) for number in range(count)] for count in (FEWEST, 1000, 10_000)}
    indexes = {count: Index({str(n): rule for n, rule in enumerate(rules)}) for count, rules in books.items()}
    linear = [(str(n), compile_pattern(rule)) for n, rule in enumerate(books[1000])]
    matched = sum(_same(alert, indexes[1000], linear) for alert in alerts)
    taken = {count: _time(partial(_ask, index, alerts)) for count, index in indexes.items()}
    walked = _time(lambda: [[name for name, rule in linear if rule.matches(a)] for a in alerts])
    faster, grows = walked / taken[1000], taken[10_000] / taken[FEWEST]
    how = f"{ALERTS} generated alerts, {matched} with a match, the same answers; smallest of {ROUNDS}"
    return [
        Row("P8", "1,000 rules against walking them all", "≥ 100 ×", f"{faster:.0f} ×", faster >= 100, how),
        Row("P8", "10,000 rules against 100", "≤ 1.5 ×", f"{grows:.2f} ×", grows <= 1.5, "time for the same alerts"),
    ]


def _same(alert: dict[str, Any], index: Index, linear: Sequence[tuple[str, Pattern]]) -> bool:
    ours, theirs = sorted(index.match(alert)), sorted(name for name, rule in linear if rule.matches(alert))
    if ours != theirs:
        raise NotMeasured(f"the index answers {ours}, the plain matcher {theirs}: a defect, not a figure")
    return bool(ours)


def _time(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def _alert(draw: random.Random) -> dict[str, Any]:
    """An alarm as triage sees it, with its subject drawn from the rules' own words."""
    signal = parse(json.dumps(alarm_event(name=f"team-{draw.randrange(FEWEST)}-alarm")))
    metric = {
        "namespace": draw.choice(NAMESPACES),
        "name": draw.choice(METRICS),
        "dimensions": {"FunctionName": f"service-{draw.randrange(FEWEST)}"},
    }
    document = signal.model_dump(mode="json")
    return document | {"alarm_class": draw.choice(CLASSES), "metric": {**document["metric"], **metric}}


def _rule(draw: random.Random, number: int) -> dict[str, Any]:
    """One rule: about a service, an alarm's name or its beginning, a kind of trouble; some with exceptions and choices."""
    about: dict[str, Any] = {"metric": {"dimensions": {"FunctionName": [f"service-{number}"]}}}
    match number % 5:
        case 1:
            about = {"name": [{"prefix": f"team-{number}-"}], "alarm_class": [draw.choice(CLASSES)]}
        case 2:
            about["metric"] |= {
                "namespace": [draw.choice(NAMESPACES)],
                "name": [{"anything-but": [draw.choice(METRICS)]}],
            }
        case 3:
            about = {"$or": [about, {"name": [f"team-{number}-alarm"]}], "kind": ["alarm"]}
        case 4:
            about["severity"] = ["high", "critical", "medium"]
    return about
