"""The promise for one action: what will be done to which resource, and what must then be measurably true."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from grace.model.base import SCHEMA_VERSION, Head, Instant, Item, Json, Model, canonical, sha256_hex
from grace.model.diagnosis import DiagnosisCode
from grace.model.expectation import Expectation, Guard
from grace.model.resource import Owner, ResourceRef
from grace.model.ruling import Ruling

if TYPE_CHECKING:
    from grace.model.approval import Directory


class Mode(StrEnum):
    """How far a playbook may go by itself: `shadow` never acts, `approval` always asks, `autonomous` by its tier."""

    SHADOW = "shadow"
    APPROVAL = "approval"
    AUTONOMOUS = "autonomous"


class Undo(StrEnum):
    """Whether the action's resource can be put back. A property of the action, never a setting."""

    RESTORE = "restore"
    NONE = "none"


class EffectClass(StrEnum):
    """How a repeated call behaves, which decides what an ambiguous answer may lead to."""

    DEDUPLICATED = "A"
    """The service deduplicates by a client token."""
    COMPARE_AND_SET = "B"
    """The service refuses the call when the resource changed meanwhile."""
    ABSOLUTE = "C"
    """The call sets an absolute value; twice is the same as once."""
    NATURAL_KEY = "D"
    """The call creates something under a name of ours."""
    ONCE = "E"
    """Nothing protects it: after an ambiguous answer only observe."""


class ContractStatus(StrEnum):
    """Where a contract stands. The allowed moves are `TRANSITIONS`."""

    DRAFTED = "drafted"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    ROLLING_BACK = "rolling_back"
    VERIFIED = "verified"
    PARTIAL = "partial"
    ROLLED_BACK = "rolled_back"
    SAFE_HOLD = "safe_hold"
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    SHADOWED = "shadowed"


S = ContractStatus
_BEFORE_EFFECT = frozenset({S.REFUSED, S.SUPERSEDED, S.EXPIRED})
TRANSITIONS: dict[ContractStatus, frozenset[ContractStatus]] = {
    S.DRAFTED: _BEFORE_EFFECT | {S.AWAITING_APPROVAL, S.EXECUTING, S.SHADOWED},
    S.AWAITING_APPROVAL: _BEFORE_EFFECT | {S.APPROVED, S.DENIED},
    S.APPROVED: _BEFORE_EFFECT | {S.EXECUTING},
    S.EXECUTING: frozenset({S.VERIFYING, S.ROLLING_BACK, S.SAFE_HOLD}),
    S.VERIFYING: frozenset({S.VERIFIED, S.PARTIAL, S.ROLLING_BACK, S.SAFE_HOLD}),
    S.ROLLING_BACK: frozenset({S.ROLLED_BACK, S.SAFE_HOLD}),
    S.VERIFIED: frozenset(),
    S.PARTIAL: frozenset(),
    S.ROLLED_BACK: frozenset(),
    S.SAFE_HOLD: frozenset(),
    S.DENIED: frozenset(),
    S.EXPIRED: frozenset(),
    S.SUPERSEDED: frozenset(),
    S.REFUSED: frozenset(),
    S.SHADOWED: frozenset(),
}
"""The one table of allowed moves; the store refuses any other. A status without a move is terminal."""

TERMINAL = frozenset(status for status, moves in TRANSITIONS.items() if not moves)
BEFORE_EFFECT = frozenset({S.DRAFTED, S.AWAITING_APPROVAL, S.APPROVED})
"""Here nothing has been done to the resource yet."""


class PlannedAction(Model):
    """The action with absolute values: `use` is the action's registered name."""

    use: str = Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")
    parameters: dict[str, Json]
    effect: EffectClass
    undo: Undo


class Window(Model):
    """A stretch of time, in epoch seconds, end not included."""

    start: int
    end: int


class Limits(Model):
    """How often the playbook may act: per clock hour, and the pause per resource in seconds."""

    per_hour: int = Field(default=3, ge=1, le=10000)
    cooldown: int = Field(default=900, ge=0, le=86400)


class Contract(Item):
    """The bytes the digest covers: written once, at most 4 KB, never edited.

    `settle` and `relapse` are seconds. `before` is the healthy reference window, or nothing when there was none.
    `cost_per_hour` is what the change costs more (or less, negative) per hour in US dollars, when it is known.
    """

    contract_id: str
    mission_id: str
    attempt: int
    corr: str
    playbook: str
    playbook_digest: str
    diagnosis: DiagnosisCode
    likelihood: float
    rule: str
    reason: str
    alarm: str
    resource: ResourceRef
    owner: Owner
    action: PlannedAction
    undo_text: str
    tier: Literal[1, 2, 3]
    mode: Mode
    expect: tuple[Expectation, ...] = Field(min_length=1, max_length=12)
    guards: tuple[Guard, ...] = Field(default=(), max_length=6)
    guard_alarms: tuple[str, ...] = Field(default=(), max_length=5)
    """Alarms, by name, that stop and undo the contract when they go off while it is under way."""
    before: Window | None
    during_seconds: int = Field(ge=0, le=3600)
    settle: int = Field(ge=1, le=7200)
    relapse: int = Field(ge=0, le=86400)
    limits: Limits
    requested_by: str
    caused_by: tuple[str, ...] = ()
    """The people, by id, who made the change that the alert follows from. They do not decide on it. Of somebody whom the
    directory did not know when it was drafted, what was said of them."""
    state_digest: str
    cost_per_hour: float | None = None
    policy: Ruling | None = None
    """What policy said of it when it was drafted."""
    created_at: Instant
    deadline: Instant

    @property
    def ids(self) -> tuple[str, ...]:
        """One body per contract."""
        return (self.contract_id,)

    def concerned(self, directory: "Directory") -> frozenset[str]:
        """Return who asked for it or caused it, with those whom the directory knows by now."""
        claims = {self.requested_by, *self.caused_by}
        return frozenset(claims | {person.id for claim in claims if (person := directory.by_claim(claim))})

    def sealed(self) -> bytes:
        """Return the canonical bytes of everything but the store's own bookkeeping."""
        return canonical(self.model_dump(mode="json", exclude={"version"}))

    def digest(self) -> str:
        """Return the SHA-256 over the bytes that are sealed."""
        return sha256_hex(self.sealed())


class Pointer(Model):
    """An object in the vault: its key, and the SHA-256 of its bytes."""

    key: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ContractHead(Head):
    """What commits change, at most 1 KB. `deadline` is when the present phase is overdue: `reap` looks then.

    `fence` grows with each holder of the resource's lease; `closed` is set once the lease is given back, the
    outcome recorded and people told; `rollbacks` counts the rollback executions started.
    """

    contract_id: str
    mission_id: str
    playbook: str
    resource: str
    tier: Literal[1, 2, 3]
    status: ContractStatus
    digest: str
    created_at: Instant
    updated_at: Instant
    deadline: Instant
    fence: int = 0
    reason: str = Field(default="", max_length=240)
    preflight: str = ""
    snapshot: Pointer | None = None
    after_digest: str = ""
    acted_at: Instant | None = None
    generation: int = 0
    extended: bool = False
    rollbacks: int = 0
    stop: str = Field(default="", max_length=120)
    verdict: str = ""
    confidence: str = "0"
    closed: bool = False

    @property
    def open_until(self) -> datetime | None:
        """Its deadline, while it is open."""
        return None if self.closed else self.deadline

    @property
    def ids(self) -> tuple[str, ...]:
        """One head per contract."""
        return (self.contract_id,)

    @property
    def subject(self) -> tuple[str, str]:
        """The contract, as far as there is one."""
        return self.contract_id, self.digest

    @property
    def stream(self) -> str:
        """Its own id."""
        return self.contract_id

    @property
    def family(self) -> str:
        """Its mission's, so that a contract and its mission can change together."""
        return self.mission_id

    @property
    def terminal(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL


class BeforeLine(Model):
    """One series of the contract directly before the action, by its line's id: what the line would have said of it."""

    id: str
    result: Literal["passed", "failed", "inconclusive"]
    observed: str = Field(max_length=24)
    samples: int = Field(ge=0)
    supporting: int = Field(ge=0)


class Baseline(Model):
    """What was measured directly before the action, small enough to travel in the ticket: at most 12 lines.

    `alarm` is how the contract's alarm stood then, in CloudWatch's word; empty where there is none.
    """

    taken_at: Instant
    alarm: str = Field(default="", max_length=24)
    lines: tuple[BeforeLine, ...] = Field(default=(), max_length=12)


class Preflight(Model):
    """When it was proved that the contract could be executed, and the digest of the resource's state then."""

    taken_at: Instant
    state: str


class Ticket(Model):
    """The document in flight between states: ids and routing facts only, at most 2 KB; the contract itself is read."""

    v: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION - 1, le=SCHEMA_VERSION)
    contract_id: str
    mission_id: str
    digest: str
    corr: str
    resource: str
    playbook: str
    diagnosis: DiagnosisCode
    mode: Literal["remediate", "rollback"]
    needs_approval: bool
    settle: int
    verdict: Literal["", "verified", "partial", "inconclusive", "failed", "extend"] = ""
    attempt: int = 0
    """Which rollback execution this is; 0 for the remediation itself."""
    preflight: Preflight | None = None
    """Set between the preflight and the question to people, which writes it down."""
    baseline: Baseline | None = None
    """Set between the measurement and the intent that writes it down."""
    error: Json = None
    """What a Catch wrote: `{"Error": ..., "Cause": ...}`."""


class Call(Model):
    """What the workflow sends to a door: the ticket, which of the door's steps is meant, and where it waits a token."""

    ticket: Ticket
    step: Literal[
        "preflight", "ask", "decided", "snapshot", "baseline", "execute", "outcome", "verify", "rollback", "close"
    ]
    task_token: str = Field(default="", repr=False)
