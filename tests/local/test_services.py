"""An ECS service on the engine: captured, acted on and put back, with no more than the authority that is declared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from grace.actions.base import Action, action
from grace.gateways.aws import BotoAws
from grace.model.base import Model
from grace.model.resource import ResourceRef
from grace.resources.base import OPT_IN_TAG
from grace.resources.ecs_service import EcsService
from infra.local.corrections import scaling_policies
from infra.local.engine import EngineState
from infra.local.reconcile import Clients

CLUSTER, NAME, FAMILY = "till", "checkout", "checkout"
ACTS: dict[str, dict[str, Any]] = {
    "set_desired_count": {"add": 1, "max": 5},
    "roll_back_task_definition": {"to": "previous_revision"},
}


@pytest.fixture(scope="module")
def service(aws: Clients) -> Iterator[ResourceRef]:
    """A service of two tasks on the second revision of its task definition, opted in."""
    ecs = aws("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    for image in ("shop:1", "shop:2"):
        containers = [{"name": "shop", "image": image, "memory": 64}]
        ecs.register_task_definition(family=FAMILY, containerDefinitions=containers)
    made = ecs.create_service(
        cluster=CLUSTER,
        serviceName=NAME,
        taskDefinition=f"{FAMILY}:2",
        desiredCount=2,
        tags=[{"key": OPT_IN_TAG, "value": "true"}],
    )
    yield ResourceRef(type=EcsService.cfn_type, arn=made["service"]["serviceArn"])
    ecs.delete_service(cluster=CLUSTER, service=NAME, force=True)
    ecs.delete_cluster(cluster=CLUSTER)


@pytest.fixture(scope="module")
def declared(aws: Clients, engine: EngineState) -> Iterator[BotoAws]:
    """The port with a role that may do what the resource type declares, its writes on what is opted in alone."""
    iam, kind = aws("iam"), EcsService()
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{engine.account}:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="services", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    managed = {"StringEquals": {f"aws:ResourceTag/{OPT_IN_TAG}": "true"}}
    statements = [
        {"Effect": "Allow", "Action": [*kind.reads, *kind.unscoped_reads], "Resource": "*"},
        {"Effect": "Allow", "Action": list(kind.writes), "Resource": "*", "Condition": managed},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="services", PolicyName="declared", PolicyDocument=policy)
    keys = aws("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="services")["Credentials"]
    arguments = engine.client_arguments() | {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }

    class Sdk:
        def client(self, service: str, *, config: Any) -> Any:
            return boto3.client(service, config=config, **arguments)

    yield BotoAws(Sdk())
    iam.delete_role_policy(RoleName="services", PolicyName="declared")
    iam.delete_role(RoleName="services")


@pytest.mark.engine
@pytest.mark.parametrize("name", ACTS)
def test_a_service_is_captured_acted_on_and_put_back(service: ResourceRef, declared: BotoAws, name: str) -> None:
    kind = EcsService()
    act: Action[Any, Any, Any] = action(name)
    before = kind.capture(service, declared)
    assert before.state.desired_count == 2, "no scaling policy decides it"
    assert not kind.in_progress(service, declared)
    assert kind.tags(service, declared)[OPT_IN_TAG] == "true"

    ask: Model = act.ask.model_validate(ACTS[name])
    parameters = act.plan(service, before, ask, declared)
    act.check(service, before, parameters, declared)
    act.run(service, parameters, before, declared, "token")
    after = kind.capture(service, declared)
    assert after.state == act.predict(before.state, parameters)
    assert after.digest != before.digest

    kind.restore(service, before.state, after, declared)
    back = kind.capture(service, declared)
    assert not kind.differences(before.state, back.state)
    assert back.digest == before.digest


@pytest.mark.engine
def test_a_new_deployment_is_forced_and_seen(service: ResourceRef, declared: BotoAws, aws: Clients) -> None:
    act: Action[Any, Any, Any] = action("force_new_deployment")
    before = EcsService().capture(service, declared)
    parameters = act.plan(service, before, act.ask.model_validate({}), declared)
    [first] = aws("ecs").describe_services(cluster=CLUSTER, services=[NAME])["services"][0]["deployments"]
    act.run(service, parameters, before, declared, "token")
    assert act.happened(service, first["createdAt"], declared)
    assert EcsService().capture(service, declared).digest == before.digest


@pytest.mark.engine
def test_asking_for_scaling_policies_needs_the_right_to(aws: Clients, engine: EngineState) -> None:
    assert aws("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    with pytest.raises(ClientError, match="is not known here"):
        aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    iam = aws("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    arguments = engine.client_arguments() | {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    nobody = boto3.client("application-autoscaling", **arguments)
    with pytest.raises(ClientError, match="not authorized"):
        nobody.describe_scaling_policies(ServiceNamespace="ecs")


def test_only_the_question_is_answered() -> None:
    assert scaling_policies("AnyScaleFrontendService.DescribeScalingPolicies")[0] == 200
    assert scaling_policies("AnyScaleFrontendService.PutScalingPolicy")[0] == 400
