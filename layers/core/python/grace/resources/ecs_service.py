"""AWS::ECS::Service: which task definition a service runs, and how many tasks of it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from grace.errors import NotFound, Unobservable
from grace.model.base import Model
from grace.model.resource import Reach, ResourceRef
from grace.model.signal import Signal
from grace.ports import Aws
from grace.resources._stacks import STACK_READS, stack_in_progress
from grace.resources.base import Captured, Restorable

_NAMESPACES = frozenset({"AWS/ECS", "ECS/ContainerInsights"})


class EcsServiceState(Model):
    """What the service runs. Without `desired_count` a scaling policy or the scheduler decides how many."""

    task_definition: str = Field(min_length=1, max_length=512)
    desired_count: int | None = Field(ge=0)


class EcsService(Restorable[EcsServiceState]):
    """An ECS service. The API has no compare-and-set: a change is absolute, and preceded by a comparison."""

    cfn_type = "AWS::ECS::Service"
    state = EcsServiceState
    reads = ("ecs:DescribeServices", "ecs:ListTagsForResource")
    unscoped_reads = (
        "application-autoscaling:DescribeScalingPolicies",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTaskDefinitions",
        *STACK_READS,
    )
    writes = ("ecs:UpdateService",)
    arns = ("arn:aws:ecs:{region}:{account}:service/*",)

    def from_signal(self, signal: Signal) -> ResourceRef | None:
        """Return the first service the signal names with its cluster."""
        for arn in signal.resources:
            if arn.split(":", 3)[2] == "ecs" and arn.split(":", 5)[5].startswith("service/") and arn.count("/") == 2:
                return ResourceRef(type=self.cfn_type, arn=arn)
        return None

    def tags(self, ref: ResourceRef, aws: Aws) -> dict[str, str]:
        """Return the service's tags; raises `NotFound`."""
        answer = aws.call("ecs", "list_tags_for_resource", resourceArn=ref.arn)
        return {tag["key"]: tag.get("value", "") for tag in answer.get("tags") or ()}

    def capture(self, ref: ResourceRef, aws: Aws) -> Captured[EcsServiceState]:
        """Read task definition and desired count; raises `NotFound`."""
        service = self.describe(ref, aws)
        governed = service.get("schedulingStrategy") == "DAEMON" or _has_scaling_policy(ref, aws)
        state = EcsServiceState(
            task_definition=service["taskDefinition"],
            desired_count=None if governed else service["desiredCount"],
        )
        return Captured(state)

    def restore(self, ref: ResourceRef, wanted: EcsServiceState, now: Captured[EcsServiceState], aws: Aws) -> None:
        """Put back what differs. A task definition put back is a deployment of its own, which takes its time."""
        self.put(ref, wanted, now, aws)

    def put(self, ref: ResourceRef, wanted: EcsServiceState, now: Captured[EcsServiceState], aws: Aws) -> None:
        """Set what differs from `now`, absolute, in one call; what is left out stays and deploys nothing."""
        changes: dict[str, Any] = {}
        if wanted.task_definition != now.state.task_definition:
            changes["taskDefinition"] = wanted.task_definition
        if wanted.desired_count is not None and wanted.desired_count != now.state.desired_count:
            changes["desiredCount"] = wanted.desired_count
        if changes:
            cluster, service = names(ref)
            aws.call("ecs", "update_service", cluster=cluster, service=service, **changes)

    def in_progress(self, ref: ResourceRef, aws: Aws) -> str:
        """Return that a deployment of the service or of its stack is running. One that failed is over."""
        for deployment in self.describe(ref, aws).get("deployments") or ():
            state = deployment.get("rolloutState")
            if deployment.get("status") == "PRIMARY" and state == "FAILED":
                return ""
            if state == "IN_PROGRESS" or deployment.get("status") == "ACTIVE":
                return f"the deployment {deployment['id']} of {ref.path} is running"
        return stack_in_progress(self.tags(ref, aws), aws)

    def dimensions(self, ref: ResourceRef, namespace: str) -> dict[str, str]:
        """Return the dimensions of the service; raises `Unobservable` where AWS publishes nothing of it."""
        if namespace not in _NAMESPACES:
            raise Unobservable(f"a service has no metrics in {namespace}: name the dimensions in the playbook")
        cluster, service = names(ref)
        return {"ClusterName": cluster, "ServiceName": service}

    def reach(self, ref: ResourceRef, aws: Aws) -> Reach:
        """Return how many tasks it runs, and what sends them traffic."""
        service = self.describe(ref, aws)
        fed = [
            str(each.get("targetGroupArn") or each.get("loadBalancerName"))
            for each in service.get("loadBalancers") or ()
        ]
        dependents = tuple(name.split(":", 5)[-1] for name in fed[:12])
        return Reach(count=service.get("runningCount", service["desiredCount"]), unit="task", dependents=dependents)

    def probe_function(self, ref: ResourceRef) -> str:
        """Raise `Unobservable`: a service cannot be called this way."""
        raise Unobservable(f"{ref.arn} is no function: name one for the invoke expectation, or use http")

    def describe(self, ref: ResourceRef, aws: Aws) -> dict[str, Any]:
        """Return the service's own description; raises `NotFound`, also for one that is being or was deleted."""
        cluster, service = names(ref)
        found = aws.call("ecs", "describe_services", cluster=cluster, services=[service])["services"]
        if not found or found[0].get("status") != "ACTIVE":
            raise NotFound(f"there is no active service {service} in the cluster {cluster}")
        return dict(found[0])


def names(ref: ResourceRef) -> tuple[str, str]:
    """Return cluster and service of a reference."""
    _, cluster, service = ref.path.split("/")
    return cluster, service


def _has_scaling_policy(ref: ResourceRef, aws: Aws) -> bool:
    answer = aws.call(
        "application-autoscaling", "describe_scaling_policies", ServiceNamespace="ecs", ResourceId=ref.path
    )
    return bool(answer["ScalingPolicies"])


MEMBER = EcsService
