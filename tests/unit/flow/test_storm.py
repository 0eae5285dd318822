"""Storms, poison, oversized and hostile input, and a store that is not there: nothing is lost and nothing is done."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from grace.errors import AccessDenied, GraceError, NotFound, Throttled, Unavailable
from grace.flow import triage as triage_door
from grace.model.contract import ContractStatus, Mode
from grace.model.metric import Metric
from grace.model.mission import MissionStatus
from grace.model.records import InFlight, Subsystem
from grace.signals import alarms as alarm_signals
from grace.signals import reading
from grace.signals import reported as reported_signals
from tests.support.playbooks import roll_back_alias
from tests.support.world import World, alarm_event, shop_metric
from tests.unit.flow.scenes import (
    SHOP,
    add_service,
    check,
    check_log,
    ended,
    heads,
    incident,
    missions,
    need,
    put_alarm,
    read,
    reported,
    run,
    service_event,
    shop,
    sweep,
)

# -- F42: 10,000 alarms over 100 services


@pytest.mark.parametrize("mode", [Mode.AUTONOMOUS, Mode.SHADOW])
def test_f42_ten_thousand_alarms_over_a_hundred_services_are_at_most_a_hundred_stories(mode: Mode) -> None:
    world = World((roll_back_alias(),), mode)
    alerts = []
    for n in range(100):
        alarms = add_service(world, f"svc{n}", alarms=100)
        alerts += [service_event(f"svc{n}", alarm) for alarm in alarms]
    random.Random(42).shuffle(alerts)
    for start in range(0, len(alerts), 1000):
        assert world.fire(*alerts[start : start + 1000]) == []
        world.draft()
    run(world)
    assert sum(m.signals for m in missions(world)) == 10_000, "none is lost from the counters"
    assert len(missions(world)) == 100
    assert len(heads(world)) == 100
    assert len(world.messages.notified) <= 101, "one a story, and one for the playbook's breaker"
    assert world.telemetry.counts[Metric.CONTRACTS_CREATED] == 100
    if mode is Mode.AUTONOMOUS:
        assert sum(need(world, InFlight).acted.values()) <= 3
        assert len([h for h in heads(world) if h.acted_at]) == 3
        ended(world)
    assert {h.status for h in heads(world)} <= {
        ContractStatus.SHADOWED,
        ContractStatus.REFUSED,
        ContractStatus.ROLLED_BACK,
        ContractStatus.VERIFIED,
    }
    check_log(world)


def test_f42_delivered_twice_the_storm_is_the_same_storm() -> None:
    world = World((roll_back_alias(),))
    alerts = []
    for n in range(5):
        alerts += [service_event(f"svc{n}", alarm) for alarm in add_service(world, f"svc{n}", alarms=100)]
    for _ in range(2):
        assert world.fire(*alerts) == []
        world.draft()
    run(world)
    assert sum(m.signals for m in missions(world)) == 500
    assert len(heads(world)) == 5
    assert sweep(world).found == 0


# -- F44, I39: poison

POISON = ["", "{", "null", "[]", "7", '{"source": "aws.cloudwatch"}', "\x00\x01", json.dumps({"a": [[[[[1]]]]]})]


def test_f44_poison_in_a_batch_of_a_hundred_delays_nobody() -> None:
    world = World((roll_back_alias(),))
    good = [service_event(f"svc{n}", add_service(world, f"svc{n}")[0]) for n in range(99)]
    batch: list[Any] = [*good[:50], "{poison", *good[50:]]
    assert world.fire(*batch) == [], "poison is acknowledged: it would not be better the next time"
    assert len(missions(world)) == 99
    assert world.telemetry.counts[Metric.QUARANTINED] == 1
    assert need(world, Subsystem, "quarantine").count == 1
    [(_, subject, text)] = world.messages.notified
    assert "could not be read" in subject
    assert "quarantine/" in text
    assert b"{poison" in world.vault._objects.values()


def test_f44_a_batch_of_only_poison_is_acknowledged_whole_and_kept_whole() -> None:
    world = shop()
    bodies = [f"{body}{'' if n < len(POISON) else ' ' * n}" for n, body in enumerate(POISON * 12)]
    assert world.fire(*bodies) == []
    kept = [body.encode() for body in dict.fromkeys(bodies)]
    assert sorted(world.vault._objects.values()) == sorted(kept)
    assert world.telemetry.counts[Metric.QUARANTINED] == len(kept)
    assert missions(world) == []
    assert [e.type for e in world.store.story("sys:quarantine")][-1] == "signal.quarantined"


def test_f44_the_same_poison_again_is_counted_once() -> None:
    world = shop()
    for _ in range(5):
        assert world.fire("{poison") == []
    assert world.telemetry.counts[Metric.QUARANTINED] == 1
    assert len(world.messages.notified) == 1


def test_f44_poison_that_nobody_could_be_told_of_is_delivered_again_and_told() -> None:
    world = shop()
    real = world.messages.notify

    def fails(*_: Any) -> None:
        raise Unavailable("later")

    world.messages.notify = fails
    assert world.fire("{poison") == ["0"]
    assert read(world, Subsystem, "quarantine") is None, "told before it is written"
    world.messages.notify = real
    for _ in range(2):
        assert world.fire("{poison") == []
    assert [subject for _, subject, _ in world.messages.notified] == ["an alert could not be read"]
    assert world.telemetry.counts[Metric.QUARANTINED] == need(world, Subsystem, "quarantine").count == 1


def test_f44_poison_that_cannot_be_kept_is_delivered_again() -> None:
    world = shop()
    real = world.vault.put

    def fails(*_: Any) -> Any:
        raise Unavailable("later")

    world.vault.put = fails
    assert world.fire("{poison", alarm_event()) == ["0"]
    assert len(missions(world)) == 1
    world.vault.put = real
    assert world.fire("{poison") == []


def test_f44_without_the_quarantine_poison_would_come_back_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""

    def lost(*_: Any) -> None:
        raise Unavailable("later")

    monkeypatch.setattr(triage_door, "quarantine", lost)
    world = shop()
    assert world.fire("{poison") == ["0"]
    assert world.telemetry.counts == {}


def test_a_group_that_fails_gives_back_its_own_messages_alone() -> None:
    world = World((roll_back_alias(),))
    events = [service_event(f"svc{n}", add_service(world, f"svc{n}")[0]) for n in range(4)]
    real = world.store.commit

    def fails(commit: Any) -> Any:
        if "svc2" in getattr(commit.head, "group", ""):
            raise Throttled("slow down")
        return real(commit)

    world.store.commit = fails
    assert world.fire(*events) == ["2"]
    assert len(missions(world)) == 3
    world.store.commit = real
    assert world.fire(events[2]) == []
    assert len(missions(world)) == 4


# -- F62, I38: too large


def test_f62_an_alarm_of_300_kib_is_kept_aside_and_the_others_go_on() -> None:
    world = shop()
    large = alarm_event()
    large["detail"]["state"]["reason"] = "x" * 300 * 1024
    assert world.fire(large, alarm_event()) == []
    assert world.telemetry.counts[Metric.QUARANTINED] == 1
    assert [len(body) > 300_000 for body in world.vault._objects.values()] == [True]
    run(world)
    assert [h.status for h in heads(world)] == [ContractStatus.VERIFIED]


def in_flight(world: World) -> tuple[str, int]:
    """A contract whose probe is told 300 KiB, and the most that its document ever measured, in characters."""
    sizes: list[int] = []

    def between(world: World, execution: Any) -> None:
        sizes.append(len(json.dumps(execution.document | {"error": None})))
        if execution.state == "Benchmark":
            world.heal()
            world.aws.handlers["lambda", "invoke"] = lambda **_: {
                "StatusCode": 200,
                "Payload": json.dumps({"statusCode": "y" * 300 * 1024}).encode(),
            }

    world.between = between
    contract = incident(world)
    return contract, max(sizes)


def test_f62_i38_the_document_in_flight_stays_small_whatever_a_step_says() -> None:
    world = shop()
    contract, size = in_flight(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert size <= 2048
    assert all(len(entry.model_dump_json()) < 8 * 1024 for entry in world.store.story(contract))
    check(world)


def test_i38_a_door_that_hands_on_what_it_read_is_seen() -> None:
    """The mutant: a ticket that carries more than ids and what is decided on."""
    world = shop()
    benchmark = world.machine.doors["benchmark"]
    world.machine.doors["benchmark"] = lambda event: benchmark(event) | {"read": "y" * 32 * 1024}
    _, size = in_flight(world)
    assert size > 32 * 1024


# -- F63, I43: hostile text in every field

HOSTILE = [
    "; rm -rf /",
    "$(reboot)",
    "`id`",
    "{{ plan.to }}",
    "a\r\nSet-Cookie: x",
    "' OR 1=1 --",
    "<script>x</script>",
    "\u202egnp.exe",
    "../../etc/passwd",
    "\x1b[2J",
]
PLACES = [
    ("detail", "alarmName"),
    ("detail", "state", "reason"),
    ("detail", "state", "value"),
    ("resources", 0),
    ("detail", "configuration", "metrics", 0, "metricStat", "metric", "name"),
    ("detail", "configuration", "metrics", 0, "metricStat", "metric", "namespace"),
    ("detail", "configuration", "metrics", 0, "metricStat", "metric", "dimensions", "FunctionName"),
    ("detail", "configuration", "metrics", 0, "metricStat", "metric", "dimensions", "Resource"),
    ("detail", "configuration", "metrics", 0, "metricStat", "stat"),
    ("source",),
    ("detail-type",),
    ("account",),
    ("region",),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_f63_hostile_text_in_any_field_reaches_no_call_and_leads_to_no_action(place: tuple[Any, ...]) -> None:
    for text in HOSTILE:
        world = shop()
        event = json.loads(json.dumps(alarm_event()))
        inner = event
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = inner[place[-1]] + text if place[-1] in {"alarmName", 0} else text
        assert world.fire(event) == []
        run(world)
        assert world.telemetry.counts.get(Metric.QUARANTINED, 0) + len(missions(world)) == 1
        assert all(h.resource == SHOP for h in heads(world))
        assert all(text not in json.dumps(arguments, default=str) for _, _, arguments in world.aws.calls)
        check_log(world)


def test_f63_hostile_text_in_a_reported_error_leads_to_a_person_and_to_no_call() -> None:
    for text in HOSTILE:
        world = shop()
        world.fire(reported("SQLITE_BUSY", message=text, service="checkout"))
        run(world)
        assert world.aws.calls == []
        assert [m.status for m in missions(world)] == [MissionStatus.NEEDS_ATTENTION]


def unprintable() -> list[str]:
    """Subjects and lines with control characters in them that people were told, after hostile names."""
    world = shop()
    for text in HOSTILE:
        put_alarm(world, "x", shop_metric("Errors", "Sum"))
        world.fire(alarm_event(name=f"x{text}"))
        world.fire(reported("SQLITE_BUSY", service=f"x{text}"))
    run(world)
    told = [line for _, subject, text in world.messages.notified for line in (subject, *text.split("\n"))]
    assert told
    return [ascii(line) for line in told if not line.isprintable()]


def test_f38_f63_names_in_what_people_are_told_hold_no_control_characters() -> None:
    assert unprintable() == []


def test_i43_without_cleaning_names_control_characters_would_reach_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: names are taken as they come."""
    for module in (reading, reported_signals, alarm_signals):
        monkeypatch.setattr(module, "clean_name", lambda text, _where: text)
    assert unprintable()


# -- F68: the store is not there


@pytest.mark.parametrize("error", [NotFound, AccessDenied, Unavailable, Throttled])
@pytest.mark.parametrize("part", ["read", "commit"])
def test_f68_without_the_store_nothing_is_done_and_every_message_is_given_back(
    part: str, error: type[GraceError]
) -> None:
    world = shop()
    real = getattr(world.store, part)

    def fails(*_: Any, **__: Any) -> Any:
        raise error("the table is not there")

    setattr(world.store, part, fails)
    assert world.fire(alarm_event(), reported("NobodyKnowsThis")) == ["0", "1"]
    assert world.lambdas.changes == 0
    assert world.telemetry.troubles
    setattr(world.store, part, real)
    world.fire(alarm_event(), reported("NobodyKnowsThis"))
    run(world)
    assert [h.status for h in heads(world)] == [ContractStatus.VERIFIED]


@pytest.mark.parametrize("error", [AccessDenied, Unavailable])
@pytest.mark.parametrize("state", ["Snapshot", "Baseline", "Execute"])
def test_f68_a_store_lost_before_the_action_fails_closed(state: str, error: type[GraceError]) -> None:
    world = shop()
    real = world.store.commit

    def fails(*_: Any, **__: Any) -> Any:
        raise error("the table is not there")

    def between(world: World, execution: Any) -> None:
        if execution.state == state:
            world.store.commit = fails

    world.between = between
    world.fire(alarm_event())
    run(world)
    assert world.lambdas.changes == 0
    world.store.commit, world.between = real, lambda world, execution: None
    sweep(world, 600)
    run(world)
    assert world.lambdas.changes == 0
    assert [h.status for h in heads(world)] == [ContractStatus.REFUSED]
    ended(world)


def test_f68_a_store_lost_after_the_action_is_made_good_by_the_sweep() -> None:
    world = shop()
    real = world.store.commit

    def fails(*_: Any, **__: Any) -> Any:
        raise AccessDenied("the table is not there")

    def between(world: World, execution: Any) -> None:
        if execution.state == "Settle":
            world.store.commit = fails

    world.between = between
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.VERIFYING
    world.store.commit, world.between = real, lambda world, execution: None
    sweep(world, 600)
    run(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.version_of("shop", "live") == "2"
    ended(world)
    check(world)
