"""Reserve another number of concurrent calls for a Lambda function: more when it is throttled, fewer to shield others."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from grace.actions._bounds import moved
from grace.actions.base import Action
from grace.errors import Refused
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.lambda_function import LambdaFunction, LambdaFunctionState

KEPT_UNRESERVED = 100
"""What Lambda keeps for functions without a reservation (developer guide, "Configuring reserved concurrency")."""


class SetReservedConcurrencyRequest(Model):
    """What a playbook asks: so many, or so many more (or fewer, negative); `max` is never exceeded."""

    to: int | None = Field(default=None, ge=1, le=10000)
    add: int | None = Field(default=None, ge=-1000, le=1000)
    max: int = Field(default=1000, ge=1, le=10000)

    @model_validator(mode="after")
    def _one_of(self) -> SetReservedConcurrencyRequest:
        if (self.to is None) == (self.add is None) or self.add == 0:
            raise ValueError("give either to, or add other than 0")
        return self


class SetReservedConcurrencyParameters(Model):
    """The reservation the function will have. Never 0, which would stop it."""

    reserved_concurrency: int = Field(ge=1, le=10000)


class SetReservedConcurrency(
    Action[SetReservedConcurrencyRequest, SetReservedConcurrencyParameters, LambdaFunctionState]
):
    """Set a function's reserved concurrency, absolute: the call has no compare-and-set, and twice is the same as once."""

    name = "set_reserved_concurrency"
    on = "AWS::Lambda::Function"
    effect = EffectClass.ABSOLUTE
    undo = Undo.RESTORE
    iam = ("lambda:PutFunctionConcurrency",)
    ask: ClassVar[type[Model]] = SetReservedConcurrencyRequest
    parameters: ClassVar[type[Model]] = SetReservedConcurrencyParameters

    def plan(
        self,
        ref: ResourceRef,
        before: Captured[LambdaFunctionState],
        ask: SetReservedConcurrencyRequest,
        aws: Aws,
    ) -> SetReservedConcurrencyParameters:
        """Return the absolute reservation.

        Raises:
            Refused: `unreserved`, `nothing_to_do`, `out_of_bounds`, `at_maximum`, `at_minimum`.
        """
        now, what = before.state.reserved_concurrency, f"the reserved concurrency of {ref.arn}"
        if ask.add is not None:
            if now is None:
                raise Refused("unreserved", f"{ref.arn} has no reserved concurrency to change: say to how many")
            return SetReservedConcurrencyParameters(
                reserved_concurrency=moved(what, now, add=ask.add, least=1, most=ask.max)
            )
        value = int(ask.to or 0)
        if value > ask.max:
            raise Refused("out_of_bounds", f"{what} may be {ask.max} at most, {value} was asked for")
        if value == now:
            raise Refused("nothing_to_do", f"{what} is {now} already")
        return SetReservedConcurrencyParameters(reserved_concurrency=value)

    def check(
        self,
        ref: ResourceRef,
        before: Captured[LambdaFunctionState],
        parameters: SetReservedConcurrencyParameters,
        aws: Aws,
    ) -> None:
        """Prove that the account has that many to reserve; raises `Refused` (`quota`)."""
        limit = aws.call("lambda", "get_account_settings")["AccountLimit"]["UnreservedConcurrentExecutions"]
        left = int(limit) + (before.state.reserved_concurrency or 0) - parameters.reserved_concurrency
        if left < KEPT_UNRESERVED:
            raise Refused(
                "quota",
                f"reserving {parameters.reserved_concurrency} for {ref.arn} would leave {left} unreserved in the "
                f"account, and Lambda keeps {KEPT_UNRESERVED}",
            )

    def predict(self, before: LambdaFunctionState, parameters: SetReservedConcurrencyParameters) -> LambdaFunctionState:
        """Return the configuration with that reservation."""
        return before.model_copy(update={"reserved_concurrency": parameters.reserved_concurrency})

    def run(
        self,
        ref: ResourceRef,
        parameters: SetReservedConcurrencyParameters,
        before: Captured[LambdaFunctionState],
        aws: Aws,
        token: str,
    ) -> None:
        """Reserve that many."""
        LambdaFunction().put(ref, self.predict(before.state, parameters), before, aws)

    def describe(self, parameters: SetReservedConcurrencyParameters) -> str:
        """Return what will be done, in words."""
        return f"reserve {parameters.reserved_concurrency} concurrent calls for the function"

    def cost_per_hour(self, before: LambdaFunctionState, parameters: SetReservedConcurrencyParameters) -> float | None:
        """Return 0: a reservation is free, only calls are paid for (Lambda pricing)."""
        return 0.0


MEMBER = SetReservedConcurrency
