"""The three incidents: what breaks, how it must end, and how their story is read from what Grace writes about itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import ref
from grace.model.mission import Mission, MissionStatus
from grace.ports import AlarmFacts, Services
from infra.cli.dossier import Dossier, dossier
from infra.demo import breaking, facts
from infra.demo.chapters import Chapters, Decide
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
    fired: bool = False
    mission: str = ""
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

    def follow(self, services: Services, alarm: AlarmFacts | None, missions: list[Mission]) -> None:
        """Look how far it is, and tell what is new."""
        if not self.fired:
            if alarm is None or alarm.state != "ALARM":
                return
            self.fired = True
            self.telling.say(f"alarm {alarm.name} after {self.seconds:.0f} s", "bad")
            self.telling.wait("for the alert to become a contract: SNS, queue, triage, diagnosis")
        if not self.contract:
            self._find(services, missions)
        if self.contract:
            self._read(services)

    def _find(self, services: Services, missions: list[Mission]) -> None:
        mine = next((mission for mission in missions if mission.alarm.endswith(f":alarm:{self.alarm.name}")), None)
        if mine is None and self.mission:
            where = ref(Mission, self.mission)
            mine = services.store.read(where).get(where)
        if mine is None:
            return
        self.mission, self.contract = mine.mission_id, mine.contract_id or ""
        if not self.contract and mine.status is not MissionStatus.OPEN:
            self.status, self.ended = mine.status.value, time.monotonic()
            self.telling.close(f"{mine.status.value}: {mine.reason}", "red")

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


def incidents(decide: Decide) -> list[Incident]:
    """Return the three, in the order they are told; `decide` approves the one that waits for a person."""

    def incident(
        name: str, title: str, alarm: facts.ShopAlarm, breaks: Callable[[Clients], str], expected: ContractStatus
    ) -> Incident:
        telling = Telling(title, name)
        return Incident(name, alarm, breaks, expected, telling, Chapters(telling, decide))

    rolled_back, verified = ContractStatus.ROLLED_BACK, ContractStatus.VERIFIED
    return [
        incident("bad_release", "a bad release", facts.ERRORS, breaking.bad_release, verified),
        incident("slow_supplier", "a fix that does not help", facts.LATENCY, breaking.slow_supplier, rolled_back),
        incident("full_memory", "a change that needs a person", facts.MEMORY, breaking.grown_catalogue, verified),
    ]
