"""Every resource type, on real calls: capture → change → restore → capture gives the same, and nothing else is touched."""

from __future__ import annotations

import json

import pytest

from grace.errors import BadRequest, Mismatch, NotFound, Unavailable
from grace.model.base import canonical
from grace.model.resource import ResourceRef
from grace.resources.base import digest_of, resource_type
from tests.support.aws import MotoAws
from tests.support.resources import CASES, TAGS

ALL = sorted(CASES)
RESTORABLE = sorted(kind for kind, case in CASES.items() if case.restorable)


@pytest.mark.parametrize("name", ALL)
def test_capture_holds_exactly_the_fields_an_action_may_set(name: str, aws: MotoAws) -> None:
    captured = resource_type(name).capture(CASES[name].make(aws), aws)
    assert captured.state.model_dump(mode="json") == CASES[name].kept
    assert captured.digest == digest_of(captured.state)


@pytest.mark.parametrize("name", ALL)
def test_a_snapshot_document_gives_the_same_state_back(name: str, aws: MotoAws) -> None:
    kind = resource_type(name)
    captured = kind.capture(CASES[name].make(aws), aws)
    document = json.loads(canonical(captured.state.model_dump(mode="json")))
    assert digest_of(kind.parse(document)) == captured.digest


@pytest.mark.parametrize("name", RESTORABLE)
def test_d3_capture_change_restore_capture_are_equal(name: str, aws: MotoAws) -> None:
    kind, case = resource_type(name), CASES[name]
    ref = case.make(aws)
    kept = kind.capture(ref, aws)
    case.change(aws, ref)
    changed = kind.capture(ref, aws)
    # Every field differs, so a restore that forgot one would be seen.
    assert len(kind.differences(kept.state, changed.state)) == len(case.kept) - ("log_level_in" in case.kept)
    kind.restore(ref, kept.state, changed, aws)
    again = kind.capture(ref, aws)
    assert again.digest == kept.digest
    assert kind.differences(kept.state, again.state) == []


@pytest.mark.parametrize("name", sorted(kind for kind, case in CASES.items() if not case.restorable))
def test_what_cannot_be_put_back_says_so(name: str, aws: MotoAws) -> None:
    kind = resource_type(name)
    ref = CASES[name].make(aws)
    kept = kind.capture(ref, aws)
    CASES[name].change(aws, ref)
    aws.calls.clear()
    with pytest.raises(BadRequest, match="cannot be put back"):
        kind.restore(ref, kept.state, kept, aws)
    assert aws.calls == []


@pytest.mark.parametrize("name", ["AWS::Lambda::Alias", "AWS::Lambda::Function"])
def test_restore_is_refused_when_the_revision_changed_since_it_was_read(name: str, aws: MotoAws) -> None:
    kind, case = resource_type(name), CASES[name]
    ref = case.make(aws)
    kept = kind.capture(ref, aws)
    case.change(aws, ref)
    read = kind.capture(ref, aws)
    _somebody_else(name, aws)
    theirs = kind.capture(ref, aws)
    with pytest.raises(Mismatch):
        kind.restore(ref, kept.state, read, aws)
    assert kind.capture(ref, aws) == theirs


def _somebody_else(name: str, aws: MotoAws) -> None:
    if name.endswith("Alias"):
        aws.call("lambda", "update_alias", FunctionName="shop", Name="live", FunctionVersion="1")
    else:
        aws.call("lambda", "update_function_configuration", FunctionName="shop", Timeout=77)


@pytest.mark.parametrize("name", RESTORABLE)
def test_restoring_what_is_there_leaves_it_there(name: str, aws: MotoAws) -> None:
    kind = resource_type(name)
    ref = CASES[name].make(aws)
    kept = kind.capture(ref, aws)
    kind.restore(ref, kept.state, kept, aws)
    assert kind.capture(ref, aws).digest == kept.digest


@pytest.mark.parametrize("name", ALL)
def test_tags_are_those_of_the_nearest_taggable_owner(name: str, aws: MotoAws) -> None:
    ref = CASES[name].make(aws)
    assert TAGS.items() <= resource_type(name).tags(ref, aws).items()


@pytest.mark.parametrize("name", ALL)
def test_a_resource_at_rest_may_be_touched(name: str, aws: MotoAws) -> None:
    ref = CASES[name].make(aws)
    assert resource_type(name).in_progress(ref, aws) == ""
    assert resource_type(name).locate(ref, aws) == ref


GONE = {
    "AWS::Lambda::Alias": "lambda:eu-central-1:123456789012:function:shop:gone",
    "AWS::Lambda::Function": "lambda:eu-central-1:123456789012:function:gone",
    "AWS::AutoScaling::AutoScalingGroup": "autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/gone",
    "AWS::ECS::Service": "ecs:eu-central-1:123456789012:service/shop/gone",
    "AWS::EC2::Instance": "ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0",
}


@pytest.mark.parametrize("name", ALL)
def test_what_does_not_exist_is_not_found(name: str, aws: MotoAws) -> None:
    CASES[name].make(aws)
    ref = ResourceRef(type=name, arn=f"arn:aws:{GONE[name]}")
    with pytest.raises(NotFound):
        resource_type(name).capture(ref, aws)


@pytest.mark.parametrize("name", ALL)
def test_differences_name_each_field_once(name: str) -> None:
    kind = resource_type(name)
    kept = kind.parse(CASES[name].kept)
    assert kind.differences(kept, kept) == []
    other = kept.model_copy(update=dict.fromkeys(CASES[name].kept))
    lines = kind.differences(kept, other)
    assert [line.split(":", 1)[0] for line in lines] == [
        key for key, value in CASES[name].kept.items() if value is not None
    ]


def test_an_update_in_progress_is_waited_for_not_run_into(aws: MotoAws) -> None:
    kind, case = resource_type("AWS::Lambda::Function"), CASES["AWS::Lambda::Function"]
    ref = case.make(aws)
    kept = kind.capture(ref, aws)
    case.change(aws, ref)
    now = kind.capture(ref, aws)
    aws.updating.add("shop")
    aws.calls.clear()
    with pytest.raises(Unavailable, match="in progress"):
        kind.restore(ref, kept.state, now, aws)
    assert aws.changes() == []


def test_a_terminated_instance_is_gone_although_ec2_still_shows_it(aws: MotoAws) -> None:
    kind, ref = resource_type("AWS::EC2::Instance"), CASES["AWS::EC2::Instance"].make(aws)
    aws.call("ec2", "terminate_instances", InstanceIds=[ref.path.removeprefix("instance/")])
    with pytest.raises(NotFound, match="there is no instance"):
        kind.capture(ref, aws)
