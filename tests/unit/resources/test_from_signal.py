"""Which resource a signal is about: read from what ingest puts there, and nothing when it is about something else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from grace import signals
from grace.errors import NotFound, Refused, Unobservable
from grace.model.resource import ResourceRef
from grace.model.signal import MetricRef, Severity, Signal, SignalState
from grace.resources.base import resource_type, resource_types
from tests.support.aws import ACCOUNT, REGION, MotoAws
from tests.support.resources import make_group

EVENTS = Path(__file__).parents[2] / "events"
HERE = "eu-central-1:111122223333"
BY_EVENT = [
    ("alarm_lambda_errors.eventbridge.json", "AWS::Lambda::Alias", f"arn:aws:lambda:{HERE}:function:shop:live"),
    ("alarm_lambda_errors.sns.json", "AWS::Lambda::Alias", f"arn:aws:lambda:{HERE}:function:shop:live"),
    ("ecs_deployment_failed.json", "AWS::ECS::Service", f"arn:aws:ecs:{HERE}:service/shop/web"),
    ("alarm_ecs_cpu_low.eventbridge.json", "AWS::ECS::Service", f"arn:aws:ecs:{HERE}:service/shop/web"),
    (
        "alarm_asg_latency.direct.json",
        "AWS::AutoScaling::AutoScalingGroup",
        f"arn:aws:autoscaling:{HERE}:autoScalingGroup::autoScalingGroupName/shop-web",
    ),
]


@pytest.mark.parametrize(("event", "kind", "arn"), BY_EVENT, ids=[row[0] for row in BY_EVENT])
def test_an_alert_names_one_resource_of_one_type(event: str, kind: str, arn: str) -> None:
    signal = signals.parse((EVENTS / event).read_text())
    found = {name: each.from_signal(signal) for name, each in resource_types().items()}
    assert found.pop(kind) == ResourceRef(type=kind, arn=arn)
    assert set(found.values()) == {None}


def test_an_instance_and_its_group() -> None:
    signal = signals.parse((EVENTS / "alarm_ec2_status.eventbridge.json").read_text())
    ref = resource_type("AWS::EC2::Instance").from_signal(signal)
    assert ref is not None
    assert ref.path.startswith("instance/i-")
    launch = signals.parse((EVENTS / "autoscaling_launch_unsuccessful.json").read_text())
    group = resource_type("AWS::AutoScaling::AutoScalingGroup").from_signal(launch)
    assert group is not None
    assert group.path.rsplit("/", 1)[0].endswith(":autoScalingGroupName")


def signal(*arns: str, dimensions: dict[str, str] | None = None) -> Signal:
    metric = MetricRef(namespace="N", name="M", stat="Sum", period=60, dimensions=dimensions) if dimensions else None
    return Signal(
        fingerprint="0" * 64,
        source="s",
        kind="alarm",
        subject="s",
        name="n",
        account=ACCOUNT,
        region=REGION,
        service="s",
        alarm_class="errors",
        state=SignalState.ALARM,
        at=datetime(2026, 1, 31, tzinfo=UTC),
        severity=Severity.HIGH,
        metric=metric,
        resources=arns,
        corr="c",
    )


LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


@pytest.mark.parametrize(
    ("arn", "alias", "function"),
    [
        (f"{LAMBDA}:shop:live", True, False),
        (f"{LAMBDA}:shop", False, True),
        (f"{LAMBDA}:shop:41", False, False),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:shop", False, False),
        (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/shop", False, False),
    ],
)
def test_a_published_version_is_nothing_to_act_on(arn: str, alias: bool, function: bool) -> None:
    assert (resource_type("AWS::Lambda::Alias").from_signal(signal(arn)) is not None) is alias
    assert (resource_type("AWS::Lambda::Function").from_signal(signal(arn)) is not None) is function


def test_names_that_no_arn_may_hold_are_not_resources() -> None:
    kind = resource_type("AWS::AutoScaling::AutoScalingGroup")
    assert kind.from_signal(signal(dimensions={"AutoScalingGroupName": 'a "name"; rm -rf /'})) is None


def test_a_service_without_its_cluster_cannot_be_addressed() -> None:
    kind = resource_type("AWS::ECS::Service")
    assert kind.from_signal(signal(f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/web")) is None


def test_a_group_is_located_by_name_and_then_known_by_its_full_arn(aws: MotoAws) -> None:
    kind, full = resource_type("AWS::AutoScaling::AutoScalingGroup"), make_group(aws)
    named = kind.from_signal(signal(dimensions={"AutoScalingGroupName": "shop-web"}))
    assert named is not None
    assert named != full
    assert kind.locate(named, aws) == full


def test_another_group_of_the_same_name_is_another_group(aws: MotoAws) -> None:
    kind, full = resource_type("AWS::AutoScaling::AutoScalingGroup"), make_group(aws)
    former = full.model_copy(update={"arn": full.arn.replace("autoScalingGroup:", "autoScalingGroup:0")})
    with pytest.raises(NotFound, match="replaced by another group"):
        kind.capture(former, aws)


@pytest.mark.parametrize("known", [True, False], ids=["by its id", "by its name"])
@pytest.mark.parametrize("elsewhere", [(ACCOUNT, "999988887777"), (REGION, "us-east-1")], ids=["account", "region"])
def test_a_group_of_another_account_or_region_is_never_taken_for_ours(
    aws: MotoAws, elsewhere: tuple[str, str], known: bool
) -> None:
    kind, full = resource_type("AWS::AutoScaling::AutoScalingGroup"), make_group(aws)
    arn = full.arn.replace(*elsewhere)
    if not known:
        arn = f"{arn.split(':autoScalingGroup:')[0]}:autoScalingGroup::autoScalingGroupName/shop-web"
    with pytest.raises(Refused, match="not in the account and region") as refused:
        kind.locate(full.model_copy(update={"arn": arn}), aws)
    assert refused.value.code == "foreign"


def test_a_group_named_by_its_id_is_that_one_or_none(aws: MotoAws) -> None:
    kind, full = resource_type("AWS::AutoScaling::AutoScalingGroup"), make_group(aws)
    assert kind.locate(full, aws) == full
    former = full.model_copy(update={"arn": full.arn.replace("autoScalingGroup:", "autoScalingGroup:0")})
    with pytest.raises(NotFound, match="replaced by another group"):
        kind.locate(former, aws)


DIMENSIONS = [
    ("AWS::Lambda::Alias", f"{LAMBDA}:shop:live", "AWS/Lambda", {"FunctionName": "shop", "Resource": "shop:live"}),
    ("AWS::Lambda::Function", f"{LAMBDA}:shop", "AWS/Lambda", {"FunctionName": "shop"}),
    (
        "AWS::AutoScaling::AutoScalingGroup",
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:1:autoScalingGroupName/shop-web",
        "AWS/EC2",
        {"AutoScalingGroupName": "shop-web"},
    ),
    (
        "AWS::ECS::Service",
        f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/web",
        "AWS/ECS",
        {"ClusterName": "shop", "ServiceName": "web"},
    ),
    (
        "AWS::EC2::Instance",
        f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0",
        "AWS/EC2",
        {"InstanceId": "i-0123456789abcdef0"},
    ),
]


@pytest.mark.parametrize(("name", "arn", "namespace", "expected"), DIMENSIONS, ids=[row[0] for row in DIMENSIONS])
def test_dimensions_are_those_aws_publishes_and_no_others(
    name: str, arn: str, namespace: str, expected: dict[str, str]
) -> None:
    kind, ref = resource_type(name), ResourceRef(type=name, arn=arn)
    assert kind.dimensions(ref, namespace) == expected
    with pytest.raises(Unobservable):
        kind.dimensions(ref, "Shop/Web")


@pytest.mark.parametrize(("name", "arn", "namespace", "expected"), DIMENSIONS, ids=[row[0] for row in DIMENSIONS])
def test_only_functions_can_be_invoked(name: str, arn: str, namespace: str, expected: dict[str, str]) -> None:
    kind, ref = resource_type(name), ResourceRef(type=name, arn=arn)
    if "Lambda" in name:
        assert kind.probe_function(ref) == arn
    else:
        with pytest.raises(Unobservable):
            kind.probe_function(ref)
