"""P7: what remediations cost, from counted calls and dated list prices. A model, with its assumptions in prices.json."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICES: dict[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
KMS_PER_S3_CALL = 1
"""The vault's objects are under its own key, without a bucket key in the worst case: one KMS call for each."""
DAYS = 30.4


@dataclass(frozen=True)
class Usage:
    """What was counted of one remediation. `sends` are AWS calls by name, probes' and action's own included."""

    transitions: int
    invocations: int
    sends: Counter[str]
    metrics_requested: int
    write_units: int
    read_units: int
    log_bytes: int

    def lines(self) -> dict[str, float]:
        """Return what each part costs, in dollars for one remediation. Calls of services that are free cost nothing."""
        price, assumed = PRICES, PRICES["assumed"]
        seconds = sum(self.sends.values()) * assumed["seconds_per_call"] + self.invocations * (
            assumed["seconds_per_invocation"] + assumed["cold_share"] * assumed["cold_seconds"]
        )
        stored = self.sends["s3.put_object"] + self.sends["s3.get_object"]
        kms = self.sends["kms.encrypt"] + self.sends["kms.decrypt"] + KMS_PER_S3_CALL * stored
        return {
            "transitions": self.transitions * price["standard_transition"],
            "lambda": seconds * assumed["memory_gb"] * price["lambda_arm_gb_second"]
            + self.invocations * price["lambda_request"],
            "writes": self.write_units * price["dynamodb_write_unit"],
            "reads": self.read_units * price["dynamodb_read_unit"],
            "vault": self.sends["s3.put_object"] * price["s3_put"] + self.sends["s3.get_object"] * price["s3_get"],
            "keys": kms * price["kms_call"],
            # The alert itself takes three requests: sent, received, deleted.
            "messages": self.sends["sns.publish"] * price["sns_publish"]
            + self.sends["events.put_events"] * price["event_published"]
            + 3 * price["sqs_request"],
            "measuring": self.metrics_requested * price["metric_requested"]
            + self.sends["cloudwatch.describe_alarms"] * price["cloudwatch_call"],
            "logs": self.log_bytes / 1e9 * price["log_gb"],
            "traces": price["xray_trace"],
        }

    def per_thousand(self) -> float:
        """Dollars for 1,000 remediations."""
        return 1000 * sum(self.lines().values())


KEYS = 3
"""The vault's, the one of approval links, and the log's."""
AT_REST = Usage(0, 1, Counter({"dynamodb.batch_get_item": 2}), 0, 0, 17, 600)
"""One run of the integrator that finds nothing: the tree's head and the ends of sixteen lanes."""
VERIFIED = Usage(
    0,
    3,
    Counter(
        {"dynamodb.batch_get_item": 8, "dynamodb.put_item": 3, "s3.get_object": 20, "s3.put_object": 6, "kms.sign": 1}
    ),
    2,
    24,
    60,
    3000,
)
"""One run of the verifier, its entry taken in and signed: three functions. Its objects are under no key of ours; they are
counted as if they were."""


def idle(*, alarms: int, sweep_minutes: int, sweep: Usage) -> dict[str, float]:
    """Return what a month costs in which nothing happens, by part. A metric is billed by the hours with data: none."""
    price, assumed = PRICES, PRICES["assumed"]
    minutes = DAYS * 24 * 60
    polls = minutes * 60 / assumed["queue_poll_seconds"] * assumed["queue_pollers"]
    return {
        "keys": KEYS * price["kms_key_month"],
        "log": minutes * sum(AT_REST.lines().values()) + minutes / 15 * sum(VERIFIED.lines().values()),
        "alarms": alarms * price["alarm_month"],
        "sweep": minutes / sweep_minutes * sum(sweep.lines().values()),
        "polling": polls * price["sqs_request"],
    }
