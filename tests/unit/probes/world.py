"""A small world for probes: one made-up resource type, its alarm, and every port in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grace.errors import Refused
from grace.gateways.memory import MemoryAlarms, MemoryAws, MemoryClock, MemoryFetch, MemoryMetrics
from grace.model.base import Model
from grace.model.contract import Window
from grace.model.playbook import PlaybookSpec
from grace.model.resource import ResourceRef
from grace.model.signal import MetricRef
from grace.ports import AlarmFacts
from grace.probes.base import PromiseContext, Reading
from grace.resources.base import Captured, Restorable

NOW = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())
ACTED = NOW - 300
HEALTHY = Window(start=NOW - 7200, end=NOW - 3600)
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:shop:live"
RESOURCE = ResourceRef(type="AWS::Lambda::Alias", arn=FUNCTION)
DIMENSIONS = {"FunctionName": "shop", "Resource": "shop:live"}
ALARM_METRIC = MetricRef(namespace="Shop", name="Latency", stat="p95", period=10, dimensions={"Shop": "one"})


class AliasState(Model):
    version: str
    weights: dict[str, float]
    routes: tuple[str, ...]


class Alias(Restorable[AliasState]):
    """As much of a resource type as probes look at."""

    cfn_type = "AWS::Lambda::Alias"
    state = AliasState
    reads = writes = arns = ()

    def from_signal(self, signal: Any) -> Any:
        raise NotImplementedError

    def tags(self, ref: ResourceRef, aws: Any) -> dict[str, str]:
        raise NotImplementedError

    def capture(self, ref: ResourceRef, aws: Any) -> Captured[AliasState]:
        raise NotImplementedError

    def restore(self, ref: ResourceRef, wanted: AliasState, now: Captured[AliasState], aws: Any) -> None:
        raise NotImplementedError

    def in_progress(self, ref: ResourceRef, aws: Any) -> str:
        raise NotImplementedError

    def dimensions(self, ref: ResourceRef, namespace: str) -> dict[str, str]:
        if namespace != "AWS/Lambda":
            raise Refused("dimensions", f"an alias has no dimensions in {namespace}")
        return DIMENSIONS

    def probe_function(self, ref: ResourceRef) -> str:
        return ref.arn


def alarm(state: str = "ALARM", **changes: Any) -> AlarmFacts:
    values: dict[str, Any] = {
        "arn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow",
        "name": "slow",
        "state": state,
        "changed_at": datetime.fromtimestamp(NOW - 600, UTC),
        "metric": ALARM_METRIC,
        "threshold": 0.5,
        "comparison": "GreaterThanThreshold",
        "evaluation_periods": 3,
        "datapoints_to_alarm": 2,
        "treat_missing": "missing",
    }
    return AlarmFacts(**values | changes)


def context(**changes: Any) -> PromiseContext:
    values: dict[str, Any] = {
        "resource": RESOURCE,
        "kind": Alias(),
        "before": {"version": "7", "weights": {}, "routes": ["a"]},
        "predicted": {"version": "6", "weights": {}, "routes": ["a"]},
        "parameters": {"version": "6", "count": 3},
        "alarm": None,
        "http_hosts": ("shop.example.com",),
        "healthy": HEALTHY,
    }
    return PromiseContext(**values | changes)


def spec(*expect: dict[str, Any], guard: tuple[dict[str, Any], ...] = ()) -> PlaybookSpec:
    return PlaybookSpec.model_validate(
        {
            "name": "roll_back",
            "summary": "Point the alias back.",
            "diagnoses": ["elevated_errors"],
            "resource": "AWS::Lambda::Alias",
            "action": {"use": "shift_alias"},
            "tier": 1,
            "expect": expect,
            "guard": guard,
            "example": "alarm.json",
        }
    )


@dataclass
class Ports:
    """`Sources` in memory; its function answers what `answers` says, the last one for ever."""

    clock: MemoryClock = field(default_factory=lambda: MemoryClock(datetime.fromtimestamp(NOW, UTC)))
    metrics: Any = field(default_factory=MemoryMetrics)
    alarms: Any = field(default_factory=lambda: MemoryAlarms([alarm("OK")]))
    fetch: Any = field(default_factory=lambda: MemoryFetch(("shop.example.com",)))
    answers: list[Any] = field(default_factory=lambda: [{"statusCode": 200}])
    invoked: list[bytes] = field(default_factory=list)

    @property
    def aws(self) -> Any:
        def invoke(FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803  boto3's names
            self.invoked.append(Payload)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return {"Payload": answer} if isinstance(answer, bytes) else {"Payload": json.dumps(answer).encode()}

        return MemoryAws({("lambda", "invoke"): invoke, ("lambda", "get_function_configuration"): lambda **_: {}})


def reading(ports: Any = None, **changes: Any) -> Reading:
    values: dict[str, Any] = {
        "sources": ports or Ports(),
        "state": {"version": "6", "weights": {}, "routes": ["a"]},
        "now": NOW,
        "since": ACTED,
        "before": HEALTHY,
    }
    return Reading(**values | changes)
