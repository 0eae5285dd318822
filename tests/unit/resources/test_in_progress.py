"""What is being changed by somebody else is not touched: deployments, refreshes, gradual releases, stacks."""

from __future__ import annotations

from typing import Any

import pytest

from grace.errors import AccessDenied
from grace.resources._stacks import stack_in_progress
from grace.resources.base import resource_type
from tests.support.aws import MotoAws
from tests.support.resources import CASES, make_alias, make_group, make_instance, make_service, make_stack

ALIAS = resource_type("AWS::Lambda::Alias")
FUNCTION = resource_type("AWS::Lambda::Function")
GROUP = resource_type("AWS::AutoScaling::AutoScalingGroup")
SERVICE = resource_type("AWS::ECS::Service")
INSTANCE = resource_type("AWS::EC2::Instance")


def test_weights_on_an_alias_are_a_gradual_release(aws: MotoAws) -> None:
    ref = make_alias(aws)
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    aws.call("lambda", "update_alias", FunctionName="shop", Name="live", FunctionVersion="3", RoutingConfig=routing)
    assert ALIAS.in_progress(ref, aws) == "a gradual release is running on shop:live (25% to version 2)"


def test_an_update_of_the_function_concerns_its_aliases_too(aws: MotoAws) -> None:
    alias = make_alias(aws)
    aws.updating.add("shop")
    expected = "an update of the function shop is in progress"
    assert ALIAS.in_progress(alias, aws) == expected
    function = alias.model_copy(update={"type": FUNCTION.cfn_type, "arn": alias.arn.removesuffix(":live")})
    assert FUNCTION.in_progress(function, aws) == expected


@pytest.mark.parametrize("process", ["Launch", "Terminate"])
def test_a_group_with_launching_or_terminating_suspended(aws: MotoAws, process: str) -> None:
    ref = make_group(aws)
    aws.call("autoscaling", "suspend_processes", AutoScalingGroupName="shop-web", ScalingProcesses=[process])
    assert GROUP.in_progress(ref, aws) == f"somebody suspended {process} of the group shop-web"
    aws.call("autoscaling", "resume_processes", AutoScalingGroupName="shop-web", ScalingProcesses=[process])
    assert GROUP.in_progress(ref, aws) == ""


def test_other_suspended_processes_do_not_matter(aws: MotoAws) -> None:
    ref = make_group(aws)
    aws.call("autoscaling", "suspend_processes", AutoScalingGroupName="shop-web", ScalingProcesses=["AZRebalance"])
    assert GROUP.in_progress(ref, aws) == ""


@pytest.mark.parametrize(
    ("status", "moving"),
    [
        ("Pending", True),
        ("InProgress", True),
        ("RollbackInProgress", True),
        ("Successful", False),
        ("Cancelled", False),
    ],
)
def test_an_instance_refresh(aws: MotoAws, status: str, moving: bool) -> None:
    ref = make_group(aws)
    aws.refreshes = [{"Status": status}]
    assert bool(GROUP.in_progress(ref, aws)) is moving


def deployment(status: str, state: str | None) -> dict[str, Any]:
    return {"id": f"ecs-svc/{status}", "status": status, "rolloutState": state}


@pytest.mark.parametrize(
    ("deployments", "moving"),
    [
        ([deployment("PRIMARY", "COMPLETED")], False),
        ([deployment("PRIMARY", "IN_PROGRESS")], True),
        ([deployment("PRIMARY", "COMPLETED"), deployment("ACTIVE", "COMPLETED")], True),
        ([deployment("PRIMARY", None), deployment("ACTIVE", None)], True),
        # A rollout that failed is over, and just what one rolls back: its predecessor still runs beside it.
        ([deployment("PRIMARY", "FAILED"), deployment("ACTIVE", "COMPLETED")], False),
    ],
)
def test_a_deployment_of_a_service(aws: MotoAws, deployments: list[dict[str, Any]], moving: bool) -> None:
    ref = make_service(aws)
    aws.deployments = deployments
    assert bool(SERVICE.in_progress(ref, aws)) is moving


def test_an_instance_that_is_stopping(aws: MotoAws) -> None:
    ref = make_instance(aws)
    original = aws.boto.call

    class Stopping:
        def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
            answer = original(service, operation, **arguments)
            answer["Reservations"][0]["Instances"][0]["State"]["Name"] = "stopping"
            return answer

    assert INSTANCE.in_progress(ref, Stopping()) == f"the instance {ref.path.removeprefix('instance/')} is stopping"


@pytest.mark.parametrize(
    ("status", "moving"),
    [
        ("UPDATE_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_COMPLETE", False),
        ("UPDATE_ROLLBACK_FAILED", False),
    ],
)
def test_the_stack_that_declares_a_resource(aws: MotoAws, status: str, moving: bool) -> None:
    tags = make_stack(aws, status)
    assert stack_in_progress(tags, aws) == (f"the stack shop is {status}" if moving else "")


def test_a_stack_that_is_gone_deploys_nothing(aws: MotoAws) -> None:
    assert stack_in_progress({"aws:cloudformation:stack-name": "gone"}, aws) == ""


def test_without_the_right_to_look_nothing_is_assumed(aws: MotoAws) -> None:
    aws.before["describe_stacks"] = AccessDenied("cloudformation.describe_stacks: no")
    with pytest.raises(AccessDenied):
        stack_in_progress({"aws:cloudformation:stack-name": "shop"}, aws)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_type_looks_at_its_stack(aws: MotoAws, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, ref = resource_type(name), CASES[name].make(aws)
    tags = make_stack(aws)
    monkeypatch.setattr(type(kind), "tags", lambda *_: tags)
    assert kind.in_progress(ref, aws) == ""
    make_stack(aws, "UPDATE_IN_PROGRESS")
    assert kind.in_progress(ref, aws) == "the stack shop is UPDATE_IN_PROGRESS"
