"""Give an Auto Scaling group more or fewer instances."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from grace.actions._bounds import moved, removed, require_share
from grace.actions._prices import hourly_price
from grace.actions.base import Action
from grace.errors import Refused
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.auto_scaling_auto_scaling_group import AutoScalingGroup, AutoScalingGroupState
from grace.resources.base import Captured


class SetCapacityRequest(Model):
    """What a playbook asks: so many instances more (or fewer, negative), 3 at most.

    `max_fleet_share` is the share of the group that may change at once; one instance always may. Where a scaling
    policy is active nothing is done unless `with_scaling_policy` says so; then the group's minimum is moved, and the
    policy goes on deciding above it.
    """

    add: int = Field(ge=-3, le=3)
    max_fleet_share: float = Field(default=1.0, gt=0, le=1)
    with_scaling_policy: bool = False

    @field_validator("add")
    @classmethod
    def _changes(cls, add: int) -> int:
        if add == 0:
            raise ValueError("must not be 0")
        return add


class SetCapacityParameters(Model):
    """The sizes the group will have. `price` is that of one of its instances per hour in US dollars, when it is known."""

    min_size: int = Field(ge=0)
    max_size: int = Field(ge=0)
    desired_capacity: int | None = Field(ge=0)
    price: float | None = Field(default=None, ge=0)


class SetCapacity(Action[SetCapacityRequest, SetCapacityParameters, AutoScalingGroupState]):
    """Set a group's sizes, absolute, and never above its maximum or below its minimum."""

    name = "set_capacity"
    on = "AWS::AutoScaling::AutoScalingGroup"
    effect = EffectClass.ABSOLUTE
    undo = Undo.RESTORE
    iam = ("autoscaling:UpdateAutoScalingGroup",)
    ask: ClassVar[type[Model]] = SetCapacityRequest
    parameters: ClassVar[type[Model]] = SetCapacityParameters

    def plan(
        self, ref: ResourceRef, before: Captured[AutoScalingGroupState], ask: SetCapacityRequest, aws: Aws
    ) -> SetCapacityParameters:
        """Return the absolute sizes.

        Raises:
            Refused: `scaling_policy`, `at_maximum`, `at_minimum`, `fleet_share`, `nothing_to_do`.
        """
        state, what, kind = before.state, f"the capacity of {ref.arn}", AutoScalingGroup()
        if state.desired_capacity is None:
            return self._beside_policy(ref, state, ask, aws)
        value = moved(what, state.desired_capacity, add=ask.add, least=state.min_size, most=state.max_size)
        require_share(what, state.desired_capacity, value, ask.max_fleet_share)
        types = {each.get("InstanceType") for each in kind.describe(ref, aws).get("Instances") or ()}
        price = hourly_price(ref.region, str(types.pop())) if len(types) == 1 else None
        return SetCapacityParameters(
            min_size=state.min_size, max_size=state.max_size, desired_capacity=value, price=price
        )

    def _beside_policy(
        self, ref: ResourceRef, state: AutoScalingGroupState, ask: SetCapacityRequest, aws: Aws
    ) -> SetCapacityParameters:
        """Move the minimum: up from what runs now, so that there are more at once; down from where it is."""
        kind = AutoScalingGroup()
        if not ask.with_scaling_policy:
            policies = ", ".join(kind.active_policies(ref, aws))
            raise Refused(
                "scaling_policy",
                f"a scaling policy decides the capacity of {ref.arn} ({policies}): a playbook must say that it may act",
            )
        what, running = f"the minimum of {ref.arn}", int(kind.describe(ref, aws)["DesiredCapacity"])
        start = running if ask.add > 0 else state.min_size
        value = moved(what, start, add=ask.add, least=0, most=state.max_size)
        require_share(what, running, running + ask.add, ask.max_fleet_share)
        return SetCapacityParameters(min_size=value, max_size=state.max_size, desired_capacity=None)

    def check(
        self, ref: ResourceRef, before: Captured[AutoScalingGroupState], parameters: SetCapacityParameters, aws: Aws
    ) -> None:
        """Prove that the sizes still fit each other, and that nobody else decides them now; raises `Refused`."""
        if (parameters.desired_capacity is None) != (before.state.desired_capacity is None):
            raise Refused(
                "scaling_policy", f"scaling policies of {ref.arn} came or went since the contract was drafted"
            )
        wanted = parameters.min_size if parameters.desired_capacity is None else parameters.desired_capacity
        if not parameters.min_size <= wanted <= parameters.max_size:
            raise Refused(
                "out_of_bounds",
                f"{wanted} is not between {parameters.min_size} and {parameters.max_size}, the bounds of {ref.arn}",
            )

    def predict(self, before: AutoScalingGroupState, parameters: SetCapacityParameters) -> AutoScalingGroupState:
        """Return the group with these sizes."""
        return AutoScalingGroupState(
            min_size=parameters.min_size,
            max_size=parameters.max_size,
            desired_capacity=parameters.desired_capacity,
        )

    def run(
        self,
        ref: ResourceRef,
        parameters: SetCapacityParameters,
        before: Captured[AutoScalingGroupState],
        aws: Aws,
        token: str,
    ) -> None:
        """Set the sizes in one call."""
        AutoScalingGroup().put(ref, self.predict(before.state, parameters), aws)

    def describe(self, parameters: SetCapacityParameters) -> str:
        """Return what will be done, in words."""
        bounds = f"minimum {parameters.min_size}, maximum {parameters.max_size}"
        if parameters.desired_capacity is None:
            return f"set the group's bounds to {bounds}; its scaling policy decides between them"
        return f"set the group's desired capacity to {parameters.desired_capacity} ({bounds})"

    def removes(self, before: AutoScalingGroupState, parameters: SetCapacityParameters) -> int:
        """Return the share of the group's instances that go."""
        return removed(before.desired_capacity, parameters.desired_capacity)

    def cost_per_hour(self, before: AutoScalingGroupState, parameters: SetCapacityParameters) -> float | None:
        """Return instances more (or fewer) times the list price of one; None beside a policy or without a price."""
        if parameters.price is None or parameters.desired_capacity is None or before.desired_capacity is None:
            return None
        return round((parameters.desired_capacity - before.desired_capacity) * parameters.price, 4)


MEMBER = SetCapacity
