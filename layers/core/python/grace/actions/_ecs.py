"""What the actions on an ECS service have in common."""

from __future__ import annotations

from grace.errors import Refused
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.ecs_service import EcsService


def require_own_deployments(ref: ResourceRef, aws: Aws) -> None:
    """Raise `Refused` (`deployment_controller`) when another service than ECS itself rolls out this one."""
    controller = (EcsService().describe(ref, aws).get("deploymentController") or {}).get("type", "ECS")
    if controller != "ECS":
        raise Refused("deployment_controller", f"{controller} rolls out {ref.arn}: start its deployment there")
