"""Rules are checked when they are read, the likeliest wins, and the rest is kept as evidence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from grace.diagnoses.loader import built_in, load
from grace.diagnoses.rulebook import Rulebook
from grace.errors import InvalidPlaybook
from grace.model.diagnosis import DiagnosisCode, Rule
from grace.model.signal import Signal
from grace.signals import parse

EVENTS = Path(__file__).parents[2] / "events"


def event(name: str) -> Signal:
    return parse((EVENTS / name).read_bytes())


def rule(name: str, likelihood: float, diagnosis: str = "timeout", **pattern: Any) -> Rule:
    return Rule(
        name=name,
        diagnosis=DiagnosisCode(diagnosis),
        likelihood=likelihood,
        reason=f"{name} says so.",
        pattern=pattern or {"kind": ["error"]},
    )


def test_the_likeliest_rule_decides_and_all_matches_are_kept() -> None:
    book = Rulebook([rule("low", 0.2), rule("high", 0.9, "service_down"), rule("other", 1.0, kind=["alarm"])])
    diagnosis = book.diagnose(event("error_timeout.json"))
    assert (diagnosis.code, diagnosis.likelihood) == (DiagnosisCode.SERVICE_DOWN, 0.9)
    assert [match.rule for match in diagnosis.matches] == ["high", "low"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_equal_likelihoods_are_settled_by_name(names: tuple[str, str]) -> None:
    codes = {"a": "timeout", "b": "service_down"}
    book = Rulebook([rule(name, 0.5, codes[name]) for name in names])
    assert book.diagnose(event("error_timeout.json")).code is DiagnosisCode.TIMEOUT


def test_nothing_matched_is_unknown_and_never_a_guess() -> None:
    diagnosis = built_in().diagnose(event("error_unknown.json"))
    assert (diagnosis.code, diagnosis.likelihood, diagnosis.matches) == (DiagnosisCode.UNKNOWN, 0, ())


@pytest.mark.parametrize(
    "name", ["alarm_lambda_errors_ok.sns.json", "alarm_ecs_cpu_low.sns.json", "ecs_service_steady.json"]
)
def test_what_is_no_trouble_has_no_diagnosis(name: str) -> None:
    assert built_in().diagnose(event(name)).code is DiagnosisCode.UNKNOWN


@pytest.mark.parametrize(
    ("name", "code", "likelihood"),
    [
        ("alarm_lambda_errors.sns.json", "elevated_errors", 0.65),
        ("alarm_metric_math.eventbridge.json", "elevated_errors", 0.65),
        ("alarm_lambda_latency.direct.json", "latency_spike", 0.70),
        ("alarm_asg_latency.eventbridge.json", "latency_spike", 0.60),
        ("alarm_ec2_status.sns_raw.json", "service_down", 0.85),
        ("ecs_deployment_failed.json", "deployment_regression", 0.90),
        ("autoscaling_instance_refresh_failed.json", "deployment_regression", 0.80),
        ("ecs_task_out_of_memory.json", "resource_exhausted", 0.80),
        ("rds_low_storage.json", "resource_exhausted", 0.80),
        ("rds_failure.json", "service_down", 0.85),
        ("health_lambda_issue.json", "dependency_unavailable", 0.60),
        ("alarm_composite.eventbridge.json", "unknown", 0),
        ("autoscaling_launch_unsuccessful.json", "unknown", 0),
    ],
)
def test_the_built_in_rules_on_the_sample_events(name: str, code: str, likelihood: float) -> None:
    diagnosis = built_in().diagnose(event(name))
    assert (diagnosis.code.value, diagnosis.likelihood) == (code, likelihood)


def test_every_code_but_unknown_has_a_rule() -> None:
    assert {rule.diagnosis for rule in built_in().rules} == set(DiagnosisCode) - {DiagnosisCode.UNKNOWN}


def test_error_codes_are_strings_and_listed_once() -> None:
    # An unquoted 42501 in YAML is a number, and no code is one; a code of two diagnoses would be a coin toss.
    codes = [code for rule in built_in().rules if rule.pattern["kind"] == ["error"] for code in rule.pattern["code"]]
    assert [code for code in codes if not isinstance(code, str)] == []
    assert [code for code, times in Counter(codes).items() if times > 1] == []


RIGHT = "- {name: one, diagnosis: timeout, likelihood: 0.5, reason: So., pattern: {kind: [error]}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: one\n", ["a.yaml", "list of rules"]),
        ("- [\n", ["a.yaml", "line", "YAML"]),
        ("- 5\n", ["a.yaml", "rule 1", "likelihood"]),
        (RIGHT.replace("reason", "why"), ["a.yaml", "rule one", "reason"]),
        (RIGHT.replace("reason: So.", "reason: So., tier: 1"), ["a.yaml", "rule one", "tier", "is no key"]),
        (RIGHT.replace("0.5", "1.5"), ["a.yaml", "rule one", "likelihood", "less than or equal to 1"]),
        (RIGHT.replace("timeout", "time_out"), ["a.yaml", "rule one", "diagnosis", "'database_locked'"]),
        (RIGHT.replace("timeout", "unknown"), ["a.yaml", "rule one", "unknown", "leave the rule out"]),
        (RIGHT.replace("[error]", "error"), ["rule one", "pattern.kind", '["error"]']),
        (RIGHT.replace("kind", "kinds"), ["rule one", "pattern.kinds", "no field of a signal"]),
        (RIGHT.replace("{kind: [error]}", "{metric: {nam: [a]}}"), ["rule one", "pattern.metric.nam"]),
        (RIGHT.replace("{kind: [error]}", "{$or: [{kind: [a]}, {knd: [b]}]}"), ["rule one", "pattern.knd"]),
        (RIGHT + RIGHT, ["rule one", "twice"]),
    ],
)
def test_a_wrong_rule_is_refused_in_one_sentence(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InvalidPlaybook) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_rules_of_all_files_are_matched_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RIGHT)
    (tmp_path / "b.yaml").write_text(RIGHT.replace("one", "two").replace("0.5", "0.6"))
    diagnosis = load(tmp_path).diagnose(event("error_timeout.json"))
    assert [match.rule for match in diagnosis.matches] == ["two", "one"]
