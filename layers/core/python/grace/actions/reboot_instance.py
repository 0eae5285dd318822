"""Reboot an EC2 instance."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from grace.actions.base import Action
from grace.errors import Refused
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.ec2_instance import Ec2InstanceState, instance_id


class RebootInstanceRequest(Model):
    """A playbook has nothing to choose."""


class RebootInstanceParameters(Model):
    """The instance that will be rebooted."""

    instance_id: str = Field(pattern=r"^i-[0-9a-f]{8,17}$")


class RebootInstance(Action[RebootInstanceRequest, RebootInstanceParameters, Ec2InstanceState]):
    """Reboot an instance. Nothing protects it from being done twice, and nothing undoes it.

    Preflight cannot use EC2's dry run: it would have to be asked with the authority to reboot, which only the door
    that acts has. The permission is proved by simulation instead.
    """

    name = "reboot_instance"
    on = "AWS::EC2::Instance"
    effect = EffectClass.ONCE
    undo = Undo.NONE
    iam = ("ec2:RebootInstances",)
    ask: ClassVar[type[Model]] = RebootInstanceRequest
    parameters: ClassVar[type[Model]] = RebootInstanceParameters

    def plan(
        self, ref: ResourceRef, before: Captured[Ec2InstanceState], ask: RebootInstanceRequest, aws: Aws
    ) -> RebootInstanceParameters:
        """Return the instance; raises `Refused` (`not_running`)."""
        _require_running(ref, before)
        return RebootInstanceParameters(instance_id=instance_id(ref))

    def check(
        self, ref: ResourceRef, before: Captured[Ec2InstanceState], parameters: RebootInstanceParameters, aws: Aws
    ) -> None:
        """Prove that the instance still runs; raises `Refused` (`not_running`)."""
        _require_running(ref, before)

    def predict(self, before: Ec2InstanceState, parameters: RebootInstanceParameters) -> Ec2InstanceState:
        """Return the same state: to EC2 a rebooting instance is running."""
        return before

    def run(
        self,
        ref: ResourceRef,
        parameters: RebootInstanceParameters,
        before: Captured[Ec2InstanceState],
        aws: Aws,
        token: str,
    ) -> None:
        """Ask for the reboot; EC2 queues it and answers at once."""
        aws.call("ec2", "reboot_instances", InstanceIds=[parameters.instance_id])

    def happened(self, ref: ResourceRef, since: datetime, aws: Aws) -> bool | None:
        """Return True when CloudTrail knows of an accepted reboot since then.

        None otherwise: CloudTrail tells of a call only minutes later, and nothing else tells of it at all, since
        neither state nor launch time change.
        """
        answer = aws.call(
            "cloudtrail",
            "lookup_events",
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": instance_id(ref)}],
            StartTime=since,
        )
        seen = any(_is_reboot(event, since) for event in answer.get("Events") or ())
        return True if seen else None

    def describe(self, parameters: RebootInstanceParameters) -> str:
        """Return what will be done, in words."""
        return f"reboot the instance {parameters.instance_id}"


def _is_reboot(event: dict[str, object], since: datetime) -> bool:
    """Whether an event is a reboot that was accepted: CloudTrail also records the refused ones, with an error code."""
    at = event.get("EventTime")
    accepted = '"errorCode"' not in str(event.get("CloudTrailEvent", ""))
    return event.get("EventName") == "RebootInstances" and accepted and isinstance(at, datetime) and at >= since


def _require_running(ref: ResourceRef, before: Captured[Ec2InstanceState]) -> None:
    if before.state.state_name != "running":
        raise Refused("not_running", f"{ref.arn} is {before.state.state_name}: only a running instance can be rebooted")


MEMBER = RebootInstance
