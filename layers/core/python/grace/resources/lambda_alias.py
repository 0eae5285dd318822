"""AWS::Lambda::Alias: which version of a function its callers get."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from grace.errors import Unobservable
from grace.model.base import Model
from grace.model.resource import Reach, ResourceRef
from grace.model.signal import Signal
from grace.ports import Aws
from grace.resources._lambda import (
    CALLER_READS,
    FUNCTION_ARNS,
    UNSCOPED_CALLER_READS,
    callers,
    function_and_alias,
    function_tags,
    names,
    update_in_progress,
)
from grace.resources._stacks import STACK_READS, stack_in_progress
from grace.resources.base import Captured, Restorable


class LambdaAliasState(Model):
    """Where the alias points. `additional_version_weights` is the share (0 to 1) of calls that other versions get."""

    function_version: str = Field(pattern=r"^(\$LATEST|[0-9]{1,20})$")
    additional_version_weights: dict[str, float] = Field(default_factory=dict, max_length=2)


class LambdaAlias(Restorable[LambdaAliasState]):
    """An alias of a Lambda function. Its revision is Lambda's `RevisionId`; its tags are the function's."""

    cfn_type = "AWS::Lambda::Alias"
    state = LambdaAliasState
    reads = (
        "lambda:GetAlias",
        "lambda:GetFunctionConfiguration",
        "lambda:ListTags",
        "lambda:ListVersionsByFunction",
        *CALLER_READS,
    )
    unscoped_reads = (*UNSCOPED_CALLER_READS, *STACK_READS)
    writes = ("lambda:UpdateAlias",)
    arns: ClassVar[tuple[str, ...]] = FUNCTION_ARNS

    def from_signal(self, signal: Signal) -> ResourceRef | None:
        """Return the first alias the signal names; ingest puts the dimension `Resource` (`shop:live`) there, too."""
        for arn in signal.resources:
            if arn.split(":", 3)[2] == "lambda":
                found = function_and_alias(arn.split(":", 5)[5])
                if found and found[1]:
                    return ResourceRef(type=self.cfn_type, arn=arn)
        return None

    def tags(self, ref: ResourceRef, aws: Aws) -> dict[str, str]:
        """Return the tags of the alias's function; raises `NotFound`."""
        return function_tags(ref, aws)

    def capture(self, ref: ResourceRef, aws: Aws) -> Captured[LambdaAliasState]:
        """Read where the alias points; raises `NotFound`."""
        function, alias = names(ref)
        found = aws.call("lambda", "get_alias", FunctionName=function, Name=alias)
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        state = LambdaAliasState(function_version=found["FunctionVersion"], additional_version_weights=weights)
        return Captured(state, revision=str(found["RevisionId"]))

    def restore(self, ref: ResourceRef, wanted: LambdaAliasState, now: Captured[LambdaAliasState], aws: Aws) -> None:
        """Point the alias where it pointed; raises `Mismatch` when it was changed since `now` was read."""
        self.put(ref, wanted, now, aws)

    def put(self, ref: ResourceRef, wanted: LambdaAliasState, now: Captured[LambdaAliasState], aws: Aws) -> None:
        """Make it so, if the alias is still as it was read; raises `Mismatch` when it is not."""
        function, alias = names(ref)
        aws.call(
            "lambda",
            "update_alias",
            FunctionName=function,
            Name=alias,
            FunctionVersion=wanted.function_version,
            RoutingConfig={"AdditionalVersionWeights": dict(wanted.additional_version_weights)},
            RevisionId=now.revision,
        )

    def in_progress(self, ref: ResourceRef, aws: Aws) -> str:
        """Return that the stack, the function or a gradual release is moving; weights on an alias are a release."""
        function, alias = names(ref)
        weights = self.capture(ref, aws).state.additional_version_weights
        if weights:
            shares = ", ".join(f"{share:.0%} to version {version}" for version, share in sorted(weights.items()))
            return f"a gradual release is running on {function}:{alias} ({shares})"
        return update_in_progress(function, aws) or stack_in_progress(self.tags(ref, aws), aws)

    def dimensions(self, ref: ResourceRef, namespace: str) -> dict[str, str]:
        """Return the dimensions of the alias in `AWS/Lambda`; raises `Unobservable` for another namespace."""
        if namespace != "AWS/Lambda":
            raise Unobservable(f"an alias has no metrics in {namespace}: name the dimensions in the playbook")
        function, alias = names(ref)
        return {"FunctionName": function, "Resource": f"{function}:{alias}"}

    def reach(self, ref: ResourceRef, aws: Aws) -> Reach:
        """Return who calls it."""
        return callers(ref, aws)

    def probe_function(self, ref: ResourceRef) -> str:
        """Return the alias's own ARN: what is called is what its callers get."""
        return ref.arn


MEMBER = LambdaAlias
