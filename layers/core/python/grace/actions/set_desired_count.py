"""Run more or fewer tasks of an ECS service."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from grace.actions._bounds import moved, removed, require_share
from grace.actions.base import Action
from grace.errors import Refused
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.ecs_service import EcsService, EcsServiceState


class SetDesiredCountRequest(Model):
    """What a playbook asks: so many tasks more (or fewer, negative), 3 at most, and never outside `min` and `max`.

    ECS itself has no bounds for a service without a scaling policy, so the playbook names them.
    """

    add: int = Field(ge=-3, le=3)
    min: int = Field(default=1, ge=1, le=5000)
    max: int = Field(ge=1, le=5000)
    max_fleet_share: float = Field(default=1.0, gt=0, le=1)

    @field_validator("add")
    @classmethod
    def _changes(cls, add: int) -> int:
        if add == 0:
            raise ValueError("must not be 0")
        return add


class SetDesiredCountParameters(Model):
    """How many tasks there will be."""

    desired_count: int = Field(ge=1, le=5000)


class SetDesiredCount(Action[SetDesiredCountRequest, SetDesiredCountParameters, EcsServiceState]):
    """Set a service's desired count, absolute: twice is the same as once."""

    name = "set_desired_count"
    on = "AWS::ECS::Service"
    effect = EffectClass.ABSOLUTE
    undo = Undo.RESTORE
    iam = ("ecs:UpdateService",)
    ask: ClassVar[type[Model]] = SetDesiredCountRequest
    parameters: ClassVar[type[Model]] = SetDesiredCountParameters

    def plan(
        self, ref: ResourceRef, before: Captured[EcsServiceState], ask: SetDesiredCountRequest, aws: Aws
    ) -> SetDesiredCountParameters:
        """Return the absolute count; raises `Refused` (`scaling_policy`, `at_maximum`, `at_minimum`, `fleet_share`)."""
        now, what = before.state.desired_count, f"the count of {ref.arn}"
        if now is None:
            raise Refused(
                "scaling_policy", f"a scaling policy or the daemon scheduler decides how many tasks {ref.arn} runs"
            )
        value = moved(what, now, add=ask.add, least=ask.min, most=ask.max)
        require_share(what, now, value, ask.max_fleet_share)
        return SetDesiredCountParameters(desired_count=value)

    def check(
        self, ref: ResourceRef, before: Captured[EcsServiceState], parameters: SetDesiredCountParameters, aws: Aws
    ) -> None:
        """Prove that nobody else decides the count now; raises `Refused` (`scaling_policy`)."""
        if before.state.desired_count is None:
            raise Refused("scaling_policy", f"{ref.arn} got a scaling policy since the contract was drafted")

    def predict(self, before: EcsServiceState, parameters: SetDesiredCountParameters) -> EcsServiceState:
        """Return the service with that count."""
        return before.model_copy(update={"desired_count": parameters.desired_count})

    def run(
        self,
        ref: ResourceRef,
        parameters: SetDesiredCountParameters,
        before: Captured[EcsServiceState],
        aws: Aws,
        token: str,
    ) -> None:
        """Set the count."""
        EcsService().put(ref, self.predict(before.state, parameters), before, aws)

    def describe(self, parameters: SetDesiredCountParameters) -> str:
        """Return what will be done, in words."""
        return f"set the service's desired count to {parameters.desired_count} tasks"

    def removes(self, before: EcsServiceState, parameters: SetDesiredCountParameters) -> int:
        """Return the share of the service's tasks that go."""
        return removed(before.desired_count, parameters.desired_count)


MEMBER = SetDesiredCount
