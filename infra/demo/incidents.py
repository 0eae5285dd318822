"""The three incidents: what breaks, how it must end, and how their story is read from what Grace writes about itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import ref
from grace.model.mission import Mission, MissionStatus, OpenGroup
from grace.model.signal import SignalState
from grace.ports import AlarmFacts, Services
from grace.signals.alarms import from_description
from infra.cli.dossier import Dossier, dossier
from infra.demo import breaking, facts
from infra.demo.chapters import Ask, Chapters
from infra.demo.telling import Telling
from infra.local.reconcile import Clients

JUDGING = f"for the alarm to judge {facts.PERIODS} periods of {facts.PERIOD} s"


@dataclass
class Incident:
    """One incident. `expected` is the only end that counts as told well."""

    name: str
    alarm: facts.ShopAlarm
    breaks: Callable[[Clients], str]
    expected: ContractStatus
    telling: Telling
    chapters: Chapters
    began: float = 0.0
    ended: float = 0.0
    group: str = ""
    contract: str = ""
    status: str = ""
    told: int = 0

    @property
    def over(self) -> bool:
        """Whether its story is told."""
        return bool(self.ended)

    @property
    def seconds(self) -> float:
        """From the breaking to the end, or so far."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def as_promised(self) -> bool:
        """Whether it ended as it must."""
        return self.status == self.expected.value

    def begin(self, clients: Clients) -> None:
        """Break the shop."""
        self.began = time.monotonic()
        self.telling.say(self.breaks(clients), "bad")
        self.telling.wait(JUDGING)

    def follow(self, services: Services, alarm: AlarmFacts | None) -> None:
        """Look how far it is, and tell what is new. `alarm` is asked for until it has fired."""
        if not self.group:
            if alarm is None or alarm.state != "ALARM":
                return
            self.group = _group_of(alarm)
            self.telling.say(f"alarm {alarm.name} after {self.seconds:.0f} s", "bad")
            self.telling.wait("for the alert to become a contract: SNS, queue, triage, diagnosis")
        if not self.contract:
            self._find(services)
        if self.contract:
            self._read(services)

    def _find(self, services: Services) -> None:
        """Find the mission through its group, which remembers it also when it has closed already."""
        group_ref = ref(OpenGroup, self.group)
        group = services.store.read(group_ref).get(group_ref)
        if group is None:
            return
        mission_ref = ref(Mission, group.mission_id)
        mission = services.store.read(mission_ref).need(mission_ref)
        self.contract = mission.contract_id or ""
        if not self.contract and mission.status is not MissionStatus.OPEN:
            self.status, self.ended = mission.status.value, time.monotonic()
            self.telling.close(f"{mission.status.value}: {mission.reason}", "red")

    def _read(self, services: Services) -> None:
        where = ref(ContractHead, self.contract)
        head = services.store.read(where).need(where)
        if len(head.log) > self.told or (head.closed and not self.over):
            found = dossier(self.contract, services)
            for entry in found.story[self.told :]:
                self.chapters.tell(entry, found)
            self.told = len(found.story)
            if found.head.closed:
                self._end(found)

    def _end(self, found: Dossier) -> None:
        self.status, self.ended = found.head.status.value, time.monotonic()
        well = "" if self.as_promised else f", but {self.expected.value} was expected"
        confidence = f", confidence {found.head.confidence}" if found.head.verdict == "verified" else ""
        colour = ("green" if found.head.status is ContractStatus.VERIFIED else "yellow") if self.as_promised else "red"
        self.telling.close(f"{self.status}{confidence} after {self.seconds:.0f} s{well}", colour)


def _group_of(alarm: AlarmFacts) -> str:
    """Return the group that the alarm's alerts belong to, as triage computes it."""
    return from_description(
        arn=alarm.arn,
        state=SignalState.ALARM,
        at=alarm.changed_at,
        metric=alarm.metric,
        threshold=alarm.threshold,
        comparison=alarm.comparison,
    ).group


def incidents(ask: Ask) -> list[Incident]:
    """Return the three, in the order they are told; `ask` has the one decided that waits for a person."""

    def incident(
        name: str, title: str, alarm: facts.ShopAlarm, breaks: Callable[[Clients], str], expected: ContractStatus
    ) -> Incident:
        telling = Telling(title, name)
        return Incident(name, alarm, breaks, expected, telling, Chapters(telling, ask))

    rolled_back, verified = ContractStatus.ROLLED_BACK, ContractStatus.VERIFIED
    return [
        incident("bad_release", "a bad release", facts.ERRORS, breaking.bad_release, verified),
        incident("slow_supplier", "a fix that does not help", facts.LATENCY, breaking.slow_supplier, rolled_back),
        incident("full_memory", "a change that needs a person", facts.MEMORY, breaking.grown_catalogue, verified),
    ]
