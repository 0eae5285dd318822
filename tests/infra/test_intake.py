"""What the rules diagnose reaches them: intake and diagnoses speak of the same events, and of trouble alone."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from grace.diagnoses.loader import built_in
from grace.model.diagnosis import DiagnosisCode
from grace.patterns import matches
from grace.signals import parse
from infra.constructs.intake import patterns
from infra.constructs.layers import ROOT
from infra.constructs.names import Names
from infra.constructs.watch import alarm_names
from tests.infra.template import Template

EVENTS = ROOT / "tests" / "events"
STAMP = {"account": "111122223333", "region": "eu-central-1", "time": "2026-01-31T12:00:00Z"}
OURS = "error.detected"


def _events() -> dict[str, dict[str, Any]]:
    """Every example that comes by EventBridge: the files, and the labelled lines."""
    found = {path.name: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}
    events = {name: each for name, each in found.items() if isinstance(each, dict) and "detail-type" in each}
    for number, line in enumerate(found["labelled.json"], 1):
        if "event" in line:
            events[f"labelled {number}"] = {**line["event"], **STAMP}
    return events


ALL = _events()
TAKEN = patterns(alarm_names(Names("grace")))


def _rules(engine: Template, *, ours: bool) -> list[dict[str, Any]]:
    rules = [each for each in engine.properties("AWS::Events::Rule") if "EventPattern" in each]
    return [each["EventPattern"] for each in rules if (each.get("EventBusName") is not None) == ours]


@pytest.mark.parametrize("name", ALL)
def test_an_event_that_is_diagnosed_reaches_the_queue(engine: Template, name: str) -> None:
    event = ALL[name]
    if built_in().diagnose(parse(json.dumps(event))).code is not DiagnosisCode.UNKNOWN:
        assert any(matches(each, event) for each in _rules(engine, ours=event["detail-type"] == OURS))


def _words() -> list[tuple[str, str]]:
    """Each rule on what AWS services report, with each code it reads."""
    spoken = [rule for rule in built_in().rules if rule.pattern["kind"] not in (["alarm"], ["error"])]
    return [(rule.name, code) for rule in spoken for code in rule.pattern.get("code", [""]) if isinstance(code, str)]


@pytest.mark.parametrize(("rule", "code"), _words())
def test_each_word_of_a_rule_on_service_events_has_an_example_that_reaches_the_queue(rule: str, code: str) -> None:
    fires = []
    for name, event in ALL.items():
        signal = parse(json.dumps(event))
        said = code in {"", signal.code} and rule in {m.rule for m in built_in().diagnose(signal).matches}
        fires += [name] if said and any(matches(each, event) for each in TAKEN.values()) else []
    assert fires, f"no example of {rule} {code} passes a rule of the intake"


def test_without_the_refresh_its_rule_could_never_fire() -> None:
    """The mutant: the intake that forwards failed launches alone."""
    former = deepcopy(TAKEN)
    former["Scaling"]["detail-type"] = former["Scaling"]["detail-type"][:2]
    event = ALL["autoscaling_instance_refresh_failed.json"]
    assert any(matches(each, event) for each in TAKEN.values())
    assert not any(matches(each, event) for each in former.values())


@pytest.mark.parametrize("state", ["pending", "running", "stopping", "shutting-down", "terminated"])
def test_an_instance_that_starts_or_ends_is_nobodys_incident(state: str) -> None:
    event = ALL["ec2_state_stopped.json"] | {"detail": {"instance-id": "i-0123456789abcdef0", "state": state}}
    assert not any(matches(each, event) for each in TAKEN.values())


@pytest.mark.parametrize("kind", ["Started", "Succeeded", "Cancelled", "Rollback Started", "Rollback Succeeded"])
def test_a_refresh_that_goes_as_somebody_wished_is_nobodys_incident(kind: str) -> None:
    event = ALL["autoscaling_instance_refresh_failed.json"] | {
        "detail-type": f"EC2 Auto Scaling Instance Refresh {kind}"
    }
    assert not parse(json.dumps(event)).is_problem
    assert not any(matches(each, event) for each in TAKEN.values())
