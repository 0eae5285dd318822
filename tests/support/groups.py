"""Auto Scaling groups in memory: bounds are checked as AWS checks them, and instances take a minute to come."""

# ruff: noqa: N803  the arguments have boto3's names
from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from grace.errors import BadRequest
from tests.support.effects import Effects, Handlers

LAUNCH_SECONDS = 60


class Groups:
    """Groups by name, with their instances, scaling policies and instance refreshes."""

    def __init__(self, account: str, region: str, now: Callable[[], datetime], effects: Effects) -> None:
        self.prefix = f"arn:aws:autoscaling:{region}:{account}:autoScalingGroup:"
        self.groups: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, list[dict[str, Any]]] = {}
        self.refreshes: dict[str, list[dict[str, Any]]] = {}
        self.effects = effects
        self._now = now
        self._instances = 0

    def group(self, name: str, *, tags: dict[str, str], sizes: tuple[int, int, int]) -> str:
        """Add a group with minimum, desired and maximum size, all of it in service; return its ARN."""
        least, desired, most = sizes
        arn = f"{self.prefix}5a1b1c1d-1111-2222-3333-444455556666:autoScalingGroupName/{name}"
        self.groups[name] = {
            "arn": arn,
            "tags": tags,
            "min": least,
            "desired": desired,
            "max": most,
            "suspended": [],
            "instances": [],
        }
        self._follow(name, ready=self._now())
        return arn

    def handlers(self) -> Handlers:
        """Return what `MemoryAws` answers with."""
        return {
            ("autoscaling", "describe_auto_scaling_groups"): self.describe,
            ("autoscaling", "describe_instance_refreshes"): self.describe_refreshes,
            ("autoscaling", "describe_policies"): self.describe_policies,
            ("autoscaling", "update_auto_scaling_group"): self.update,
            ("autoscaling", "set_desired_capacity"): self.set_desired,
        }

    def describe(self, AutoScalingGroupNames: Sequence[str]) -> dict[str, Any]:
        return {"AutoScalingGroups": [self._shown(name) for name in AutoScalingGroupNames if name in self.groups]}

    def describe_refreshes(self, AutoScalingGroupName: str, **_: Any) -> dict[str, Any]:
        self._group(AutoScalingGroupName)
        return {"InstanceRefreshes": list(self.refreshes.get(AutoScalingGroupName, ()))}

    def describe_policies(self, AutoScalingGroupName: str, NextToken: str = "") -> dict[str, Any]:
        self._group(AutoScalingGroupName)
        return {"ScalingPolicies": list(self.policies.get(AutoScalingGroupName, ()))}

    def update(
        self,
        AutoScalingGroupName: str,
        MinSize: int | None = None,
        MaxSize: int | None = None,
        DesiredCapacity: int | None = None,
    ) -> dict[str, Any]:
        found = self._group(AutoScalingGroupName)
        least = found["min"] if MinSize is None else MinSize
        most = found["max"] if MaxSize is None else MaxSize
        kept = min(max(found["desired"], least), most)
        desired = kept if DesiredCapacity is None else DesiredCapacity
        if least > most:
            raise BadRequest("ValidationError: the maximum size must be equal to or greater than the minimum")
        if not least <= desired <= most:
            raise BadRequest(f"ValidationError: desired capacity {desired} must be between {least} and {most}")
        found |= {"min": least, "desired": desired, "max": most}
        self._follow(AutoScalingGroupName, ready=self._now() + timedelta(seconds=LAUNCH_SECONDS))
        self.effects.note("autoscaling", "update_auto_scaling_group", AutoScalingGroupName)
        return {}

    def set_desired(
        self, AutoScalingGroupName: str, DesiredCapacity: int, HonorCooldown: bool = False
    ) -> dict[str, Any]:
        found = self._group(AutoScalingGroupName)
        if not found["min"] <= DesiredCapacity <= found["max"]:
            raise BadRequest(f"ValidationError: {DesiredCapacity} is outside {found['min']} to {found['max']}")
        found["desired"] = DesiredCapacity
        self._follow(AutoScalingGroupName, ready=self._now() + timedelta(seconds=LAUNCH_SECONDS))
        self.effects.note("autoscaling", "set_desired_capacity", AutoScalingGroupName)
        return {}

    def _follow(self, name: str, ready: datetime) -> None:
        """Launch what is missing, terminate what is too much."""
        found = self.groups[name]
        del found["instances"][found["desired"] :]
        while len(found["instances"]) < found["desired"]:
            self._instances += 1
            found["instances"].append({"id": f"i-{self._instances:017x}", "ready": ready})

    def _shown(self, name: str) -> dict[str, Any]:
        found = self.groups[name]
        return {
            "AutoScalingGroupName": name,
            "AutoScalingGroupARN": found["arn"],
            "MinSize": found["min"],
            "MaxSize": found["max"],
            "DesiredCapacity": found["desired"],
            "Tags": [{"Key": key, "Value": value} for key, value in found["tags"].items()],
            "SuspendedProcesses": [{"ProcessName": process} for process in found["suspended"]],
            "Instances": [
                {
                    "InstanceId": each["id"],
                    "HealthStatus": "Healthy",
                    "LifecycleState": "InService" if self._now() >= each["ready"] else "Pending",
                }
                for each in found["instances"]
            ],
        }

    def _group(self, name: str) -> dict[str, Any]:
        if name not in self.groups:
            raise BadRequest("ValidationError: AutoScalingGroup name not found")
        return self.groups[name]
