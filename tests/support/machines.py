"""EC2 instances in memory, and the trail that tells of a reboot some time after it was asked for."""

# ruff: noqa: N803  the arguments have boto3's names
from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from grace.errors import BadRequest, NotFound
from tests.support.effects import Effects, Handlers

TRAIL_SECONDS = 0
"""How long CloudTrail takes to show an event. On AWS minutes; a world sets its own."""


class Machines:
    """Instances by id. `trail_seconds` is how long an event takes to be seen."""

    def __init__(self, account: str, region: str, now: Callable[[], datetime], effects: Effects) -> None:
        self.prefix = f"arn:aws:ec2:{region}:{account}:instance/"
        self.instances: dict[str, dict[str, Any]] = {}
        self.trail: list[dict[str, Any]] = []
        self.trail_seconds = TRAIL_SECONDS
        self.effects = effects
        self._now = now

    def instance(self, key: str, *, tags: dict[str, str]) -> str:
        """Add a running instance; return its ARN."""
        self.instances[key] = {"tags": tags, "state": "running", "launched": self._now() - timedelta(days=30)}
        return self.prefix + key

    def handlers(self) -> Handlers:
        """Return what `MemoryAws` answers with."""
        return {
            ("ec2", "describe_instances"): self.describe,
            ("ec2", "describe_instance_status"): self.status,
            ("ec2", "reboot_instances"): self.reboot,
            ("cloudtrail", "lookup_events"): self.lookup,
        }

    def describe(self, InstanceIds: Sequence[str], **_: Any) -> dict[str, Any]:
        return {
            "Reservations": [
                {
                    "Instances": [
                        {
                            "InstanceId": key,
                            "State": {"Name": self._instance(key)["state"]},
                            "LaunchTime": self._instance(key)["launched"],
                            "Tags": [{"Key": k, "Value": v} for k, v in self._instance(key)["tags"].items()],
                        }
                    ]
                }
                for key in InstanceIds
            ]
        }

    def status(self, InstanceIds: Sequence[str], **_: Any) -> dict[str, Any]:
        return {
            "InstanceStatuses": [
                {"InstanceId": key, "InstanceState": {"Name": self._instance(key)["state"]}} for key in InstanceIds
            ]
        }

    def reboot(self, InstanceIds: Sequence[str], DryRun: bool = False) -> dict[str, Any]:
        """Reboot; a dry run that would have worked is an empty answer here, as behind the real gateway."""
        for key in InstanceIds:
            if self._instance(key)["state"] != "running":
                raise BadRequest(f"IncorrectState: {key} is {self._instance(key)['state']}")
            if DryRun:
                continue
            self.trail.append(
                {
                    "EventName": "RebootInstances",
                    "EventTime": self._now(),
                    "Username": "grace-execute",
                    "Resources": [{"ResourceType": "AWS::EC2::Instance", "ResourceName": key}],
                }
            )
            self.effects.note("ec2", "reboot_instances", key)
        return {}

    def lookup(
        self,
        LookupAttributes: Sequence[dict[str, str]],
        StartTime: datetime,
        EndTime: datetime | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Return the events of a resource that can be seen by now."""
        visible = self._now() - timedelta(seconds=self.trail_seconds)
        found = [
            event
            for event in self.trail
            if StartTime <= event["EventTime"] <= visible and _asked(event, LookupAttributes)
        ]
        return {"Events": found[::-1]}

    def _instance(self, key: str) -> dict[str, Any]:
        if key not in self.instances:
            raise NotFound(f"InvalidInstanceID.NotFound: {key}")
        return self.instances[key]


def _asked(event: dict[str, Any], attributes: Sequence[dict[str, str]]) -> bool:
    for each in attributes:
        values = {
            "ResourceName": [resource["ResourceName"] for resource in event["Resources"]],
            "EventName": [event["EventName"]],
        }[each["AttributeKey"]]
        if each["AttributeValue"] not in values:
            return False
    return True
