"""What is written on the way: leases, steps, snapshots, evidence, limits, outcomes, the kill switch."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from grace.model.base import Head, Instant, Item, Json, Model
from grace.model.contract import Baseline, ContractStatus, EffectClass, Mode
from grace.model.diagnosis import DiagnosisCode
from grace.model.resource import ResourceRef


class Lease(Item):
    """Who may act on a resource. `fence` grows with each new holder and is never reset.

    `hold` is the contract that left the resource in safe-hold: nobody acts on it until a person releases it.
    """

    resource: str
    owner: str = ""
    fence: int = 0
    until: Instant
    last_action_at: Instant | None = None
    hold: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """One per resource."""
        return (self.resource,)


class StepStatus(StrEnum):
    """INTENT is written before the call; UNKNOWN when nobody can say whether it took effect."""

    INTENT = "INTENT"
    DONE = "DONE"
    UNKNOWN = "UNKNOWN"


class Step(Item):
    """Intent and result of one side effect. `expected_digest` is the state it would lead to.

    By it a later look tells "not done yet" (`before_digest`), "done" (`expected_digest`) and "somebody else's".
    """

    contract_id: str
    name: Literal["execute", "restore"]
    status: StepStatus
    attempt: int
    fence: int
    effect: EffectClass
    before_digest: str
    expected_digest: str
    after_digest: str = ""
    refused: bool = False
    """The service's own compare-and-set refused the call: nothing of ours took effect."""
    at: Instant
    done_at: Instant | None = None
    baseline: Baseline | None = None
    """What was measured directly before the action."""

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract and step."""
        return (self.contract_id, self.name)


class Snapshot(Model):
    """The restorable state of a resource before the action: the object in the vault.

    It carries no time, so that taking it twice under one fence gives the same bytes and is success.
    """

    v: int = 1
    contract_id: str
    resource: ResourceRef
    fence: int
    state: dict[str, Json]
    digest: str
    """SHA-256 over the canonical state."""


class Observation(Model):
    """One expectation, measured. `result` is inconclusive when there was too little to measure, never passed.

    `samples` counts the measured values behind it, `supporting` those that keep the promise; `source` is the query as
    it was asked.
    """

    id: str
    kind: str
    must: bool
    result: Literal["passed", "failed", "inconclusive"]
    predicate: str
    expected: str
    observed: str
    samples: int = Field(ge=0)
    supporting: int = Field(default=0, ge=0)
    source: str
    note: str = ""


class GuardReading(Model):
    """One guard, judged: `worse` means worse, significant and beyond the practical tolerance."""

    id: str
    result: Literal["passed", "worse", "inconclusive"]
    before: float | None
    after: float | None
    samples_before: int
    samples_after: int
    p_value: float | None
    source: str
    note: str = ""


class Evidence(Item):
    """What was measured in one phase of a contract; the time directly before the action is with the step.

    `verdict` is the rollback's own; that of the action stands on the contract's head.
    """

    contract_id: str
    phase: Literal["preflight", "outcome", "extended", "rollback"]
    taken_at: Instant
    observations: tuple[Observation, ...] = ()
    guards: tuple[GuardReading, ...] = ()
    state_digest: str = ""
    notes: tuple[str, ...] = ()
    verdict: Literal["", "verified", "failed", "inconclusive"] = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract and phase."""
        return (self.contract_id, self.phase)


class InFlight(Item):
    """What all contracts count in: those acting right now, and how many of each playbook acted in one clock hour.

    `hour` is the hour that `acted` counts (2026013112, UTC); one item, because every intent writes both.
    """

    contracts: tuple[str, ...] = ()
    hour: str = ""
    acted: dict[str, int] = Field(default_factory=dict)

    def used(self, playbook: str, hour: str) -> int:
        """Return how many contracts of a playbook acted in an hour; a clock that is behind reads the later hour."""
        return self.acted.get(playbook, 0) if hour <= self.hour else 0

    def joined(self, contract_id: str, playbook: str, hour: str) -> "InFlight":
        """Return it with one more contract in flight, counted in its hour; an hour that is over is forgotten."""
        acted = {**(self.acted if hour <= self.hour else {}), playbook: self.used(playbook, hour) + 1}
        flying = tuple(sorted({*self.contracts, contract_id}))
        return self.model_copy(update={"contracts": flying, "hour": max(hour, self.hour), "acted": acted})

    @property
    def ids(self) -> tuple[str, ...]:
        """There is one."""
        return ()


class Breaker(Item):
    """Whether a service we act through answers. Open from `opened_at`; after the recovery time one contract probes."""

    service: str
    failures: int = 0
    opened_at: Instant | None = None
    probing: str = ""
    probing_until: Instant | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """One per service."""
        return (self.service,)


class Undone(Model):
    """One bad end of a playbook's contract, and when."""

    contract_id: str
    at: Instant


class Demotion(Model):
    """A person's order that a playbook may at most be in mode `to`; the configuration lifts it by naming its `id`."""

    id: str = Field(pattern=r"^d-[a-z2-7]{12}$")
    to: Literal[Mode.SHADOW, Mode.APPROVAL]
    by: str
    reason: str = Field(max_length=240)
    at: Instant


class Standing(Item):
    """What happened to a playbook at run time: bad ends of the last 24 hours, its breaker, a demotion.

    `opened_at` is set while the breaker is open. All of it can only lower the mode that configuration gives.
    """

    playbook: str
    undone: tuple[Undone, ...] = ()
    opened_at: Instant | None = None
    demotion: Demotion | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """One per playbook."""
        return (self.playbook,)


class KillSwitch(Head):
    """Whether new side effects are forbidden. Absent means never thrown; unreadable counts as thrown."""

    endless = True

    on: bool
    reason: str
    by: str
    at: Instant
    corr: str = "operator"

    @property
    def ids(self) -> tuple[str, ...]:
        """There is one."""
        return ()

    @property
    def stream(self) -> str:
        """The switch's own stream."""
        return "sys:kill"


class Subsystem(Head):
    """The stream of a part of Grace that speaks for no contract: quarantined messages, refusals, sweeps."""

    endless = True

    name: str = Field(pattern=r"^[a-z]{2,32}$")
    count: int = 0
    at: Instant
    corr: str = "subsystem"

    @property
    def ids(self) -> tuple[str, ...]:
        """One per part."""
        return (self.name,)

    @property
    def stream(self) -> str:
        """Named after the part."""
        return f"sys:{self.name}"


class Quarantined(Item):
    """That a message nobody can read was kept and told of; the message is named by the SHA-256 of its bytes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    at: Instant

    @property
    def ids(self) -> tuple[str, ...]:
        """One per message."""
        return (self.sha256,)


class Expiry(Item):
    """That a change was kept for a time only: at `until` the values from before it are put back.

    `says` is how that ended where it is `done`, and before, for whom it waits.
    """

    contract_id: str
    resource: str
    until: Instant
    done: bool = False
    says: str = Field(default="", max_length=240)

    @property
    def open_until(self) -> datetime | None:
        """Its deadline, while it is open."""
        return None if self.done else self.until

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract."""
        return (self.contract_id,)


class ShadowResult(StrEnum):
    """What became of an incident that a playbook in shadow would have acted on."""

    RECOVERED = "recovered"
    """The alarm recovered and the resource stayed as it was: nothing had to be done."""
    SAME = "same"
    """Somebody else did the very same, and the alarm recovered."""
    NO_HELP = "no_help"
    """Somebody else did the very same, and the alarm stayed on."""
    NEEDED = "needed"
    """The alarm stayed on and nobody did anything. Whether the action would have helped, nobody knows."""
    UNKNOWN = "unknown"
    """Nothing that happened says anything of the action."""

    @property
    def speaks(self) -> Literal["for", "against", "neither"]:
        """Return whether it speaks for letting the playbook act."""
        if self in {ShadowResult.SAME, ShadowResult.NEEDED}:
            return "for"
        return "against" if self in {ShadowResult.RECOVERED, ShadowResult.NO_HELP} else "neither"


class ShadowJudgement(Item):
    """A contract in shadow, judged at `due` on what really happened; without a `result` that is still to come."""

    contract_id: str
    playbook: str
    resource: str
    due: Instant
    result: ShadowResult | None = None
    says: str = Field(default="", max_length=240)
    at: Instant | None = None

    @property
    def open_until(self) -> datetime | None:
        """When it is due, until it was judged."""
        return self.due if self.result is None else None

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract."""
        return (self.contract_id,)


class StopOrder(Item):
    """That a contract is to be stopped and undone: written beside its head, and what wakes the one who does it."""

    contract_id: str
    reason: str = Field(max_length=240)
    at: Instant

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract."""
        return (self.contract_id,)


class GuardAlarm(Item):
    """An alarm that must stay quiet while contracts are under way; `contracts` are stopped and undone when it goes off."""

    alarm: str
    contracts: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """One per alarm name."""
        return (self.alarm,)


class Outcome(Item):
    """How a contract ended, for learning and for people. `relapsed` counts as a failure.

    `restored` says whether every field was measured to be back; None where nothing was to be put back.
    """

    contract_id: str
    playbook: str
    diagnosis: DiagnosisCode
    resource: str
    status: ContractStatus
    verdict: str
    confidence: str
    tier: int
    mode: Mode
    acted: bool
    restored: bool | None
    relapsed: bool = False
    seconds: int
    at: Instant
    relapse_until: Instant | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract."""
        return (self.contract_id,)


class PlaybookStats(Item):
    """Counts per playbook and diagnosis. What was only judged in shadow is counted apart: nothing was done."""

    playbook: str
    diagnosis: DiagnosisCode
    shadow: dict[ShadowResult, int] = Field(default_factory=dict)
    verified: int = 0
    partial: int = 0
    rolled_back: int = 0
    safe_hold: int = 0
    relapsed: int = 0
    other: int = 0

    @property
    def acted(self) -> int:
        """Contracts that acted and ended."""
        return self.verified + self.partial + self.rolled_back + self.safe_hold

    @property
    def lasted(self) -> int:
        """Contracts that were verified and stayed so: a fix that did not last is none."""
        return max(0, self.verified - self.relapsed)

    @property
    def ids(self) -> tuple[str, ...]:
        """One per playbook and diagnosis."""
        return (self.playbook, self.diagnosis.value)
