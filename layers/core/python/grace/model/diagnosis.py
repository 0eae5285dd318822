"""What we think is wrong, from a closed list, with the evidence for it."""

from enum import StrEnum

from pydantic import Field

from grace.model.base import Json, Model


class DiagnosisCode(StrEnum):
    """The closed list of diagnoses. `UNKNOWN` goes to a person, never to a guess."""

    SERVICE_DOWN = "service_down"
    LATENCY_SPIKE = "latency_spike"
    ELEVATED_ERRORS = "elevated_errors"
    GENERAL_DEGRADATION = "general_degradation"
    DEPLOYMENT_REGRESSION = "deployment_regression"
    DATABASE_LOCKED = "database_locked"
    PERMISSION_DENIED = "permission_denied"
    VALIDATION_ERROR = "validation_error"
    TIMEOUT = "timeout"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"
    UNKNOWN = "unknown"


class RuleMatch(Model):
    """One rule that matched, kept as evidence."""

    rule: str
    code: DiagnosisCode
    likelihood: float = Field(ge=0, le=1)
    reason: str


class Diagnosis(Model):
    """The likeliest code and every rule that spoke for one, likeliest first."""

    code: DiagnosisCode
    likelihood: float = Field(ge=0, le=1)
    reason: str
    matches: tuple[RuleMatch, ...] = ()


class Rule(Model):
    """One line of knowledge. `pattern` is an event pattern over `Signal.model_dump(mode="json")`; `likelihood` is 0 to 1."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    diagnosis: DiagnosisCode
    likelihood: float = Field(gt=0, le=1)
    reason: str = Field(min_length=1, max_length=300)
    pattern: dict[str, Json]

    @property
    def match(self) -> RuleMatch:
        """What the rule says when it matches."""
        return RuleMatch(rule=self.name, code=self.diagnosis, likelihood=self.likelihood, reason=self.reason)
