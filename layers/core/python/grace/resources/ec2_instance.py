"""AWS::EC2::Instance: a machine that may be rebooted, which nothing can undo."""

from __future__ import annotations

from typing import Any, Literal

from grace.errors import BadRequest, NotFound, Unobservable
from grace.model.base import Model
from grace.model.resource import Reach, ResourceRef
from grace.model.signal import Signal
from grace.ports import Aws
from grace.resources._stacks import STACK_READS, stack_in_progress
from grace.resources.base import Captured, Restorable

_CHANGING = frozenset({"pending", "stopping", "shutting-down"})


class Ec2InstanceState(Model):
    """Whether it runs. No action sets anything here: the field tells whether an instance is as it was when captured."""

    state_name: Literal["pending", "running", "shutting-down", "stopping", "stopped"]


class Ec2Instance(Restorable[Ec2InstanceState]):
    """An EC2 instance. There is nothing to put back: every action on it declares `undo: none`."""

    cfn_type = "AWS::EC2::Instance"
    state = Ec2InstanceState
    reads = ()
    unscoped_reads = ("cloudtrail:LookupEvents", "ec2:DescribeInstances", *STACK_READS)
    writes = ()
    arns = ("arn:aws:ec2:{region}:{account}:instance/*",)

    def from_signal(self, signal: Signal) -> ResourceRef | None:
        """Return the first instance the signal names."""
        for arn in signal.resources:
            if arn.split(":", 3)[2] == "ec2" and arn.split(":", 5)[5].startswith("instance/i-"):
                return ResourceRef(type=self.cfn_type, arn=arn)
        return None

    def tags(self, ref: ResourceRef, aws: Aws) -> dict[str, str]:
        """Return the instance's tags; raises `NotFound`."""
        return {tag["Key"]: tag["Value"] for tag in _instance(ref, aws).get("Tags") or ()}

    def capture(self, ref: ResourceRef, aws: Aws) -> Captured[Ec2InstanceState]:
        """Read whether it runs; raises `NotFound`."""
        return Captured(Ec2InstanceState(state_name=_instance(ref, aws)["State"]["Name"]))

    def restore(self, ref: ResourceRef, wanted: Ec2InstanceState, now: Captured[Ec2InstanceState], aws: Aws) -> None:
        """Raise `BadRequest`: an instance's past cannot be put back."""
        raise BadRequest(f"{ref.arn} cannot be put back to {wanted.state_name}: nothing that acts on it can be undone")

    def in_progress(self, ref: ResourceRef, aws: Aws) -> str:
        """Return that the instance is starting or stopping, or that its stack is being deployed."""
        name = _instance(ref, aws)["State"]["Name"]
        if name in _CHANGING:
            return f"the instance {instance_id(ref)} is {name}"
        return stack_in_progress(self.tags(ref, aws), aws)

    def dimensions(self, ref: ResourceRef, namespace: str) -> dict[str, str]:
        """Return the dimensions of the instance in `AWS/EC2`; raises `Unobservable` for another namespace."""
        if namespace != "AWS/EC2":
            raise Unobservable(f"an instance has no known metrics in {namespace}: name the dimensions in the playbook")
        return {"InstanceId": instance_id(ref)}

    def reach(self, ref: ResourceRef, aws: Aws) -> Reach:
        """Return that it is one instance; who needs it EC2 does not know."""
        return Reach(count=1, unit="instance")

    def probe_function(self, ref: ResourceRef) -> str:
        """Raise `Unobservable`: an instance cannot be called this way."""
        raise Unobservable(f"{ref.arn} is no function: name one for the invoke expectation, or use http")


def instance_id(ref: ResourceRef) -> str:
    """Return the id in a reference to an instance."""
    return ref.path.removeprefix("instance/")


def _instance(ref: ResourceRef, aws: Aws) -> dict[str, Any]:
    """Return the service's own description. EC2 shows a terminated instance for a while; it is gone all the same."""
    answer = aws.call("ec2", "describe_instances", InstanceIds=[instance_id(ref)])
    found = [each for reservation in answer["Reservations"] for each in reservation["Instances"]]
    if not found or found[0]["State"]["Name"] == "terminated":
        raise NotFound(f"there is no instance {instance_id(ref)}")
    return dict(found[0])


MEMBER = Ec2Instance
