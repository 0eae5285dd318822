"""What a playbook file says, before it meets a resource."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from grace.model.base import Json, Model
from grace.model.diagnosis import DiagnosisCode


def _seconds(value: object) -> object:
    """Read `90`, `"30s"`, `"5m"` or `"2h"` as seconds."""
    if isinstance(value, str) and value[:-1].isdigit() and value[-1] in "smh":
        return int(value[:-1]) * {"s": 1, "m": 60, "h": 3600}[value[-1]]
    return value


_Written = int | Annotated[str, Field(pattern=r"^[0-9]+[smh]$")]
Duration = Annotated[int, BeforeValidator(_seconds, json_schema_input_type=_Written)]
"""Seconds; a file may write `30s`, `5m` or `2h`."""


class LimitsSpec(Model):
    """How often the playbook may act: contracts an hour, and the pause per resource."""

    per_hour: int = Field(default=3, ge=1, le=10000)
    cooldown: Duration = Field(default=900, ge=0, le=86400)


class PlaybookSpec(Model):
    """One playbook file. Lines of `expect` and `guard` are read by the probe they name.

    `when` is an EventBridge pattern over the signal; `action` holds `use` and what that action asks for; `settle` is
    `auto` (from the alarm's own settings) or a duration.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,63}$")
    summary: str = Field(min_length=10, max_length=200)
    diagnoses: tuple[DiagnosisCode, ...] = Field(min_length=1, max_length=6)
    resource: str = Field(pattern=r"^AWS::[A-Za-z0-9]+::[A-Za-z0-9]+$")
    when: dict[str, Json] | None = None
    action: dict[str, Json]
    tier: Literal[1, 2, 3]
    priority: int = Field(default=50, ge=0, le=100)
    """Among playbooks for the same diagnosis and resource the highest is taken."""
    expect: tuple[dict[str, Json], ...] = Field(min_length=1, max_length=12)
    guard: tuple[dict[str, Json], ...] = Field(default=(), max_length=6)
    settle: Literal["auto"] | Duration = "auto"
    relapse: Duration = Field(default=1800, ge=0, le=86400)
    limits: LimitsSpec = Field(default_factory=LimitsSpec)
    example: str = Field(min_length=1, max_length=120)
    """The file name of an alert (in tests/events) that leads to this playbook."""
