"""The rule files, read at synth and in tests: a Lambda reads the catalogue, never YAML."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from grace.diagnoses.rulebook import Rulebook
from grace.errors import InvalidPlaybook
from grace.model.diagnosis import DiagnosisCode, Rule

HERE = Path(__file__).parent


def load(folder: Path) -> Rulebook:
    """Return the rules of every `*.yaml` in `folder`.

    Raises:
        InvalidPlaybook: one sentence naming file, rule, key and fix.
    """
    rules: list[Rule] = []
    for path in sorted(folder.glob("*.yaml")):
        rules.extend(_read(path))
    return Rulebook(rules)


@cache
def built_in() -> Rulebook:
    """Return the rules that come with Grace, read on the first call."""
    return load(HERE)


def _read(path: Path) -> list[Rule]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        place = getattr(exc, "problem_mark", None)
        line = f" at line {place.line + 1}" if place else ""
        raise InvalidPlaybook(f"{path.name}: is not YAML{line}: correct its indentation and quotes") from exc
    if not isinstance(content, list):
        raise InvalidPlaybook(f"{path.name}: must be a list of rules: begin each with `- name:`")
    return [_rule(path.name, number, fields) for number, fields in enumerate(content, start=1)]


def _rule(file: str, number: int, fields: Any) -> Rule:
    label = f"{file}: rule {number}"
    if not isinstance(fields, dict):
        raise InvalidPlaybook(f"{label}: must have the keys {', '.join(Rule.model_fields)}")
    if isinstance(fields.get("name"), str):
        label = f"{file}: rule {fields['name']}"
    if fields.get("diagnosis") == DiagnosisCode.UNKNOWN:
        raise InvalidPlaybook(f"{label}: diagnosis: unknown is what no rule says: leave the rule out")
    try:
        return Rule.model_validate(fields)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        fix = f"is no key of a rule: use {', '.join(Rule.model_fields)}"
        raise InvalidPlaybook(
            f"{label}: {key}: {fix if problem['type'] == 'extra_forbidden' else problem['msg']}"
        ) from exc
