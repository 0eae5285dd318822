"""Every member of both registries, walked: named like its file, documented, and holding just the authority it uses."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from botocore import xform_name

from grace import registry
from grace.actions.base import Action, action, actions
from grace.errors import Refused
from grace.model.contract import Undo
from grace.model.resource import ResourceRef
from grace.resources.base import Restorable, resource_type, resource_types
from tests.support import actions as action_cases
from tests.support import resources as resource_cases
from tests.support.aws import REGION, MotoAws

KINDS = sorted(resource_types())
ACTIONS = sorted(actions())

# Which of the actions we use IAM can limit by the resource's own tags, and which know no resource at all: service
# authorization reference, pages of the seven services.
BY_TAG = {
    "autoscaling:UpdateAutoScalingGroup",
    "ec2:RebootInstances",
    "ecs:UpdateService",
    "lambda:DeleteFunctionConcurrency",
    "lambda:PutFunctionConcurrency",
    "lambda:UpdateAlias",
    "lambda:UpdateFunctionConfiguration",
}
WITHOUT_RESOURCE = {
    "application-autoscaling:DescribeScalingPolicies",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeInstanceRefreshes",
    "autoscaling:DescribePolicies",
    "cloudtrail:LookupEvents",
    "ec2:DescribeInstances",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    "lambda:GetAccountSettings",
    "lambda:ListEventSourceMappings",
}
STACK = "cloudformation:DescribeStacks"


def test_every_member_has_a_case_and_every_case_a_member() -> None:
    assert sorted(resource_cases.CASES) == KINDS
    assert sorted(action_cases.CASES) == ACTIONS


@pytest.mark.parametrize("name", KINDS)
def test_a_resource_type_is_named_like_its_file_and_says_what_it_is(name: str) -> None:
    kind = resource_type(name)
    assert kind.cfn_type == name
    assert type(kind).__module__ == f"grace.resources.{registry.module_name(name)}"
    for subject in (type(kind), kind.state, registry_module(kind)):
        assert len(subject.__doc__ or "") > 20, f"{subject} needs a docstring"


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_named_like_its_file_and_acts_on_a_known_type(name: str) -> None:
    act = action(name)
    assert act.name == name
    assert type(act).__module__ == f"grace.actions.{name}"
    assert act.on in KINDS
    for subject in (type(act), act.ask, act.parameters, registry_module(act)):
        assert len(subject.__doc__ or "") > 20, f"{subject} needs a docstring"


def registry_module(member: object) -> Any:
    return sys.modules[type(member).__module__]


@pytest.mark.parametrize("name", KINDS)
def test_arns_are_patterns_for_this_account_and_region(name: str) -> None:
    service = r"arn:aws:[a-z0-9-]+:\{region\}:\{account\}:[A-Za-z]+[:/].*\*"
    for arn in resource_type(name).arns:
        assert re.fullmatch(service, arn), f"{arn} is wider than its type, or another account's"


@pytest.mark.parametrize("name", KINDS)
def test_a_real_resource_is_within_the_patterns(name: str, aws: MotoAws) -> None:
    kind = resource_type(name)
    arn = resource_cases.CASES[name].make(aws).arn
    account = arn.split(":")[4]
    patterns = [pattern.format(account=account, region=REGION) for pattern in kind.arns]
    assert any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), arn) for pattern in patterns)


def test_every_declared_iam_action_is_an_operation_that_exists() -> None:
    declared = {each for kind in resource_types().values() for each in declared_by(kind)}
    declared |= {each for act in actions().values() for each in act.iam}
    for each in declared:
        service, operation = each.split(":")
        assert operation in boto3.client(service).meta.service_model.operation_names, each


def declared_by(kind: Restorable[Any]) -> tuple[str, ...]:
    return (*kind.reads, *kind.unscoped_reads, *kind.writes)


@pytest.mark.parametrize("name", KINDS)
def test_only_reads_are_granted_without_a_resource_and_only_where_iam_knows_none(name: str) -> None:
    kind = resource_type(name)
    assert set(kind.unscoped_reads) - {STACK} <= WITHOUT_RESOURCE
    assert not set(kind.reads) & WITHOUT_RESOURCE
    assert STACK in kind.unscoped_reads


def test_every_write_can_be_limited_to_resources_that_opted_in() -> None:
    writes = {each for kind in resource_types().values() for each in kind.writes}
    writes |= {each for act in actions().values() for each in act.iam}
    assert all(kind.tag_condition for kind in resource_types().values())
    assert writes == BY_TAG


@pytest.mark.parametrize("name", ACTIONS)
def test_undo_restore_only_where_the_state_covers_what_the_action_does(name: str, aws: MotoAws) -> None:
    act, case = action(name), action_cases.CASES[name]
    kind, ref = resource_type(act.on), case.make(aws)
    before = kind.capture(ref, aws)
    after = act.predict(before.state, act.plan(ref, before, act.ask.model_validate(case.ask), aws))
    assert type(after) is kind.state
    assert (after != before.state) is (act.undo is Undo.RESTORE)
    if act.undo is Undo.RESTORE:
        assert kind.writes, f"{act.on} cannot be put back"
        assert resource_cases.CASES[act.on].restorable


@cache
def operations(service: str) -> dict[str, str]:
    """The operations of a service by boto3's names."""
    return {xform_name(each): each for each in boto3.client(service).meta.service_model.operation_names}


def used(aws: MotoAws) -> set[str]:
    """The IAM actions behind the calls made since last asked."""
    found = {f"{service}:{operations(service)[operation]}" for service, operation, _ in aws.calls}
    aws.calls.clear()
    return found


def reading(kind: Restorable[Any], ref: ResourceRef, aws: MotoAws, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What finding, looking, capturing and saying what it reaches call, for a resource that a stack declares."""
    aws.calls.clear()
    kind.locate(ref, aws)
    kind.reach(ref, aws)
    kind.capture(ref, aws)
    tags = kind.tags(ref, aws)
    monkeypatch.setattr(type(kind), "tags", lambda *_: {**tags, **resource_cases.make_stack(aws)})
    kind.in_progress(ref, aws)
    return used(aws)


def acting(act: Action[Any, Any, Any], kind: Restorable[Any], aws: MotoAws) -> tuple[set[str], set[str], set[str]]:
    """What planning and looking, running, and restoring call."""
    case = action_cases.CASES[act.name]
    ref = case.make(aws)
    before = kind.capture(ref, aws)
    aws.calls.clear()
    parameters = act.plan(ref, before, act.ask.model_validate(case.ask), aws)
    act.check(ref, before, parameters, aws)
    act.happened(ref, datetime.now(UTC), aws)
    looked = used(aws)
    act.run(ref, parameters, before, aws, "token")
    ran = used(aws)
    if act.undo is Undo.NONE:
        return looked, ran, set()
    now = kind.capture(ref, aws)
    aws.calls.clear()
    kind.restore(ref, before.state, now, aws)
    return looked, ran, used(aws)


@pytest.mark.parametrize("name", KINDS)
def test_a_resource_type_holds_exactly_the_reads_that_are_made(
    name: str, fresh: Callable[[], MotoAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither less, which would fail on AWS where moto does not look, nor more."""
    kind = resource_type(name)
    needed: set[str] = set()
    for act in [each for each in actions().values() if each.on == name]:
        needed |= acting(act, kind, fresh())[0]
    aws = fresh()
    needed |= reading(kind, resource_cases.CASES[name].make(aws), aws, monkeypatch)
    assert needed == {*kind.reads, *kind.unscoped_reads}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_holds_exactly_the_writes_it_makes(name: str, aws: MotoAws) -> None:
    act = action(name)
    kind = resource_type(act.on)
    _, ran, restored = acting(act, kind, aws)
    reads = {*kind.reads, *kind.unscoped_reads}
    assert ran - reads == set(act.iam)
    assert restored - reads <= set(kind.writes)


@pytest.mark.parametrize("name", KINDS)
def test_a_type_holds_no_write_that_no_undo_needs(name: str) -> None:
    kind = resource_type(name)
    undoing = {each for act in actions().values() if act.on == name and act.undo is Undo.RESTORE for each in act.iam}
    # A reservation that was not there before is undone by deleting it.
    extra = {"lambda:DeleteFunctionConcurrency"} if "lambda:PutFunctionConcurrency" in undoing else set()
    assert set(kind.writes) == undoing | extra


@pytest.mark.parametrize("name", ["restart", "base", "_bounds", "../resources/base", "set_capacity;x", ""])
def test_an_unknown_action_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refused) as caught:
        action(name)
    assert caught.value.code == "unknown"


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(Refused) as caught:
        resource_type("AWS::S3::Bucket")
    assert caught.value.code == "unknown"


def test_parameters_are_absolute() -> None:
    """No parameter is a difference: what a contract says is the value that will be."""
    for act in actions().values():
        assert not {"add", "factor", "delta"} & set(act.parameters.model_fields), act.name
