"""ECS services in memory: a change of the task definition, or a forced one, is a deployment that takes its time."""

# ruff: noqa: N803  the arguments have boto3's names
from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from grace.errors import BadRequest, NotFound
from tests.support.effects import Effects, Handlers

DEPLOY_SECONDS = 45


class Containers:
    """Services by cluster and name, and the revisions of their task definitions."""

    def __init__(self, account: str, region: str, now: Callable[[], datetime], effects: Effects) -> None:
        self.prefix = f"arn:aws:ecs:{region}:{account}:"
        self.services: dict[tuple[str, str], dict[str, Any]] = {}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.effects = effects
        self._now = now
        self._deployments = 0

    def service(self, cluster: str, name: str, *, tags: dict[str, str], revisions: int, desired: int) -> str:
        """Add a service that runs the newest of so many revisions, deployed long ago; return its ARN."""
        for number in range(1, revisions + 1):
            arn = f"{self.prefix}task-definition/{name}:{number}"
            self.definitions[arn] = {"family": name, "revision": number, "status": "ACTIVE"}
        self.services[cluster, name] = {
            "tags": tags,
            "definition": f"{self.prefix}task-definition/{name}:{revisions}",
            "desired": desired,
            "policies": [],
            "deployments": [],
        }
        self._deploy(self.services[cluster, name], since=self._now() - timedelta(days=1))
        return f"{self.prefix}service/{cluster}/{name}"

    def handlers(self) -> Handlers:
        """Return what `MemoryAws` answers with."""
        return {
            ("ecs", "describe_services"): self.describe,
            ("ecs", "list_tags_for_resource"): self.list_tags,
            ("ecs", "update_service"): self.update,
            ("ecs", "list_task_definitions"): self.list_definitions,
            ("ecs", "describe_task_definition"): self.describe_definition,
            ("application-autoscaling", "describe_scaling_policies"): self.scaling_policies,
        }

    def describe(self, cluster: str, services: Sequence[str], include: Sequence[str] = ()) -> dict[str, Any]:
        found = [(name, self.services[cluster, name]) for name in services if (cluster, name) in self.services]
        shown = [self._shown(cluster, name, each) for name, each in found]
        if "TAGS" in include:
            for (_, each), document in zip(found, shown, strict=True):
                document["tags"] = [{"key": key, "value": value} for key, value in each["tags"].items()]
        return {"services": shown}

    def list_tags(self, resourceArn: str) -> dict[str, Any]:
        _, cluster, name = resourceArn.split("/")
        return {"tags": [{"key": key, "value": value} for key, value in self._service(cluster, name)["tags"].items()]}

    def update(
        self,
        cluster: str,
        service: str,
        taskDefinition: str | None = None,
        desiredCount: int | None = None,
        forceNewDeployment: bool = False,
        **other: Any,
    ) -> dict[str, Any]:
        found = self._service(cluster, service)
        if other:
            raise BadRequest(f"InvalidParameterException: {sorted(other)} are not known here")
        if taskDefinition is not None and self._definition(taskDefinition)["status"] != "ACTIVE":
            raise BadRequest(f"ClientException: {taskDefinition} is inactive")
        if desiredCount is not None:
            if not 0 <= desiredCount <= 5000:
                raise BadRequest("InvalidParameterException: desiredCount is out of bounds")
            found["desired"] = desiredCount
        changed = taskDefinition is not None and taskDefinition != found["definition"]
        found["definition"] = taskDefinition or found["definition"]
        if changed or forceNewDeployment:
            self._deploy(found, since=self._now())
        self.effects.note("ecs", "update_service", f"{cluster}/{service}")
        return {"service": self._shown(cluster, service, found)}

    def list_definitions(
        self, familyPrefix: str = "", status: str = "ACTIVE", sort: str = "ASC", **_: Any
    ) -> dict[str, Any]:
        found = [
            (each["revision"], arn)
            for arn, each in self.definitions.items()
            if each["family"] == familyPrefix and each["status"] == status
        ]
        return {"taskDefinitionArns": [arn for _, arn in sorted(found, reverse=sort == "DESC")]}

    def describe_definition(self, taskDefinition: str, **_: Any) -> dict[str, Any]:
        arn = taskDefinition if taskDefinition.startswith("arn:") else f"{self.prefix}task-definition/{taskDefinition}"
        return {"taskDefinition": {"taskDefinitionArn": arn, **self._definition(arn)}}

    def scaling_policies(self, ServiceNamespace: str, ResourceId: str, **_: Any) -> dict[str, Any]:
        cluster, name = ResourceId.split("/")[1:]
        return {"ScalingPolicies": list(self._service(cluster, name)["policies"])}

    def _deploy(self, service: dict[str, Any], since: datetime) -> None:
        self._deployments += 1
        service["deployments"] = [
            {"id": f"ecs-svc/{self._deployments:019d}", "definition": service["definition"], "since": since},
            *service["deployments"][:1],
        ]

    def _shown(self, cluster: str, name: str, service: dict[str, Any]) -> dict[str, Any]:
        newest, *older = service["deployments"]
        rolling = self._now() < newest["since"] + timedelta(seconds=DEPLOY_SECONDS)
        shown = [self._deployment(newest, service, "PRIMARY", "IN_PROGRESS" if rolling else "COMPLETED")]
        if rolling:
            shown += [self._deployment(each, service, "ACTIVE", "COMPLETED") for each in older]
        return {
            "serviceArn": f"{self.prefix}service/{cluster}/{name}",
            "serviceName": name,
            "clusterArn": f"{self.prefix}cluster/{cluster}",
            "status": "ACTIVE",
            "schedulingStrategy": "REPLICA",
            "taskDefinition": service["definition"],
            "desiredCount": service["desired"],
            "runningCount": service["desired"],
            "pendingCount": 0,
            "deployments": shown,
            "deploymentController": {"type": "ECS"},
            "createdAt": newest["since"],
        }

    @staticmethod
    def _deployment(each: dict[str, Any], service: dict[str, Any], status: str, state: str) -> dict[str, Any]:
        return {
            "id": each["id"],
            "status": status,
            "rolloutState": state,
            "taskDefinition": each["definition"],
            "desiredCount": service["desired"],
            "createdAt": each["since"],
            "updatedAt": each["since"],
        }

    def _service(self, cluster: str, name: str) -> dict[str, Any]:
        if (cluster, name) not in self.services:
            raise NotFound(f"ServiceNotFoundException: {cluster}/{name}")
        return self.services[cluster, name]

    def _definition(self, arn: str) -> dict[str, Any]:
        if arn not in self.definitions:
            raise NotFound("ClientException: Unable to describe task definition.")
        return self.definitions[arn]
