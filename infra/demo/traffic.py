"""The shop's customers: they never stop, and every call they make is real and becomes a datum of the shop's own metrics.

One thread per service calls it and publishes what came back, at a resolution of one second and into a namespace per
alarm. The workers' latency is the measured time of the call to their supplier, because that is what an order waits for.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.demo import facts
from infra.local.reconcile import Clients

FLUSH_SECONDS = 2.0
JOIN_SECONDS = 15.0
BASKET = {"basket": {"country": "ES", "lines": [{"price": 12.5, "count": 3}, {"price": 2.0, "count": 1}]}}


@dataclass(frozen=True)
class Answer:
    """One call as it was: whether it failed, how long it took, and what it said."""

    failed: bool
    milliseconds: float
    said: dict[str, Any]


@dataclass
class Service:
    """One service under traffic: what is called, how often, and which datum a call becomes."""

    function: str
    payload: dict[str, Any]
    alarm: facts.ShopAlarm
    measure: Callable[[Answer], float | None]
    pause: float
    calls: int = 0
    failures: int = 0
    last: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def seen(self, answer: Answer) -> float | None:
        """Count a call and return its datum, if it has one."""
        value = self.measure(answer)
        with self.lock:
            self.calls += 1
            self.failures += answer.failed
            self.last = self.last if value is None else value
        return value


def _memory(answer: Answer) -> float | None:
    return None if answer.failed else 100 * answer.said["used_mb"] / answer.said["memory_mb"]


class Traffic:
    """The customers of the shop, from `start` to `stop`."""

    def __init__(self, clients: Clients) -> None:
        """Keep where the shop is; nothing is called yet."""
        self._clients = clients
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.checkout = Service(
            f"{facts.CHECKOUT}:{facts.ALIAS}", BASKET, facts.ERRORS, lambda answer: float(answer.failed), 0.25
        )
        self.workers = Service(facts.SUPPLIER, {}, facts.LATENCY, lambda answer: answer.milliseconds, 0.4)
        self.search = Service(facts.SEARCH, {"query": "lamp"}, facts.MEMORY, _memory, 0.5)

    def start(self) -> None:
        """Let the customers in."""
        # Clients are made here, one after the other: boto3 makes them safely in one thread only.
        calls, metrics = self._clients("lambda"), self._clients("cloudwatch")
        for service in (self.checkout, self.workers, self.search):
            thread = threading.Thread(target=self._serve, args=(service, calls, metrics), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Close the shop and wait until the last customer has left."""
        self._over.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _serve(self, service: Service, calls: Any, metrics: Any) -> None:
        data: list[dict[str, Any]] = []
        flushed = time.monotonic()
        while not self._over.wait(service.pause):
            value = service.seen(call(calls, service.function, service.payload))
            if value is not None:
                data.append(_datum(service.alarm, value))
            if data and time.monotonic() - flushed >= FLUSH_SECONDS:
                _publish(metrics, service.alarm.namespace, data)
                data, flushed = [], time.monotonic()


def call(calls: Any, function: str, payload: dict[str, Any]) -> Answer:
    """Call a function once, as a customer does: an error is an answer, too."""
    name, _, qualifier = function.partition(":")
    where = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
    started = time.monotonic()
    try:
        answer = calls.invoke(**where, Payload=json.dumps(payload))
        said = json.loads(answer["Payload"].read())
        failed = "FunctionError" in answer
    except (BotoCoreError, ClientError):
        said, failed = {}, True
    return Answer(failed, 1000 * (time.monotonic() - started), said if isinstance(said, dict) else {})


def _datum(alarm: facts.ShopAlarm, value: float) -> dict[str, Any]:
    return {
        "MetricName": alarm.metric,
        "Dimensions": [{"Name": name, "Value": named} for name, named in alarm.dimensions],
        "Timestamp": datetime.now(UTC),
        "Value": value,
        "Unit": alarm.unit,
        "StorageResolution": 1,
    }


def _publish(metrics: Any, namespace: str, data: list[dict[str, Any]]) -> None:
    """Publish what was seen; a lost datum is a gap in the series, and a gap never proves anything."""
    try:
        metrics.put_metric_data(Namespace=namespace, MetricData=data)
    except (BotoCoreError, ClientError):
        return
