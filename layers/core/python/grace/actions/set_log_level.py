"""Change how much a Lambda function logs, for a limited time."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from grace.actions._lambda_config import FunctionSetting
from grace.errors import Refused
from grace.model.base import Model
from grace.model.playbook import Duration
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.lambda_function import LambdaFunctionState

Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
_SAME = {"WARNING": "WARN"}


class SetLogLevelRequest(Model):
    """What a playbook asks: a level, and for how long: `ttl` is 1 to 120 minutes, 15 unless told."""

    level: Level
    ttl: Duration = Field(default=900, ge=60, le=7200)


class SetLogLevelParameters(Model):
    """The level, and after how many seconds the one from before is put back."""

    level: Level
    ttl: int = Field(ge=60, le=7200)


class SetLogLevel(FunctionSetting[SetLogLevelRequest, SetLogLevelParameters]):
    """Set a function's log level where it is set already: in its logging configuration (JSON), or in its variable."""

    name = "set_log_level"
    ask: ClassVar[type[Model]] = SetLogLevelRequest
    parameters: ClassVar[type[Model]] = SetLogLevelParameters

    def plan(
        self, ref: ResourceRef, before: Captured[LambdaFunctionState], ask: SetLogLevelRequest, aws: Aws
    ) -> SetLogLevelParameters:
        """Return level and time to live; raises `Refused` (`no_log_level`, `nothing_to_do`)."""
        now = before.state.log_level
        if now is None:
            raise Refused(
                "no_log_level",
                f"{ref.arn} logs text and has neither POWERTOOLS_LOG_LEVEL nor LOG_LEVEL: there is no level to set",
            )
        if _SAME.get(now.upper(), now.upper()) == ask.level:
            raise Refused("nothing_to_do", f"{ref.arn} logs at {now} already")
        return SetLogLevelParameters(level=ask.level, ttl=ask.ttl)

    def check(
        self, ref: ResourceRef, before: Captured[LambdaFunctionState], parameters: SetLogLevelParameters, aws: Aws
    ) -> None:
        """Prove that there still is a place the level is set in; raises `Refused` (`no_log_level`)."""
        if not before.state.log_level_in:
            raise Refused("no_log_level", f"{ref.arn} has no log level any more")

    def predict(self, before: LambdaFunctionState, parameters: SetLogLevelParameters) -> LambdaFunctionState:
        """Return the configuration with that level, in the same place."""
        return before.model_copy(update={"log_level": parameters.level})

    def lasts(self, parameters: SetLogLevelParameters) -> int | None:
        """Return the time to live."""
        return parameters.ttl

    def describe(self, parameters: SetLogLevelParameters) -> str:
        """Return what will be done, in words."""
        return f"set the function's log level to {parameters.level} for {parameters.ttl // 60} minutes"


MEMBER = SetLogLevel
