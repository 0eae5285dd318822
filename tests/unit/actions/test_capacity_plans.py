"""What the actions on groups, services and instances make of what is asked: absolute values, or a refusal that says why."""

from __future__ import annotations

from typing import Any

import pytest

from grace.actions.base import action
from grace.gateways.memory import MemoryAws
from grace.model.resource import ResourceRef
from grace.resources.auto_scaling_auto_scaling_group import AutoScalingGroupState
from grace.resources.base import resource_type
from tests.support.actions import check, plan, refused
from tests.support.aws import ACCOUNT, MotoAws
from tests.support.resources import make_group, make_instance, make_service, put_scaling_policy, register

GROUP = ResourceRef(
    type="AWS::AutoScaling::AutoScalingGroup",
    arn="arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/shop-web",
)

# set_capacity


@pytest.mark.parametrize(
    ("sizes", "ask", "expected"),
    [
        ((1, 2, 4), {"add": 2}, 4),
        ((1, 2, 4), {"add": -1}, 1),
        ((0, 0, 4), {"add": 1}, 1),
        ((1, 2, 4), {"add": 3}, "at_maximum"),
        ((1, 4, 4), {"add": 1}, "at_maximum"),
        ((2, 2, 4), {"add": -1}, "at_minimum"),
        ((0, 0, 4), {"add": 2}, "fleet_share"),  # of nothing, one may be added
        ((0, 4, 10), {"add": 3, "max_fleet_share": 0.5}, "fleet_share"),
        ((0, 4, 10), {"add": 2, "max_fleet_share": 0.5}, 6),
        ((0, 4, 10), {"add": -3, "max_fleet_share": 0.5}, "fleet_share"),
    ],
)
def test_the_capacity_of_a_group(aws: MotoAws, sizes: tuple[int, int, int], ask: dict[str, Any], expected: Any) -> None:
    ref = make_group(aws, *sizes)
    if isinstance(expected, str):
        with refused(expected):
            plan("set_capacity", ref, aws, **ask)
    else:
        found = plan("set_capacity", ref, aws, **ask)
        assert (found["min_size"], found["max_size"], found["desired_capacity"]) == (sizes[0], sizes[2], expected)


def test_an_active_scaling_policy_decides_unless_the_playbook_says_otherwise(aws: MotoAws) -> None:
    ref = make_group(aws)
    put_scaling_policy(aws)
    kind = resource_type(GROUP.type)
    assert kind.capture(ref, aws).state == AutoScalingGroupState(min_size=1, max_size=4, desired_capacity=None)
    with refused("scaling_policy"):
        plan("set_capacity", ref, aws, add=1)
    found = plan("set_capacity", ref, aws, add=1, with_scaling_policy=True)
    assert found == {"min_size": 3, "max_size": 4, "desired_capacity": None, "price": None}


def test_beside_a_policy_min_and_max_are_compared_and_desired_is_not(aws: MotoAws) -> None:
    act, kind, ref = action("set_capacity"), resource_type(GROUP.type), make_group(aws)
    put_scaling_policy(aws)
    before = kind.capture(ref, aws)
    ask = act.ask.model_validate({"add": 1, "with_scaling_policy": True})
    parameters = act.plan(ref, before, ask, aws)
    act.run(ref, parameters, before, aws, "token")
    assert kind.capture(ref, aws).state == act.predict(before.state, parameters)
    # The policy scales out meanwhile; that is its business and no third party's change.
    aws.call("autoscaling", "set_desired_capacity", AutoScalingGroupName="shop-web", DesiredCapacity=4)
    now = kind.capture(ref, aws)
    assert now.state == act.predict(before.state, parameters)
    kind.restore(ref, before.state, now, aws)
    assert kind.capture(ref, aws).state == before.state
    [group] = aws.call("autoscaling", "describe_auto_scaling_groups")["AutoScalingGroups"]
    assert group["DesiredCapacity"] == 4


@pytest.mark.parametrize(("add", "expected"), [(-1, 0), (-2, "at_minimum"), (2, 4), (3, "at_maximum")])
def test_the_minimum_beside_a_policy(aws: MotoAws, add: int, expected: Any) -> None:
    ref = make_group(aws)
    put_scaling_policy(aws)
    if isinstance(expected, str):
        with refused(expected):
            plan("set_capacity", ref, aws, add=add, with_scaling_policy=True)
    else:
        assert plan("set_capacity", ref, aws, add=add, with_scaling_policy=True)["min_size"] == expected


@pytest.mark.parametrize(
    ("policy", "acts"),
    [
        ({"PolicyName": "p", "Enabled": True, "PolicyType": "TargetTrackingScaling"}, True),
        ({"PolicyName": "p", "PolicyType": "StepScaling"}, True),
        ({"PolicyName": "p", "Enabled": False, "PolicyType": "SimpleScaling"}, False),
        (
            {
                "PolicyName": "p",
                "PolicyType": "PredictiveScaling",
                "PredictiveScalingConfiguration": {"Mode": "ForecastAndScale"},
            },
            True,
        ),
        (
            {
                "PolicyName": "p",
                "PolicyType": "PredictiveScaling",
                "PredictiveScalingConfiguration": {"Mode": "ForecastOnly"},
            },
            False,
        ),
    ],
)
def test_which_policies_act(policy: dict[str, Any], acts: bool) -> None:
    """The second page counts, too."""
    pages: dict[str | None, dict[str, Any]] = {
        None: {"ScalingPolicies": [], "NextToken": "n"},
        "n": {"ScalingPolicies": [policy]},
    }
    group = {"AutoScalingGroupARN": GROUP.arn, "MinSize": 1, "MaxSize": 4, "DesiredCapacity": 2}
    aws = MemoryAws(
        {
            ("autoscaling", "describe_auto_scaling_groups"): lambda **_: {"AutoScalingGroups": [group]},
            ("autoscaling", "describe_policies"): lambda **asked: pages[asked.get("NextToken")],
        }
    )
    state = resource_type(GROUP.type).capture(GROUP, aws).state
    assert state.model_dump()["desired_capacity"] == (None if acts else 2)


def test_a_policy_that_came_after_drafting_is_refused_at_preflight(aws: MotoAws) -> None:
    ref = make_group(aws)
    put_scaling_policy(aws)
    with refused("scaling_policy"):
        check("set_capacity", ref, aws, min_size=1, max_size=4, desired_capacity=3, price=None)


def test_sizes_that_do_not_fit_each_other_are_refused(aws: MotoAws) -> None:
    ref = make_group(aws)
    with refused("out_of_bounds"):
        check("set_capacity", ref, aws, min_size=1, max_size=4, desired_capacity=5)


@pytest.mark.parametrize(
    ("price", "before", "after", "cost"),
    [(0.012, 2, 3, 0.012), (0.012, 4, 2, -0.024), (None, 2, 3, None), (0.012, None, None, None)],
)
def test_the_cost_is_known_or_not_said(
    price: float | None, before: int | None, after: int | None, cost: float | None
) -> None:
    act = action("set_capacity")
    state = AutoScalingGroupState(min_size=0, max_size=9, desired_capacity=before)
    parameters = act.parse({"min_size": 0, "max_size": 9, "desired_capacity": after, "price": price})
    assert act.cost_per_hour(state, parameters) == cost


# ECS


@pytest.mark.parametrize(
    ("at", "ask", "to"),
    [(3, "previous_revision", 2), (12, "previous_revision", 11), (10, "previous_revision", 9), (1, "3", 3)],
)
def test_the_revision_to_go_back_to(aws: MotoAws, at: int, ask: str, to: int) -> None:
    found = plan("roll_back_task_definition", make_service(aws, revisions=12, at=at), aws, to=ask)
    assert found == {"to": f"arn:aws:ecs:eu-central-1:123456789012:task-definition/web:{to}"}


def test_revisions_that_were_withdrawn_are_passed_over(aws: MotoAws) -> None:
    ref = make_service(aws)
    register(aws, "other:1", family="web-other")
    aws.call("ecs", "deregister_task_definition", taskDefinition="web:2")
    assert plan("roll_back_task_definition", ref, aws)["to"].endswith("/web:1")
    with refused("no_such_revision"):
        plan("roll_back_task_definition", ref, aws, to="2")
    with refused("no_such_revision"):
        check("roll_back_task_definition", ref, aws, to="arn:aws:ecs:eu-central-1:123456789012:task-definition/web:2")


@pytest.mark.parametrize("kind", ["taskRoleArn", "executionRoleArn"])
@pytest.mark.parametrize("roled", [2, 3])
def test_a_revision_that_runs_under_a_role_is_nobodys_to_set_who_may_not_pass_it(
    aws: MotoAws, kind: str, roled: int
) -> None:
    """Neither there nor back: ECS asks for `iam:PassRole`, which the permission boundary denies."""
    for revision in (1, 2, 3):
        roles = {kind: f"arn:aws:iam::{ACCOUNT}:role/web"} if revision == roled else {}
        register(aws, f"web:{revision}", family="role", **roles)
    with refused("task_roles"):
        plan("roll_back_task_definition", make_service(aws, at=3, taskDefinition="role:3"), aws)


def test_another_family_that_begins_alike_is_another_program() -> None:
    """On every page: the service filters by `familyPrefix`, and a wrong revision here would run somebody else's image."""
    prefix = "arn:aws:ecs:eu-central-1:123456789012:task-definition"
    service = {"status": "ACTIVE", "taskDefinition": f"{prefix}/web:9", "desiredCount": 2}
    pages: dict[str | None, dict[str, Any]] = {
        None: {"taskDefinitionArns": [f"{prefix}/web-admin:8", f"{prefix}/web:2"], "nextToken": "n"},
        "n": {"taskDefinitionArns": [f"{prefix}/web:3", f"{prefix}/web:9"]},
    }
    aws = MemoryAws(
        {
            ("ecs", "describe_services"): lambda **_: {"services": [service]},
            ("ecs", "list_task_definitions"): lambda **asked: pages[asked.get("nextToken")],
            ("ecs", "describe_task_definition"): lambda **asked: {"taskDefinition": asked},
            ("application-autoscaling", "describe_scaling_policies"): lambda **_: {"ScalingPolicies": []},
        }
    )
    ref = ResourceRef(type="AWS::ECS::Service", arn="arn:aws:ecs:eu-central-1:123456789012:service/shop/web")
    assert plan("roll_back_task_definition", ref, aws) == {"to": f"{prefix}/web:3"}


@pytest.mark.parametrize(
    ("at", "to", "code"),
    [(1, "previous_revision", "no_previous_revision"), (2, "2", "nothing_to_do"), (2, "9", "no_such_revision")],
)
def test_a_roll_back_that_makes_no_sense(aws: MotoAws, at: int, to: str, code: str) -> None:
    ref = make_service(aws, at=at)
    with refused(code):
        plan("roll_back_task_definition", ref, aws, to=to)


@pytest.mark.parametrize("name", ["roll_back_task_definition", "force_new_deployment"])
def test_what_codedeploy_rolls_out_is_codedeploys(aws: MotoAws, name: str) -> None:
    ref = make_service(aws, deploymentController={"type": "CODE_DEPLOY"})
    with refused("deployment_controller"):
        plan(name, ref, aws)


@pytest.mark.parametrize(
    ("desired", "ask", "expected"),
    [
        (2, {"add": 2, "max": 10}, 4),
        (2, {"add": -1, "max": 10}, 1),
        (1, {"add": -1, "max": 10}, "at_minimum"),
        (2, {"add": 1, "max": 2}, "at_maximum"),
        (1, {"add": 3, "max": 10}, "fleet_share"),
    ],
)
def test_how_many_tasks(aws: MotoAws, desired: int, ask: dict[str, Any], expected: Any) -> None:
    ref = make_service(aws, desired=desired)
    if isinstance(expected, str):
        with refused(expected):
            plan("set_desired_count", ref, aws, **ask)
    else:
        assert plan("set_desired_count", ref, aws, **ask) == {"desired_count": expected}


def test_a_scaling_policy_decides_how_many_tasks(aws: MotoAws) -> None:
    ref = make_service(aws)
    where = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/shop/web",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    aws.call("application-autoscaling", "register_scalable_target", **where, MinCapacity=1, MaxCapacity=9)
    aws.call(
        "application-autoscaling",
        "put_scaling_policy",
        **where,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 50.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    )
    state = resource_type("AWS::ECS::Service").capture(ref, aws).state
    assert state.model_dump()["desired_count"] is None
    with refused("scaling_policy"):
        plan("set_desired_count", ref, aws, add=1, max=9)
    with refused("scaling_policy"):
        check("set_desired_count", ref, aws, desired_count=3)
    # What a service runs can still be rolled back, and the count is left alone.
    assert plan("roll_back_task_definition", ref, aws)["to"].endswith("/web:2")


def test_a_service_without_tasks_has_nothing_to_replace(aws: MotoAws) -> None:
    ref = make_service(aws, desired=0)
    with refused("no_tasks"):
        plan("force_new_deployment", ref, aws)


# EC2


def test_only_a_running_instance_is_rebooted(aws: MotoAws) -> None:
    ref = make_instance(aws)
    aws.call("ec2", "stop_instances", InstanceIds=[ref.path.removeprefix("instance/")])
    with refused("not_running"):
        plan("reboot_instance", ref, aws)
    with refused("not_running"):
        check("reboot_instance", ref, aws, instance_id=ref.path.removeprefix("instance/"))
