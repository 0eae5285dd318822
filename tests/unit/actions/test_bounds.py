"""For all inputs: what is predicted after planning stays inside the bounds, or it is refused."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from grace.actions.base import action
from grace.errors import Refused
from grace.gateways.memory import MemoryAws
from grace.model.base import Model
from grace.model.resource import ResourceRef
from grace.resources.auto_scaling_auto_scaling_group import AutoScalingGroupState
from grace.resources.base import Captured, resource_type
from grace.resources.ecs_service import EcsServiceState
from grace.resources.lambda_function import LambdaFunctionState

FUNCTION = ResourceRef(type="AWS::Lambda::Function", arn="arn:aws:lambda:eu-central-1:123456789012:function:shop")
GROUP = ResourceRef(
    type="AWS::AutoScaling::AutoScalingGroup",
    arn="arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/shop-web",
)
SERVICE = ResourceRef(type="AWS::ECS::Service", arn="arn:aws:ecs:eu-central-1:123456789012:service/shop/web")


def predicted(name: str, ref: ResourceRef, state: Model, ask: dict[str, Any], aws: Any) -> Any:
    act = action(name)
    before: Captured[Model] = Captured(state)
    try:
        parameters = act.plan(ref, before, act.ask.model_validate(ask), aws)
    except Refused:
        return None
    after = act.predict(state, parameters)
    assert after != state, "an action that changes nothing is refused, not run"
    assert act.parse(parameters.model_dump(mode="json")) == parameters
    return after


NOBODY = MemoryAws()


@given(
    now=st.integers(128, 10240),
    ask=st.one_of(
        st.fixed_dictionaries({"mb": st.integers(128, 10240), "max": st.integers(128, 10240)}),
        st.fixed_dictionaries({"factor": st.floats(1.001, 8), "max": st.integers(128, 10240)}),
    ),
)
def test_memory_stays_in_bounds(now: int, ask: dict[str, Any]) -> None:
    state = LambdaFunctionState(memory_size=now, timeout=3)
    after = predicted("set_memory", FUNCTION, state, ask, NOBODY)
    if after:
        assert 128 <= after.memory_size <= ask["max"]
        assert after == state.model_copy(update={"memory_size": after.memory_size})
        if "factor" in ask:
            assert after.memory_size > now


@given(now=st.integers(1, 900), factor=st.floats(1.001, 8), most=st.integers(1, 900))
def test_timeout_stays_in_bounds(now: int, factor: float, most: int) -> None:
    state = LambdaFunctionState(memory_size=128, timeout=now)
    after = predicted("set_timeout", FUNCTION, state, {"factor": factor, "max": most}, NOBODY)
    if after:
        assert now < after.timeout <= most


@given(now=st.integers(0, 10000), add=st.integers(-1000, 1000).filter(bool), most=st.integers(1, 10000))
def test_reservations_stay_in_bounds(now: int, add: int, most: int) -> None:
    state = LambdaFunctionState(memory_size=128, timeout=3, reserved_concurrency=now)
    after = predicted("set_reserved_concurrency", FUNCTION, state, {"add": add, "max": most}, NOBODY)
    if after:
        assert after.reserved_concurrency == now + add
        assert 1 <= after.reserved_concurrency <= most


@given(
    sizes=st.lists(st.integers(0, 500), min_size=3, max_size=3).map(sorted),
    add=st.integers(-3, 3).filter(bool),
    share=st.floats(0.01, 1),
    governed=st.booleans(),
    allowed=st.booleans(),
)
def test_capacity_stays_in_bounds(sizes: list[int], add: int, share: float, governed: bool, allowed: bool) -> None:
    smallest, desired, largest = sizes
    group = {"AutoScalingGroupARN": GROUP.arn, "DesiredCapacity": desired, "Instances": []}
    aws = MemoryAws(
        {
            ("autoscaling", "describe_auto_scaling_groups"): lambda **_: {"AutoScalingGroups": [group]},
            ("autoscaling", "describe_policies"): lambda **_: {"ScalingPolicies": [{"PolicyName": "p"}]},
        }
    )
    state = AutoScalingGroupState(min_size=smallest, max_size=largest, desired_capacity=None if governed else desired)
    ask = {"add": add, "max_fleet_share": share, "with_scaling_policy": allowed}
    after = predicted("set_capacity", GROUP, state, ask, aws)
    if after is None:
        return
    assert after.max_size == largest
    assert 0 <= after.min_size <= after.max_size
    if governed:
        assert allowed
        assert after.desired_capacity is None
    else:
        assert after.min_size == smallest
        assert smallest <= after.desired_capacity <= largest
        assert after.desired_capacity == desired + add
        assert abs(add) <= max(1, desired * share)


@given(
    now=st.integers(0, 5000), add=st.integers(-3, 3).filter(bool), least=st.integers(1, 50), most=st.integers(1, 5000)
)
def test_tasks_stay_in_bounds(now: int, add: int, least: int, most: int) -> None:
    state = EcsServiceState(task_definition="t", desired_count=now)
    after = predicted("set_desired_count", SERVICE, state, {"add": add, "min": least, "max": most}, NOBODY)
    if after:
        assert least <= after.desired_count <= most
        assert after.task_definition == "t"


@given(
    published=st.sets(st.integers(1, 10**12), max_size=30),
    current=st.one_of(st.just("$LATEST"), st.integers(1, 10**12).map(str)),
)
def test_the_previous_version_is_the_next_lower_published_one(published: set[int], current: str) -> None:
    alias = ResourceRef(type="AWS::Lambda::Alias", arn=f"{FUNCTION.arn}:live")
    versions = [{"Version": "$LATEST"}, *({"Version": str(each)} for each in published)]
    aws = MemoryAws({("lambda", "list_versions_by_function"): lambda **_: {"Versions": versions}})
    state = resource_type(alias.type).parse({"function_version": current})
    after = predicted("shift_alias", alias, state, {}, aws)
    lower = {each for each in published if current != "$LATEST" and each < int(current)}
    assert (after is None) == (not lower)
    if after:
        assert after.function_version == str(max(lower))
        assert after.additional_version_weights == {}
