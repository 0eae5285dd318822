"""Give a Lambda function another amount of memory, and with it CPU."""

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

LEAST, MOST = 128, 10240
"""Lambda's own bounds in MB (developer guide, "Configure Lambda function memory")."""


class SetMemoryRequest(Model):
    """What a playbook asks: so many MB, or a factor on what there is; `max` MB are never exceeded."""

    mb: int | None = Field(default=None, ge=LEAST, le=MOST)
    factor: float | None = Field(default=None, gt=1, le=8)
    max: int = Field(default=3008, ge=LEAST, le=MOST)

    @model_validator(mode="after")
    def _one_of(self) -> SetMemoryRequest:
        if (self.mb is None) == (self.factor is None):
            raise ValueError("give either mb or factor")
        return self


class SetMemoryParameters(Model):
    """The memory in MB that the function will have."""

    memory_size: int = Field(ge=LEAST, le=MOST)


class SetMemory(FunctionSetting[SetMemoryRequest, SetMemoryParameters]):
    """Set a function's memory. Its CPU share and its price per millisecond grow with it."""

    name = "set_memory"
    ask: ClassVar[type[Model]] = SetMemoryRequest
    parameters: ClassVar[type[Model]] = SetMemoryParameters

    def plan(
        self, ref: ResourceRef, before: Captured[LambdaFunctionState], ask: SetMemoryRequest, aws: Aws
    ) -> SetMemoryParameters:
        """Return the absolute size; raises `Refused` (`nothing_to_do`, `out_of_bounds`)."""
        now = before.state.memory_size
        value = grown(f"the memory of {ref.arn} in MB", now, to=ask.mb, factor=ask.factor, most=ask.max)
        return SetMemoryParameters(memory_size=value)

    def check(
        self, ref: ResourceRef, before: Captured[LambdaFunctionState], parameters: SetMemoryParameters, aws: Aws
    ) -> None:
        """Nothing beyond the type's own bounds can be asked beforehand: Lambda has no dry run for a configuration."""

    def predict(self, before: LambdaFunctionState, parameters: SetMemoryParameters) -> LambdaFunctionState:
        """Return the configuration with that memory."""
        return before.model_copy(update={"memory_size": parameters.memory_size})

    def describe(self, parameters: SetMemoryParameters) -> str:
        """Return what will be done, in words."""
        return f"set the function's memory to {parameters.memory_size} MB"


MEMBER = SetMemory
