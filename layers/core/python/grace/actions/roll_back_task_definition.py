"""Run an earlier revision of an ECS service's task definition: the way back from a bad release."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from grace.actions._ecs import require_own_deployments
from grace.actions.base import Action
from grace.errors import NotFound, Refused
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.ecs_service import EcsService, EcsServiceState

PREVIOUS = "previous_revision"
TASK_DEFINITION = r"^arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/[A-Za-z0-9_-]{1,255}:[1-9][0-9]{0,9}$"


class RollBackTaskDefinitionRequest(Model):
    """What a playbook asks: `previous_revision`, or a revision's number in the same family."""

    to: str = Field(default=PREVIOUS, pattern=r"^(previous_revision|[1-9][0-9]{0,9})$")


class RollBackTaskDefinitionParameters(Model):
    """The ARN of the revision that the service will run."""

    to: str = Field(pattern=TASK_DEFINITION)


class RollBackTaskDefinition(Action[RollBackTaskDefinitionRequest, RollBackTaskDefinitionParameters, EcsServiceState]):
    """Set a service's task definition, absolute: the same again deploys nothing."""

    name = "roll_back_task_definition"
    on = "AWS::ECS::Service"
    effect = EffectClass.ABSOLUTE
    undo = Undo.RESTORE
    iam = ("ecs:UpdateService",)
    ask: ClassVar[type[Model]] = RollBackTaskDefinitionRequest
    parameters: ClassVar[type[Model]] = RollBackTaskDefinitionParameters

    def plan(
        self, ref: ResourceRef, before: Captured[EcsServiceState], ask: RollBackTaskDefinitionRequest, aws: Aws
    ) -> RollBackTaskDefinitionParameters:
        """Return the revision asked for; the previous one is the highest ACTIVE one of the family below the present.

        Raises:
            Refused: `nothing_to_do`, `no_previous_revision`, `no_such_revision`, `deployment_controller` or `task_roles`.
        """
        require_own_deployments(ref, aws)
        family, current = _split(before.state.task_definition)
        active = _active(family, aws)
        if ask.to == PREVIOUS:
            below = [number for number in active if number < current]
            if not below:
                raise Refused(
                    "no_previous_revision", f"{ref.arn} runs {family}:{current}, and no revision before it is active"
                )
            return self._to(active[max(below)], before, aws)
        if int(ask.to) == current:
            raise Refused("nothing_to_do", f"{ref.arn} runs {family}:{current} already")
        if int(ask.to) not in active:
            raise Refused("no_such_revision", f"{ref.arn} cannot run {family}:{ask.to}: it is not active")
        return self._to(active[int(ask.to)], before, aws)

    def _to(self, arn: str, before: Captured[EcsServiceState], aws: Aws) -> RollBackTaskDefinitionParameters:
        _require_no_roles(_definition(arn, aws))
        _require_no_roles(_definition(before.state.task_definition, aws))
        return RollBackTaskDefinitionParameters(to=arn)

    def check(
        self,
        ref: ResourceRef,
        before: Captured[EcsServiceState],
        parameters: RollBackTaskDefinitionParameters,
        aws: Aws,
    ) -> None:
        """Prove that the revision is still active and ECS itself rolls it out; raises `Refused`."""
        require_own_deployments(ref, aws)
        try:
            found = _definition(parameters.to, aws)
        except NotFound as exc:
            raise Refused("no_such_revision", f"{parameters.to} was deleted") from exc
        if found.get("status") != "ACTIVE":
            raise Refused("no_such_revision", f"{parameters.to} is {found.get('status')}: it cannot be run any more")

    def predict(self, before: EcsServiceState, parameters: RollBackTaskDefinitionParameters) -> EcsServiceState:
        """Return the service with that task definition."""
        return before.model_copy(update={"task_definition": parameters.to})

    def run(
        self,
        ref: ResourceRef,
        parameters: RollBackTaskDefinitionParameters,
        before: Captured[EcsServiceState],
        aws: Aws,
        token: str,
    ) -> None:
        """Set the task definition; ECS rolls it out while the contract settles."""
        EcsService().put(ref, self.predict(before.state, parameters), before, aws)

    def describe(self, parameters: RollBackTaskDefinitionParameters) -> str:
        """Return what will be done, in words."""
        return f"run {parameters.to.rsplit('/', 1)[1]}, rolled out by ECS"


def _definition(arn: str, aws: Aws) -> dict[str, Any]:
    return dict(aws.call("ecs", "describe_task_definition", taskDefinition=arn)["taskDefinition"])


def _require_no_roles(definition: dict[str, Any]) -> None:
    """Raise `Refused` (`task_roles`) for a revision whose tasks run under a role.

    ECS asks whoever sets a service to such a revision for `iam:PassRole` on the role, on the way back as well, and that
    no role of ours ever has. A revision never changes, so this is asked once.
    """
    roles = [str(definition[key]) for key in ("taskRoleArn", "executionRoleArn") if definition.get(key)]
    if roles:
        raise Refused(
            "task_roles",
            f"{definition['taskDefinitionArn']} runs under {' and '.join(roles)}: setting it needs iam:PassRole, which "
            "Grace never has: roll it back by hand",
        )


def _split(arn: str) -> tuple[str, int]:
    """Return family and revision of a task definition's ARN."""
    family, revision = arn.rsplit("/", 1)[-1].rsplit(":", 1)
    return family, int(revision)


def _active(family: str, aws: Aws) -> dict[int, str]:
    """Return the ARNs of the active revisions of a family by number."""
    found: dict[int, str] = {}
    page: dict[str, str] = {}
    while True:
        answer = aws.call("ecs", "list_task_definitions", familyPrefix=family, status="ACTIVE", **page)
        for arn in answer["taskDefinitionArns"]:
            of, revision = _split(arn)
            if of == family:
                found[revision] = arn
        if not answer.get("nextToken"):
            return found
        page = {"nextToken": answer["nextToken"]}


MEMBER = RollBackTaskDefinition
