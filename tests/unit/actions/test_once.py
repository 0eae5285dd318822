"""Class E: nothing protects these, so after a lost answer they are looked for, and never assumed not to have happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grace.actions.base import action, actions
from grace.model.contract import EffectClass, Undo
from grace.resources.base import resource_type
from tests.support.aws import MotoAws
from tests.support.resources import make_instance, make_service

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_what_happens_once_cannot_be_undone_and_can_be_looked_for() -> None:
    once = {name: each for name, each in actions().items() if each.effect is EffectClass.ONCE}
    assert set(once) == {"force_new_deployment", "reboot_instance"}
    for each in once.values():
        assert each.undo is Undo.NONE
        assert "happened" in vars(type(each))


@pytest.mark.parametrize(
    ("created", "expected"),
    [([-60], None), ([0], True), ([1], True), ([-60, 30], True), ([], None)],
)
def test_a_deployment_created_since_is_ours(aws: MotoAws, created: list[int], expected: bool | None) -> None:
    ref = make_service(aws)
    aws.deployments = [{"id": str(at), "createdAt": SINCE + timedelta(seconds=at)} for at in created]
    if not created:
        aws.deployments = [{"id": "old", "createdAt": SINCE - timedelta(days=30)}]
    assert action("force_new_deployment").happened(ref, SINCE, aws) is expected


def test_a_forced_deployment_is_seen_on_the_service_itself(aws: MotoAws) -> None:
    act, ref = action("force_new_deployment"), make_service(aws)
    before = resource_type(act.on).capture(ref, aws)
    parameters = act.plan(ref, before, act.ask(), aws)
    since = datetime.now(UTC)
    assert act.happened(ref, since, aws) is None
    act.run(ref, parameters, before, aws, "token")
    assert act.happened(ref, since, aws) is True


def event(name: str, at: int, **more: Any) -> dict[str, Any]:
    return {"EventName": name, "EventTime": SINCE + timedelta(seconds=at), "CloudTrailEvent": "{}", **more}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("RebootInstances", 2)], True),
        ([event("StopInstances", 2), event("RebootInstances", 3)], True),
        # Nothing, or nothing that counts: CloudTrail may only be late, so this is not "no".
        ([], None),
        ([event("RebootInstances", -1)], None),
        ([event("StopInstances", 2)], None),
        ([event("RebootInstances", 2, CloudTrailEvent='{"errorCode":"Client.UnauthorizedOperation"}')], None),
    ],
)
def test_a_reboot_that_cloudtrail_knows_of(aws: MotoAws, events: list[dict[str, Any]], expected: bool | None) -> None:
    ref = make_instance(aws)
    aws.events = events
    assert action("reboot_instance").happened(ref, SINCE, aws) is expected
    _, operation, arguments = aws.calls[-1]
    assert operation == "lookup_events"
    assert arguments["LookupAttributes"] == [
        {"AttributeKey": "ResourceName", "AttributeValue": ref.path.removeprefix("instance/")}
    ]
    assert arguments["StartTime"] == SINCE
