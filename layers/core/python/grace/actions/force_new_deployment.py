"""Replace all tasks of an ECS service by new ones of the same task definition."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from grace.actions._ecs import require_own_deployments
from grace.actions.base import Action
from grace.errors import Refused
from grace.model.base import Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured
from grace.resources.ecs_service import EcsService, EcsServiceState, names


class ForceNewDeploymentRequest(Model):
    """A playbook has nothing to choose."""


class ForceNewDeploymentParameters(Model):
    """The task definition that the new tasks run: the one the service has."""

    task_definition: str


class ForceNewDeployment(Action[ForceNewDeploymentRequest, ForceNewDeploymentParameters, EcsServiceState]):
    """Start a deployment that changes nothing. Every call starts another one, so after a lost answer only look."""

    name = "force_new_deployment"
    on = "AWS::ECS::Service"
    effect = EffectClass.ONCE
    undo = Undo.NONE
    iam = ("ecs:UpdateService",)
    ask: ClassVar[type[Model]] = ForceNewDeploymentRequest
    parameters: ClassVar[type[Model]] = ForceNewDeploymentParameters

    def plan(
        self, ref: ResourceRef, before: Captured[EcsServiceState], ask: ForceNewDeploymentRequest, aws: Aws
    ) -> ForceNewDeploymentParameters:
        """Return the present task definition; raises `Refused` (`no_tasks`, `deployment_controller`)."""
        require_own_deployments(ref, aws)
        if before.state.desired_count == 0:
            raise Refused("no_tasks", f"{ref.arn} is set to run no tasks: there is nothing to replace")
        return ForceNewDeploymentParameters(task_definition=before.state.task_definition)

    def check(
        self, ref: ResourceRef, before: Captured[EcsServiceState], parameters: ForceNewDeploymentParameters, aws: Aws
    ) -> None:
        """Prove that ECS itself rolls out the service; raises `Refused`."""
        require_own_deployments(ref, aws)

    def predict(self, before: EcsServiceState, parameters: ForceNewDeploymentParameters) -> EcsServiceState:
        """Return the same state: only the tasks are new."""
        return before

    def run(
        self,
        ref: ResourceRef,
        parameters: ForceNewDeploymentParameters,
        before: Captured[EcsServiceState],
        aws: Aws,
        token: str,
    ) -> None:
        """Start the deployment."""
        cluster, service = names(ref)
        aws.call("ecs", "update_service", cluster=cluster, service=service, forceNewDeployment=True)

    def happened(self, ref: ResourceRef, since: datetime, aws: Aws) -> bool | None:
        """Return True when a deployment was created since then, and None otherwise: one may be about to show."""
        deployments = EcsService().describe(ref, aws).get("deployments") or ()
        return True if any(each["createdAt"] >= since for each in deployments) else None

    def describe(self, parameters: ForceNewDeploymentParameters) -> str:
        """Return what will be done, in words."""
        return f"replace all tasks by new ones of {parameters.task_definition.rsplit('/', 1)[-1]}"


MEMBER = ForceNewDeployment
