"""One real resource of each type, on moto, and what a third party might do to it. A type without a case fails a test."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grace.model.resource import ResourceRef
from tests.support.aws import ACCOUNT, REGION, MotoAws

TAGS = {"grace:managed": "true", "team": "shop"}


@dataclass(frozen=True, slots=True)
class Case:
    """`make` creates it, `change` does what somebody else may do. `kept` are the fields of its state as made."""

    make: Callable[[MotoAws], ResourceRef]
    change: Callable[[MotoAws, ResourceRef], None]
    kept: dict[str, Any]
    restorable: bool = True


def code(text: str) -> bytes:
    """A deployment package."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("shop.py", text)
    return packed.getvalue()


def make_function(aws: MotoAws, **settings: Any) -> ResourceRef:
    """A function `shop` with a secret in its environment."""
    role = aws.call("iam", "create_role", RoleName="shop", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    aws.call(
        "lambda",
        "create_function",
        **{
            "FunctionName": "shop",
            "Runtime": "python3.13",
            "Role": role,
            "Handler": "shop.handler",
            "Code": {"ZipFile": code("1")},
            "Tags": TAGS,
            "MemorySize": 256,
            "Timeout": 10,
            "Environment": {"Variables": {"LOG_LEVEL": "INFO", "DATABASE_PASSWORD": "hunter2-canary"}},
            **settings,
        },
    )
    return ResourceRef(type="AWS::Lambda::Function", arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop")


def make_alias(aws: MotoAws, versions: int = 3, at: str = "3") -> ResourceRef:
    """An alias `live` of a function with so many published versions."""
    function = make_function(aws)
    for number in range(versions):
        aws.call("lambda", "update_function_code", FunctionName="shop", ZipFile=code(f"{number}"), Publish=True)
    aws.call("lambda", "create_alias", FunctionName="shop", Name="live", FunctionVersion=at)
    return ResourceRef(type="AWS::Lambda::Alias", arn=f"{function.arn}:live")


def make_group(aws: MotoAws, smallest: int = 1, desired: int = 2, largest: int = 4) -> ResourceRef:
    """A group `shop-web` of t3.micro instances."""
    aws.call(
        "ec2",
        "create_launch_template",
        LaunchTemplateName="shop",
        LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"},
    )
    aws.call(
        "autoscaling",
        "create_auto_scaling_group",
        AutoScalingGroupName="shop-web",
        LaunchTemplate={"LaunchTemplateName": "shop", "Version": "$Latest"},
        MinSize=smallest,
        MaxSize=largest,
        DesiredCapacity=desired,
        AvailabilityZones=[f"{REGION}a"],
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in TAGS.items()],
    )
    [group] = aws.call("autoscaling", "describe_auto_scaling_groups")["AutoScalingGroups"]
    return ResourceRef(type="AWS::AutoScaling::AutoScalingGroup", arn=group["AutoScalingGroupARN"])


def put_scaling_policy(aws: MotoAws, *, enabled: bool = True) -> None:
    """Let a target-tracking policy decide the group's capacity."""
    aws.call(
        "autoscaling",
        "put_scaling_policy",
        AutoScalingGroupName="shop-web",
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        Enabled=enabled,
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 50.0,
        },
    )


def make_service(aws: MotoAws, revisions: int = 3, at: int = 3, desired: int = 2, **settings: Any) -> ResourceRef:
    """A service `web` in the cluster `shop`, and so many revisions of its task definition."""
    aws.call("ecs", "create_cluster", clusterName="shop")
    for number in range(1, revisions + 1):
        register(aws, f"shop:{number}")
    answer = aws.call(
        "ecs",
        "create_service",
        **{
            "cluster": "shop",
            "serviceName": "web",
            "taskDefinition": f"web:{at}",
            "desiredCount": desired,
            "tags": [{"key": key, "value": value} for key, value in TAGS.items()],
            **settings,
        },
    )
    return ResourceRef(type="AWS::ECS::Service", arn=answer["service"]["serviceArn"])


def register(aws: MotoAws, image: str, family: str = "web", **settings: str) -> str:
    """Register a revision of a task definition; return its ARN."""
    containers = [{"name": "web", "image": image, "memory": 128}]
    answer = aws.call("ecs", "register_task_definition", family=family, containerDefinitions=containers, **settings)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def make_instance(aws: MotoAws) -> ResourceRef:
    """A running instance."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}]
    answer = aws.call(
        "ec2",
        "run_instances",
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        TagSpecifications=tags,
    )
    key = answer["Instances"][0]["InstanceId"]
    return ResourceRef(type="AWS::EC2::Instance", arn=f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{key}")


def _change_alias(aws: MotoAws, ref: ResourceRef) -> None:
    weights = {"AdditionalVersionWeights": {"3": 0.1}}
    aws.call("lambda", "update_alias", FunctionName="shop", Name="live", FunctionVersion="2", RoutingConfig=weights)


def _change_function(aws: MotoAws, ref: ResourceRef) -> None:
    variables = {"LOG_LEVEL": "ERROR", "DATABASE_PASSWORD": "hunter2-canary"}
    aws.call(
        "lambda",
        "update_function_configuration",
        FunctionName="shop",
        MemorySize=512,
        Timeout=20,
        Environment={"Variables": variables},
    )
    aws.call("lambda", "put_function_concurrency", FunctionName="shop", ReservedConcurrentExecutions=7)


def _change_group(aws: MotoAws, ref: ResourceRef) -> None:
    aws.call(
        "autoscaling",
        "update_auto_scaling_group",
        AutoScalingGroupName="shop-web",
        MinSize=0,
        MaxSize=6,
        DesiredCapacity=5,
    )


def _change_service(aws: MotoAws, ref: ResourceRef) -> None:
    other = ref.arn.replace(":service/shop/web", ":task-definition/web:1")
    aws.call("ecs", "update_service", cluster="shop", service="web", taskDefinition=other, desiredCount=5)


def _change_instance(aws: MotoAws, ref: ResourceRef) -> None:
    aws.call("ec2", "stop_instances", InstanceIds=[ref.path.removeprefix("instance/")])


_TASK_DEFINITION = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:3"
CASES: dict[str, Case] = {
    "AWS::Lambda::Alias": Case(make_alias, _change_alias, {"function_version": "3", "additional_version_weights": {}}),
    "AWS::Lambda::Function": Case(
        make_function,
        _change_function,
        {
            "memory_size": 256,
            "timeout": 10,
            "reserved_concurrency": None,
            "log_level": "INFO",
            "log_level_in": "LOG_LEVEL",
        },
    ),
    "AWS::AutoScaling::AutoScalingGroup": Case(
        make_group, _change_group, {"min_size": 1, "max_size": 4, "desired_capacity": 2}
    ),
    "AWS::ECS::Service": Case(make_service, _change_service, {"task_definition": _TASK_DEFINITION, "desired_count": 2}),
    "AWS::EC2::Instance": Case(make_instance, _change_instance, {"state_name": "running"}, restorable=False),
}


def make_stack(aws: MotoAws, status: str = "CREATE_COMPLETE") -> dict[str, str]:
    """A CloudFormation stack that stands like that; return the tags it puts on what it declares."""
    aws.stacks["shop"] = status
    arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/0c2f"
    return {"aws:cloudformation:stack-id": arn, "aws:cloudformation:stack-name": "shop"}
