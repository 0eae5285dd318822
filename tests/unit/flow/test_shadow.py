"""A playbook in shadow is judged on what really happened, and none of it is ever called a success."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from grace.errors import AccessDenied, Unavailable
from grace.flow import shadow
from grace.flow.reap import Swept
from grace.model.contract import ContractHead, ContractStatus, Mode
from grace.model.records import Outcome, PlaybookStats, ShadowJudgement, ShadowResult
from tests.support.world import START, World, alarm_event
from tests.unit.flow.scenes import SECOND, check, every, heads, need, read, run, shop, story, sweep

JUDGED = Swept(judged=1)
LONG = 3600.0


def shadowed() -> tuple[World, str]:
    """The shop's incident with its playbook in shadow, and the contract's id."""
    world = shop(mode=Mode.SHADOW)
    world.between = lambda *_: None
    assert world.fire(alarm_event()) == []
    run(world)
    return world, heads(world)[0].contract_id


def recovers(world: World) -> None:
    world.alarm("OK", START + timedelta(minutes=4))


def same(world: World) -> None:
    world.lambdas.alias("shop", "live", "1")


def other(world: World) -> None:
    world.lambdas.functions["shop"]["versions"].append("3")
    world.lambdas.alias("shop", "live", "3")


def gone(world: World) -> None:
    world.lambdas.aliases.clear()


def rings_again(world: World) -> None:
    world.alarm("ALARM", START + timedelta(minutes=9))


def silent(world: World) -> None:
    world.alarm("INSUFFICIENT_DATA", START + timedelta(minutes=9))


Event = Callable[[World], None]


@pytest.mark.parametrize(
    ("events", "result", "speaks"),
    [
        ([recovers], ShadowResult.RECOVERED, "against"),
        ([same, recovers], ShadowResult.SAME, "for"),
        ([same], ShadowResult.NO_HELP, "against"),
        ([], ShadowResult.NEEDED, "for"),
        ([other, recovers], ShadowResult.UNKNOWN, "neither"),
        ([other], ShadowResult.UNKNOWN, "neither"),
        ([rings_again], ShadowResult.UNKNOWN, "neither"),
        ([silent], ShadowResult.UNKNOWN, "neither"),
        ([recovers, gone], ShadowResult.UNKNOWN, "neither"),
    ],
)
def test_it_is_judged_on_what_really_happened(events: list[Event], result: ShadowResult, speaks: str) -> None:
    world, contract = shadowed()
    for happens in events:
        happens(world)
    assert sweep(world, LONG).judged == 1
    judged = need(world, ShadowJudgement, contract)
    assert (judged.result, result.speaks, judged.at) == (result, speaks, world.clock.now())
    [stats] = every(world, PlaybookStats)
    assert stats.shadow == {result: 1}
    [*_, entry] = world.store.story(contract)
    assert entry.type == "contract.judged"
    assert {key: entry.body[key] for key in ("result", "speaks", "says")} == {
        "result": result.value,
        "speaks": speaks,
        "says": judged.says,
    }
    check(world)


def test_it_waits_until_the_promise_would_be_due_and_judges_once() -> None:
    world, contract = shadowed()
    recovers(world)
    due = need(world, ShadowJudgement, contract).due
    assert due == need(world, ContractHead, contract).deadline
    world.clock.advance((due - START - SECOND).total_seconds())
    assert sweep(world) == Swept()
    assert sweep(world, 2) == JUDGED
    assert sweep(world, LONG) == Swept()
    assert story(world, contract).count("contract.judged") == 1
    [stats] = every(world, PlaybookStats)
    assert stats.shadow == {ShadowResult.RECOVERED: 1}


def test_what_was_not_done_is_never_counted_as_a_success() -> None:
    world, contract = shadowed()
    same(world)
    recovers(world)
    sweep(world, LONG)
    head = need(world, ContractHead, contract)
    assert (head.status, head.verdict) == (ContractStatus.SHADOWED, "")
    [stats] = every(world, PlaybookStats)
    assert (stats.verified, stats.partial, stats.rolled_back, stats.safe_hold) == (0, 0, 0, 0)
    assert read(world, Outcome, contract) is None


def test_without_the_look_at_the_resource_another_persons_fix_would_be_a_recovery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mutant: the alarm alone is asked."""
    world, contract = shadowed()
    other(world)
    recovers(world)
    monkeypatch.setattr(shadow, "_done", lambda *_: (False, False))
    sweep(world, LONG)
    assert need(world, ShadowJudgement, contract).result is ShadowResult.RECOVERED


def test_a_resource_that_may_not_be_read_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world, contract = shadowed()
    recovers(world)

    def refused(**_: object) -> dict[str, object]:
        raise AccessDenied("not for you")

    monkeypatch.setitem(world.aws.handlers, ("lambda", "get_alias"), refused)
    assert sweep(world, LONG) == JUDGED
    judged = need(world, ShadowJudgement, contract)
    assert (judged.result, judged.says) == (ShadowResult.UNKNOWN, "the resource could not be read: not for you")


def test_what_cannot_be_read_now_is_judged_by_the_next_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    world, contract = shadowed()
    recovers(world)
    whole = world.aws.handlers["lambda", "get_alias"]

    def away(**_: object) -> dict[str, object]:
        raise Unavailable("come back later")

    monkeypatch.setitem(world.aws.handlers, ("lambda", "get_alias"), away)
    assert sweep(world, LONG) == Swept(failed=1)
    assert need(world, ShadowJudgement, contract).result is None
    monkeypatch.setitem(world.aws.handlers, ("lambda", "get_alias"), whole)
    assert sweep(world, 300) == JUDGED


def test_two_sweeps_at_once_judge_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world, contract = shadowed()
    recovers(world)
    world.clock.advance(LONG)
    waiting = need(world, ShadowJudgement, contract)
    look, seen = shadow._look, list[bool]()

    def slow(*arguments: object) -> object:
        if not seen:
            seen.append(True)
            assert shadow.judge(waiting, world) == "judged"
        return look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shadow, "_look", slow)
    assert shadow.judge(waiting, world) == ""
    assert story(world, contract).count("contract.judged") == 1
    check(world)


def test_what_acts_is_not_judged_so() -> None:
    world = shop()
    world.fire(alarm_event())
    run(world)
    assert every(world, ShadowJudgement) == []
