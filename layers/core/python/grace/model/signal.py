"""One normalised alert, whatever road it came by."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from grace.model.base import Instant, Item, Model


class Severity(StrEnum):
    """How bad it is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class SignalState(StrEnum):
    """What the alert says of its subject; `EVENT` is something that happened and has no opposite."""

    ALARM = "ALARM"
    OK = "OK"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    EVENT = "EVENT"


Claim = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,256}$")]
"""How somebody outside names a person: the person's id, mail address or IAM principal."""

SeriesKey = tuple[str, str, str, int, tuple[tuple[str, str], ...]]


class MetricRef(Model):
    """One plain CloudWatch series: no expression, `period` in seconds, `stat` such as `Sum`, `Average`, `p95`."""

    namespace: str = Field(min_length=1, max_length=255)
    name: str = Field(min_length=1, max_length=255)
    stat: str = Field(min_length=1, max_length=20)
    period: int = Field(ge=1, le=86400)
    dimensions: dict[str, str] = Field(default_factory=dict, max_length=30)

    @property
    def key(self) -> SeriesKey:
        """What tells one series from another."""
        return (self.namespace, self.name, self.stat, self.period, tuple(sorted(self.dimensions.items())))


class Signal(Model):
    """An alert. `subject` is the alarm's ARN, or for an event its source and resource.

    `service` and `alarm_class` with account and region make the group; `hop` counts how many of our own effects
    lie between the outside cause and this alert (1 or more is never acted on automatically).
    """

    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    source: str = Field(min_length=1, max_length=256)
    kind: str = Field(min_length=1, max_length=128)
    subject: str = Field(min_length=1, max_length=2048)
    name: str = Field(min_length=1, max_length=256)
    account: str = Field(pattern=r"^\d{12}$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    service: str = Field(min_length=1, max_length=256)
    alarm_class: str = Field(min_length=1, max_length=256)
    state: SignalState
    at: Instant
    severity: Severity
    metric: MetricRef | None = None
    observed: float | None = None
    threshold: float | None = None
    comparison: str | None = None
    resources: tuple[str, ...] = Field(default=(), max_length=20)
    code: str | None = Field(default=None, max_length=128)
    message: str = Field(default="", max_length=4096)
    corr: str = Field(min_length=1, max_length=64)
    hop: int = Field(default=0, ge=0)
    caused_by: tuple[Claim, ...] = Field(default=(), max_length=5)

    @property
    def group(self) -> str:
        """The group this alert belongs to: one group within its window is one mission."""
        return f"{self.account}/{self.region}/{self.service}/{self.alarm_class}"

    @property
    def is_alarm(self) -> bool:
        """Whether it came from a CloudWatch alarm, which can recover by itself."""
        return self.kind == "alarm"

    @property
    def is_problem(self) -> bool:
        """Whether it reports trouble: an alarm that is on or an event, and more than information."""
        return self.state in (SignalState.ALARM, SignalState.EVENT) and self.severity is not Severity.INFO


class StoredSignal(Item):
    """The alert that opened a mission, as the `contract` door reads it."""

    mission_id: str
    signal: Signal

    @property
    def ids(self) -> tuple[str, ...]:
        """One per mission."""
        return (self.mission_id,)
