"""D39: precision and recall over a labelled set. D38: each of the six error patterns has a rule and an example.

The labels say what a person who reads the whole alert would say. The rules read structure only, so they miss some
(recall below 1) and may not be wrong about any (precision 1): what they do not recognise goes to a person.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from grace.diagnoses.loader import built_in
from grace.model.diagnosis import DiagnosisCode
from grace.model.signal import Signal
from grace.signals import parse

EVENTS = Path(__file__).parents[2] / "events"
ACCOUNT, REGION = "111122223333", "eu-central-1"
SIX = (
    "database_locked",
    "permission_denied",
    "validation_error",
    "timeout",
    "resource_exhausted",
    "dependency_unavailable",
)


def signal_of(labelled: dict[str, Any]) -> Signal:
    """Build the event a labelled line stands for, and read it as ingest does."""
    if "alarm" in labelled:
        return parse(json.dumps(alarm_message(**labelled["alarm"])))
    event: dict[str, Any] = {"source": "shop.checkout", "detail-type": "error.detected", "resources": []}
    if "error" in labelled:
        event["detail"] = labelled["error"]
    else:
        event.update(labelled["event"])
    return parse(json.dumps({**event, "account": ACCOUNT, "region": REGION, "time": "2026-01-31T12:00:00Z"}))


def alarm_message(
    *,
    namespace: str,
    name: str,
    stat: str,
    dimensions: dict[str, str],
    comparison: str,
    threshold: float,
    observed: float,
    state: str,
) -> dict[str, Any]:
    """Return the message an alarm publishes to SNS."""
    return {
        "AlarmName": "shop",
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:shop",
        "AWSAccountId": ACCOUNT,
        "NewStateValue": state,
        "NewStateReason": f"Threshold Crossed: 1 datapoint [{observed} (31/01/26 11:59:00)] crossed the threshold.",
        "StateChangeTime": "2026-01-31T12:00:00.000+0000",
        "Trigger": {
            "MetricName": name,
            "Namespace": namespace,
            "Statistic": stat,
            "Dimensions": [{"name": key, "value": value} for key, value in dimensions.items()],
            "Period": 60,
            "ComparisonOperator": comparison,
            "Threshold": threshold,
        },
    }


LABELLED: list[dict[str, Any]] = json.loads((EVENTS / "labelled.json").read_text(encoding="utf-8"))


def test_d39_precision_and_recall(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(LABELLED) >= 60
    right: Counter[str] = Counter()
    said: Counter[str] = Counter()
    meant: Counter[str] = Counter()
    wrong = []
    for labelled in LABELLED:
        code = built_in().diagnose(signal_of(labelled)).code.value
        said[code] += 1
        meant[labelled["expect"]] += 1
        right[code] += code == labelled["expect"]
        if code not in (labelled["expect"], "unknown"):
            wrong.append((labelled, code))
    known = [code.value for code in DiagnosisCode if code is not DiagnosisCode.UNKNOWN]
    with capsys.disabled():
        print(f"\n{len(LABELLED)} labelled alerts\n{'diagnosis':24}{'precision':>14}{'recall':>14}")
        for code in known:
            print(f"{code:24}{_share(right[code], said[code]):>14}{_share(right[code], meant[code]):>14}")
        total = sum(right[code] for code in known)
        print(f"{'all':24}{_share(total, sum(said[code] for code in known)):>14}", end="")
        print(f"{_share(total, sum(meant[code] for code in known)):>14}")
    assert wrong == [], "a diagnosis was given that a person would not give"
    assert all(meant[code] >= 3 for code in known), "every code needs examples"
    assert meant["unknown"] >= 25, "the set must try to mislead"
    assert total / sum(meant[code] for code in known) >= 0.9


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} = {part / whole:.2f}" if whole else "-"


def test_d39_words_in_the_message_decide_nothing() -> None:
    words = "database locked permission forbidden validation invalid timeout resource exhausted unavailable connection"
    for labelled in LABELLED:
        if "error" in labelled:
            changed = {**labelled, "error": {**labelled["error"], "message": words}}
            assert built_in().diagnose(signal_of(changed)).code == built_in().diagnose(signal_of(labelled)).code


@pytest.mark.parametrize("code", SIX)
def test_d38_each_of_the_six_patterns_has_a_rule_and_an_example(code: str) -> None:
    assert [rule for rule in built_in().rules if rule.diagnosis.value == code]
    signal = parse((EVENTS / f"error_{code}.json").read_bytes())
    diagnosis = built_in().diagnose(signal)
    assert diagnosis.code.value == code
    assert diagnosis.matches[0].reason == diagnosis.reason
