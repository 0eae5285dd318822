"""Give a Lambda function more or less time for one call."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from grace.actions._bounds import grown
from grace.actions._lambda_config import FunctionSetting
from grace.model.base import Model
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.lambda_function import LambdaFunctionState

MOST = 900
"""Lambda's own bound in seconds (developer guide, "Configure Lambda function timeout")."""


class SetTimeoutRequest(Model):
    """What a playbook asks: so many seconds, or a factor on what there is; `max` seconds are never exceeded."""

    seconds: int | None = Field(default=None, ge=1, le=MOST)
    factor: float | None = Field(default=None, gt=1, le=8)
    max: int = Field(default=MOST, ge=1, le=MOST)

    @model_validator(mode="after")
    def _one_of(self) -> SetTimeoutRequest:
        if (self.seconds is None) == (self.factor is None):
            raise ValueError("give either seconds or factor")
        return self


class SetTimeoutParameters(Model):
    """The time in seconds that one call will have."""

    timeout: int = Field(ge=1, le=MOST)


class SetTimeout(FunctionSetting[SetTimeoutRequest, SetTimeoutParameters]):
    """Set a function's timeout. What calls it may have a shorter one, which this does not change."""

    name = "set_timeout"
    ask: ClassVar[type[Model]] = SetTimeoutRequest
    parameters: ClassVar[type[Model]] = SetTimeoutParameters

    def plan(
        self, ref: ResourceRef, before: Captured[LambdaFunctionState], ask: SetTimeoutRequest, aws: Aws
    ) -> SetTimeoutParameters:
        """Return the absolute time; raises `Refused` (`nothing_to_do`, `out_of_bounds`)."""
        now = before.state.timeout
        value = grown(f"the timeout of {ref.arn} in seconds", now, to=ask.seconds, factor=ask.factor, most=ask.max)
        return SetTimeoutParameters(timeout=value)

    def check(
        self, ref: ResourceRef, before: Captured[LambdaFunctionState], parameters: SetTimeoutParameters, aws: Aws
    ) -> None:
        """Nothing beyond the type's own bounds can be asked beforehand: Lambda has no dry run for a configuration."""

    def predict(self, before: LambdaFunctionState, parameters: SetTimeoutParameters) -> LambdaFunctionState:
        """Return the configuration with that timeout."""
        return before.model_copy(update={"timeout": parameters.timeout})

    def describe(self, parameters: SetTimeoutParameters) -> str:
        """Return what will be done, in words."""
        return f"set the function's timeout to {parameters.timeout} seconds"


MEMBER = SetTimeout
