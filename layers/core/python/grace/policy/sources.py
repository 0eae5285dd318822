"""Where policies come from: the constitution of the code, the built-in files, and a deployment's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from grace.model.base import canonical, sha256_hex
from grace.model.policy import PolicyFile

CONSTITUTION = "constitution.cedar"
DEFAULT = "default.cedar"
BUILT_IN = ("calendar.cedar", DEFAULT)
"""These come with Grace; a deployment's own file of the same name takes the place of `default.cedar` alone."""

_SCHEMA = """namespace Grace {{
  entity Playbook;
  entity Group;
  entity Person in [Group] {{ name: String }};
  entity Resource {{
    account: String, region: String, service: String, type: String,
    managed: Bool, part_of_grace: Bool, production: Bool,
  }} tags String;
  action act;
  action {actions} in [act] appliesTo {{
    principal: Playbook,
    resource: Resource,
    context: {{
      account: String, region: String,
      tier: Long, mode: String,
      diagnosis: String, likelihood: Long, confidence: Long, acted: Long,
      failures: Long, breaker_open: Bool, in_flight: Long,
      undo: String, effect: String, removes: Long, erases: Bool, backup_verified: Bool,
      hold: Bool, kill_switch: Bool, frozen: Bool, in_window: Bool,
      weekday: Long, hour: Long, minute: Long,
      cost_cents?: Long, reach?: Long, dependents?: Long,
      owner: String, requested_by: String, attempt: Long,
    }},
  }};
  action approve appliesTo {{
    principal: Person,
    resource: Resource,
    context: {{ playbook: String, tier: Long, concerned: Bool, weekday: Long, hour: Long, minute: Long }},
  }};
}}
"""


def schema(actions: Iterable[str]) -> str:
    """Return the Cedar schema: what a policy may name. `actions` are the registered actions' names."""
    return _SCHEMA.format(actions=", ".join(f'"{name}"' for name in sorted(actions)))


def constitution() -> PolicyFile:
    """Return the constitution as it came with the code."""
    return _file(CONSTITUTION)


def built_in() -> tuple[PolicyFile, ...]:
    """Return the built-in files beside the constitution."""
    return tuple(_file(name) for name in BUILT_IN)


def digest(files: Iterable[PolicyFile], text: str) -> str:
    """Return the first 64 bits of the SHA-256 over the canonical JSON of all files, the constitution first, and the schema."""
    whole = [[file.name, file.text] for file in (constitution(), *files)]
    return sha256_hex(canonical([whole, text]))[:16]


def _file(name: str) -> PolicyFile:
    return PolicyFile(name=name, text=Path(__file__).with_name(name).read_text(encoding="utf-8"))
