"""Keeps the engine's alarms awake.

AWS evaluates alarms on its own clock. MiniStack evaluates them only when some PutMetricData or PutMetricAlarm
arrives, so a datum of no meaning is put every few seconds for as long as the engine lives.
Run as `python -m infra.local.heartbeat <engine home>`; the argument marks the process as this checkout's.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

NAMESPACE = "Grace/EngineHeartbeat"
INTERVAL_SECONDS = 2.0
# An engine that was killed never answers again: end rather than run on for ever.
MISSES_BEFORE_END = 15


def beat(cloudwatch: Any) -> bool:
    """Put one datum; False when the engine did not answer."""
    try:
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Beat", "Value": 1.0}])
    except (BotoCoreError, ClientError):
        return False
    return True


def main() -> int:
    """Beat until the engine has been silent for MISSES_BEFORE_END beats."""
    client = boto3.client("cloudwatch", config=Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5))
    misses = 0
    while misses < MISSES_BEFORE_END:
        misses = 0 if beat(client) else misses + 1
        time.sleep(INTERVAL_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
