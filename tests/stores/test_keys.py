"""Key text: each class has its place, and a stream record leads back to the item."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grace.errors import NotFound
from grace.ledger.streams import head_of
from grace.model.approval import Approval, LinkTries, Vote
from grace.model.base import Head, Item
from grace.model.contract import Contract, ContractHead, ContractStatus
from grace.model.entry import Ref, ref
from grace.model.log import AuditPin
from grace.model.mission import Mission, MissionStatus, OpenGroup
from grace.model.preview import Preview
from grace.model.records import (
    Breaker,
    Evidence,
    Expiry,
    GuardAlarm,
    InFlight,
    KillSwitch,
    Lease,
    Outcome,
    PlaybookStats,
    Quarantined,
    ShadowJudgement,
    Standing,
    Step,
    StopOrder,
    Subsystem,
)
from grace.model.signal import StoredSignal
from grace.stores import keys
from tests.stores.builders import AT, contract, lease, mission

ARN = "arn:aws:ecs:eu-central-1:123456789012:service/a#b/web"
PLACES: list[tuple[Ref[Any], str, str]] = [
    (ref(Mission, "m-1"), "M#m-1", "head"),
    (ref(StoredSignal, "m-1"), "M#m-1", "signal"),
    (ref(Contract, "c-1"), "C#c-1", "body"),
    (ref(ContractHead, "c-1"), "C#c-1", "head"),
    (ref(Step, "c-1", "execute"), "C#c-1", "step#execute"),
    (ref(Evidence, "c-1", "outcome"), "C#c-1", "evidence#outcome"),
    (ref(Approval, "c-1", "1"), "C#c-1", "apr#0001"),
    (ref(Approval, "c-1", "20"), "C#c-1", "apr#0020"),
    (ref(Vote, "c-1", "ada"), "C#c-1", "vote#ada"),
    (ref(LinkTries, "c-1", "ada"), "C#c-1", "tries#ada"),
    (ref(Preview, "c-1"), "C#c-1", "preview"),
    (ref(StopOrder, "c-1"), "C#c-1", "stop"),
    (ref(Expiry, "c-1"), "C#c-1", "expiry"),
    (ref(ShadowJudgement, "c-1"), "C#c-1", "shadow"),
    (ref(Breaker, "lambda"), "SYS", "breaker#lambda"),
    (ref(Outcome, "c-1"), "C#c-1", "outcome"),
    (ref(Lease, ARN), f"R#{ARN}", "lease"),
    (ref(OpenGroup, "1/2/3/4"), "G#1/2/3/4", "open"),
    (ref(GuardAlarm, "shop-latency"), "A#shop-latency", "armed"),
    (ref(GuardAlarm, "checkout-latency"), "A#checkout-latency", "armed"),
    (ref(PlaybookStats, "p", "service_down"), "P#p", "stats#service_down"),
    (ref(Standing, "p"), "P#p", "standing"),
    (ref(Quarantined, "0" * 64), "Q#" + "0" * 64, "kept"),
    (ref(KillSwitch), "SYS", "kill"),
    (ref(InFlight), "SYS", "inflight"),
    (ref(Subsystem, "triage"), "SYS", "sub#triage"),
    (ref(AuditPin), "SYS", "audit"),
]


@pytest.mark.parametrize(("where", "pk", "sk"), PLACES)
def test_there_and_back(where: Ref[Any], pk: str, sk: str) -> None:
    assert keys.key(where) == keys.Key(keys.Table.STATE, pk, sk)
    assert keys.parse(pk, sk) == where


def test_every_item_has_a_place() -> None:
    def below(kind: type[Item]) -> set[type[Item]]:
        return {kind} | {deeper for sub in kind.__subclasses__() for deeper in below(sub)}

    ours = {kind for kind in below(Item) if kind.__module__.startswith("grace.")}
    assert {where.kind for where, _, _ in PLACES} == ours - {Item, Head}


@pytest.mark.parametrize(
    ("pk", "sk"),
    [("M#m-1", "later"), ("Z#1", "head"), ("M#", "head"), ("C#c-1", "vote#"), ("SYS", "x"), ("C#c", "head#x")],
)
def test_what_is_not_known_is_nothing(pk: str, sk: str) -> None:
    assert keys.parse(pk, sk) is None


@pytest.mark.parametrize("ids", [(), ("",), ("a", "b")])
def test_a_wrong_number_of_ids_is_refused(ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Lease has 1 ids"):
        keys.key(Ref(Lease, ids))


def test_the_log_table() -> None:
    assert keys.entry(3, 12) == keys.Key(keys.Table.LOG, "L#3", "e000000000012")
    assert keys.lane_head(3) == keys.Key(keys.Table.LOG, "L#3", "head")
    assert keys.command("k-1") == keys.Key(keys.Table.LOG, "CMD#k-1", "done")


def test_the_sparse_index_lists_what_is_open() -> None:
    place = keys.open_index(mission())
    assert place is not None
    partition, deadline = place
    assert partition in keys.open_partitions(Mission)
    assert partition.startswith("OPEN#mission#")
    assert deadline == "2026-01-31T13:00:00.000000Z"

    assert keys.open_index(mission(status=MissionStatus.NEEDS_ATTENTION))
    assert keys.open_index(mission(status=MissionStatus.CLOSED)) is None
    assert keys.open_index(contract(status=ContractStatus.VERIFIED)), "ended and not yet closed is still to do"
    assert keys.open_index(contract(closed=True)) is None
    assert keys.open_index(lease()) is None


def test_the_index_is_spread_and_stays_put() -> None:
    places = [keys.open_index(mission(str(n))) for n in range(64)]
    later = [keys.open_index(mission(str(n), deadline=AT + timedelta(days=1))) for n in range(64)]

    assert {place[0] for place in places if place} == set(keys.open_partitions(Mission))
    assert [p[0] for p in places if p] == [p[0] for p in later if p]


def test_streams_lead_to_their_heads() -> None:
    for head in (mission(), contract()):
        assert head_of(head.stream) == Ref(type(head), head.ids)
    assert head_of("sys:kill") == ref(KillSwitch)
    assert head_of("sys:triage") == ref(Subsystem, "triage")
    with pytest.raises(NotFound):
        head_of("k-1")
