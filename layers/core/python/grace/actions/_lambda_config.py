"""What the actions on a function's configuration have in common: one write, by comparison and set."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from grace.actions.base import Action
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.lambda_function import LambdaFunction, LambdaFunctionState

A = TypeVar("A", bound=Model)
P = TypeVar("P", bound=Model)


class FunctionSetting(Action[A, P, LambdaFunctionState]):
    """One setting in a function's configuration. Lambda refuses it when the function's `RevisionId` has changed."""

    on: ClassVar[str] = "AWS::Lambda::Function"
    effect: ClassVar[EffectClass] = EffectClass.COMPARE_AND_SET
    undo: ClassVar[Undo] = Undo.RESTORE
    iam: ClassVar[tuple[str, ...]] = ("lambda:UpdateFunctionConfiguration",)

    def run(self, ref: ResourceRef, parameters: P, before: Captured[LambdaFunctionState], aws: Aws, token: str) -> None:
        """Set it, if the function is still as it was read; nothing else is sent."""
        LambdaFunction().put(ref, self.predict(before.state, parameters), before, aws)
