"""One look: a question is asked once, and what was fetched wide answers what is narrow."""

from __future__ import annotations

from grace.flow.looking import Look
from grace.model.signal import MetricRef
from grace.ports import SeriesRequest
from tests.support.playbooks import ROLL_BACK_ALIAS
from tests.support.world import ALARM, World, shop_metric


def world() -> World:
    found = World((ROLL_BACK_ALIAS,))
    found.shop()
    return found


def test_the_same_call_is_made_once_and_another_is_not_mistaken_for_it() -> None:
    here = world()
    look = Look(here)
    first = look.aws.call("lambda", "get_alias", FunctionName="shop", Name="live")
    here.lambdas.alias("shop", "live", "1")

    assert look.aws.call("lambda", "get_alias", Name="live", FunctionName="shop") == first
    assert len(here.aws.calls) == 1
    here.lambdas.alias("shop", "canary", "1")
    assert look.aws.call("lambda", "get_alias", FunctionName="shop", Name="canary") != first
    assert Look(here).aws.call("lambda", "get_alias", FunctionName="shop", Name="live") != first


def test_an_alarm_is_known_by_its_name_and_its_arn() -> None:
    here = world()
    look = Look(here)
    found = look.alarms.describe(ALARM)
    here.alarm("OK", here.clock.now())

    assert found is not None
    assert look.alarms.describe("shop-errors") is found
    assert look.alarms.describe("nobody") is None
    assert [alarm.state for alarm in look.alarms.in_alarm()] == []


def test_a_stretch_within_a_fetched_one_is_not_fetched_again() -> None:
    here = world()
    look, now = Look(here), int(here.clock.now().timestamp())
    errors, calls = shop_metric("Errors", "Sum"), shop_metric("Invocations", "Sum")

    def ask(metric: MetricRef, since: int, until: int) -> SeriesRequest:
        return SeriesRequest(metric, now - since, now - until)

    look.metrics.fetch([ask(errors, 1800, 0), ask(calls, 600, 0)])
    assert here.metrics.fetches == 1
    narrow = [ask(errors, 1200, 300), ask(calls, 600, 60)]
    assert look.metrics.fetch(narrow) == here.metrics.fetch(narrow)
    assert here.metrics.fetches == 2, "only the test itself fetched again"

    wide = [ask(errors, 1800, 0), ask(calls, 1800, 0)]
    assert look.metrics.fetch(wide) == here.metrics.fetch(wide)
    assert here.metrics.fetches == 4
