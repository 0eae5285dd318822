"""Point a Lambda alias at another published version: the way back from a bad release."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from grace.actions.base import Action
from grace.errors import Refused
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.lambda_alias import LambdaAlias, LambdaAliasState

PREVIOUS = "previous_version"


class ShiftAliasRequest(Model):
    """What a playbook asks: `previous_version`, or a version's number."""

    to: str = Field(default=PREVIOUS, pattern=r"^(previous_version|[1-9][0-9]{0,19})$")


class ShiftAliasParameters(Model):
    """The version the alias will point at, alone."""

    to: str = Field(pattern=r"^[1-9][0-9]{0,19}$")


class ShiftAlias(Action[ShiftAliasRequest, ShiftAliasParameters, LambdaAliasState]):
    """Point an alias at another published version. Lambda refuses it when the alias's `RevisionId` has changed."""

    name = "shift_alias"
    on = "AWS::Lambda::Alias"
    effect = EffectClass.COMPARE_AND_SET
    undo = Undo.RESTORE
    iam = ("lambda:UpdateAlias",)
    ask: ClassVar[type[Model]] = ShiftAliasRequest
    parameters: ClassVar[type[Model]] = ShiftAliasParameters

    def plan(
        self, ref: ResourceRef, before: Captured[LambdaAliasState], ask: ShiftAliasRequest, aws: Aws
    ) -> ShiftAliasParameters:
        """Return the version asked for; the previous one is the highest published below the present.

        Raises:
            Refused: `nothing_to_do`, `no_previous_version` or `no_such_version`.
        """
        current = before.state.function_version
        published = _published(ref, aws)
        if ask.to == PREVIOUS:
            below = [number for number in published if current.isdigit() and number < int(current)]
            if not below:
                raise Refused(
                    "no_previous_version", f"{ref.arn} is at version {current} and none is published before it"
                )
            return ShiftAliasParameters(to=str(max(below)))
        if ask.to == current:
            raise Refused("nothing_to_do", f"{ref.arn} is at version {current} already")
        if int(ask.to) not in published:
            raise Refused("no_such_version", f"{ref.arn} cannot go to version {ask.to}: it is not published")
        return ShiftAliasParameters(to=ask.to)

    def check(
        self, ref: ResourceRef, before: Captured[LambdaAliasState], parameters: ShiftAliasParameters, aws: Aws
    ) -> None:
        """Prove that the version still exists and can be called; raises `Refused`."""
        function = _function(ref)
        if int(parameters.to) not in _published(ref, aws):
            raise Refused("no_such_version", f"{ref.arn} cannot go to version {parameters.to}: it was deleted")
        found = aws.call("lambda", "get_function_configuration", FunctionName=function, Qualifier=parameters.to)
        if found.get("State", "Active") not in {"Active", "Inactive"}:
            why = found.get("StateReason") or "no reason given"
            raise Refused("version_not_active", f"version {parameters.to} of {function} is {found['State']}: {why}")

    def predict(self, before: LambdaAliasState, parameters: ShiftAliasParameters) -> LambdaAliasState:
        """Return the alias at that version, with no share of calls going elsewhere."""
        return LambdaAliasState(function_version=parameters.to)

    def run(
        self,
        ref: ResourceRef,
        parameters: ShiftAliasParameters,
        before: Captured[LambdaAliasState],
        aws: Aws,
        token: str,
    ) -> None:
        """Point the alias at the version, if it is still as it was read."""
        LambdaAlias().put(ref, self.predict(before.state, parameters), before, aws)

    def describe(self, parameters: ShiftAliasParameters) -> str:
        """Return what will be done, in words."""
        return f"point the alias at version {parameters.to}, for all calls"


def _function(ref: ResourceRef) -> str:
    return ref.path.split(":")[1]


def _published(ref: ResourceRef, aws: Aws) -> set[int]:
    """Return the numbers of all published versions."""
    found: set[int] = set()
    page: dict[str, str] = {}
    while True:
        answer = aws.call("lambda", "list_versions_by_function", FunctionName=_function(ref), **page)
        found |= {int(each["Version"]) for each in answer["Versions"] if each["Version"].isdigit()}
        if not answer.get("NextMarker"):
            return found
        page = {"Marker": answer["NextMarker"]}


MEMBER = ShiftAlias
