"""AWS::AutoScaling::AutoScalingGroup: how many instances a group may, must and should have."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from grace.errors import NotFound, Refused, Unobservable
from grace.model.base import Model
from grace.model.resource import Reach, ResourceRef, is_arn
from grace.model.signal import Signal
from grace.ports import Aws
from grace.resources._stacks import STACK_READS, stack_in_progress
from grace.resources.base import Captured, Restorable

_DIMENSION = "AutoScalingGroupName"
_NAMED = "autoScalingGroupName/"
_NO_ID = f"autoScalingGroup::{_NAMED}"
"""How the path of a group begins whose id is not known."""
_REFRESHING = frozenset({"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"})
_NEEDED_PROCESSES = frozenset({"Launch", "Terminate"})
_NAMESPACES = frozenset({"AWS/AutoScaling", "AWS/EC2"})


class AutoScalingGroupState(Model):
    """The group's sizes. Without `desired_capacity` a scaling policy decides it: it is neither compared nor put back."""

    min_size: int = Field(ge=0)
    max_size: int = Field(ge=0)
    desired_capacity: int | None = Field(ge=0)


class AutoScalingGroup(Restorable[AutoScalingGroupState]):
    """An Auto Scaling group. The service has no compare-and-set: a change is absolute, and preceded by a comparison."""

    cfn_type = "AWS::AutoScaling::AutoScalingGroup"
    state = AutoScalingGroupState
    reads = ()
    unscoped_reads = (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "autoscaling:DescribePolicies",
        *STACK_READS,
    )
    writes = ("autoscaling:UpdateAutoScalingGroup",)
    arns = ("arn:aws:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*",)

    def from_signal(self, signal: Signal) -> ResourceRef | None:
        """Return the group that an event names by ARN or an alarm by dimension; the dimension lacks the group's id."""
        for arn in signal.resources:
            if arn.split(":", 3)[2] == "autoscaling" and f":{_NAMED}" in arn:
                return ResourceRef(type=self.cfn_type, arn=arn)
        name = signal.metric.dimensions.get(_DIMENSION) if signal.metric else None
        arn = f"arn:aws:autoscaling:{signal.region}:{signal.account}:{_NO_ID}{name}"
        return ResourceRef(type=self.cfn_type, arn=arn) if name and is_arn(arn) else None

    def locate(self, ref: ResourceRef, aws: Aws) -> ResourceRef:
        """Return the group's full ARN, which holds an id that no alarm knows.

        The service looks groups up by name, so the answer is always one of ours, whoever was asked for.

        Raises:
            NotFound: there is none, or the one asked for by its id was replaced by another of that name.
            Refused: `foreign`, the one asked for is of another account or region.
        """
        found = ResourceRef(type=self.cfn_type, arn=str(_group(_name(ref), aws)["AutoScalingGroupARN"]))
        if (found.account, found.region) != (ref.account, ref.region):
            raise Refused("foreign", f"{ref.arn} is not in the account and region that Grace acts in")
        return found if ref.path.startswith(_NO_ID) else _same(ref, found.arn)

    def tags(self, ref: ResourceRef, aws: Aws) -> dict[str, str]:
        """Return the group's tags; raises `NotFound`."""
        return {tag["Key"]: tag["Value"] for tag in self.describe(ref, aws).get("Tags") or ()}

    def capture(self, ref: ResourceRef, aws: Aws) -> Captured[AutoScalingGroupState]:
        """Read the sizes; raises `NotFound`."""
        group = self.describe(ref, aws)
        governed = bool(self.active_policies(ref, aws))
        state = AutoScalingGroupState(
            min_size=group["MinSize"],
            max_size=group["MaxSize"],
            desired_capacity=None if governed else group["DesiredCapacity"],
        )
        return Captured(state)

    def restore(
        self, ref: ResourceRef, wanted: AutoScalingGroupState, now: Captured[AutoScalingGroupState], aws: Aws
    ) -> None:
        """Put the sizes back; instances that are gone are replaced by new ones, not brought back."""
        self.put(ref, wanted, aws)

    def put(self, ref: ResourceRef, wanted: AutoScalingGroupState, aws: Aws) -> None:
        """Set the sizes, absolute, in one call."""
        desired = {} if wanted.desired_capacity is None else {"DesiredCapacity": wanted.desired_capacity}
        aws.call(
            "autoscaling",
            "update_auto_scaling_group",
            AutoScalingGroupName=_name(ref),
            MinSize=wanted.min_size,
            MaxSize=wanted.max_size,
            **desired,
        )

    def in_progress(self, ref: ResourceRef, aws: Aws) -> str:
        """Return that instances are being replaced, launching is suspended, the group deleted or its stack deployed."""
        group, name = self.describe(ref, aws), _name(ref)
        if group.get("Status"):
            return f"the group {name} is being deleted ({group['Status']})"
        suspended = {each["ProcessName"] for each in group.get("SuspendedProcesses") or ()} & _NEEDED_PROCESSES
        if suspended:
            return f"somebody suspended {' and '.join(sorted(suspended))} of the group {name}"
        answer = aws.call("autoscaling", "describe_instance_refreshes", AutoScalingGroupName=name)
        running = [each["Status"] for each in answer["InstanceRefreshes"] if each["Status"] in _REFRESHING]
        if running:
            return f"an instance refresh of the group {name} is {running[0]}"
        return stack_in_progress(self.tags(ref, aws), aws)

    def dimensions(self, ref: ResourceRef, namespace: str) -> dict[str, str]:
        """Return the dimensions of the group; raises `Unobservable` where AWS publishes nothing of it."""
        if namespace not in _NAMESPACES:
            raise Unobservable(f"a group has no metrics in {namespace}: name the dimensions in the playbook")
        return {_DIMENSION: _name(ref)}

    def reach(self, ref: ResourceRef, aws: Aws) -> Reach:
        """Return how many instances it has, and what sends them traffic."""
        group = self.describe(ref, aws)
        fed = [arn.split(":", 5)[-1] for arn in group.get("TargetGroupARNs") or ()]
        fed += [f"loadbalancer/{name}" for name in group.get("LoadBalancerNames") or ()]
        return Reach(count=len(group.get("Instances") or ()), unit="instance", dependents=tuple(fed[:12]))

    def probe_function(self, ref: ResourceRef) -> str:
        """Raise `Unobservable`: a group cannot be called."""
        raise Unobservable(f"{ref.arn} is no function: name one for the invoke expectation")

    def describe(self, ref: ResourceRef, aws: Aws) -> dict[str, Any]:
        """Return the service's own description; raises `NotFound`, also for another group of the same name."""
        group = _group(_name(ref), aws)
        _same(ref, group["AutoScalingGroupARN"])
        return group

    def active_policies(self, ref: ResourceRef, aws: Aws) -> list[str]:
        """Return the names of the scaling policies that may change the desired capacity."""
        found: list[str] = []
        page: dict[str, str] = {}
        while True:
            answer = aws.call("autoscaling", "describe_policies", AutoScalingGroupName=_name(ref), **page)
            found += [str(each["PolicyName"]) for each in answer["ScalingPolicies"] if _acts(each)]
            if not answer.get("NextToken"):
                return found
            page = {"NextToken": answer["NextToken"]}


def _acts(policy: dict[str, Any]) -> bool:
    """Whether a policy changes anything: it is enabled, and does more than forecast."""
    mode = (policy.get("PredictiveScalingConfiguration") or {}).get("Mode", "ForecastOnly")
    forecasts_only = policy.get("PolicyType") == "PredictiveScaling" and mode == "ForecastOnly"
    return bool(policy.get("Enabled", True)) and not forecasts_only


def _same(ref: ResourceRef, arn: str) -> ResourceRef:
    if arn != ref.arn:
        raise NotFound(f"{ref.arn} was replaced by another group of that name")
    return ref


def _name(ref: ResourceRef) -> str:
    return ref.path.split(_NAMED, 1)[1]


def _group(name: str, aws: Aws) -> dict[str, Any]:
    groups = aws.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not groups:
        raise NotFound(f"there is no Auto Scaling group {name}")
    return dict(groups[0])


MEMBER = AutoScalingGroup
