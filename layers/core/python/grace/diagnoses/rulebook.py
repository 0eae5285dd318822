"""The rules, read and checked once, and the diagnosis they give."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from grace.errors import InvalidPlaybook
from grace.model.base import Model
from grace.model.diagnosis import Diagnosis, DiagnosisCode, RuleMatch
from grace.model.signal import MetricRef, Signal
from grace.patterns import Index

HERE = Path(__file__).parent


class Rule(Model):
    """One rule. `pattern` is an event pattern over `Signal.model_dump(mode="json")`; `likelihood` is 0 to 1."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    diagnosis: DiagnosisCode
    likelihood: float = Field(gt=0, le=1)
    reason: str = Field(min_length=1, max_length=300)
    pattern: dict[str, Any]

    @property
    def match(self) -> RuleMatch:
        """What the rule says when it matches."""
        return RuleMatch(rule=self.name, code=self.diagnosis, likelihood=self.likelihood, reason=self.reason)


class Rulebook:
    """Rules that are matched together."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Check and index the rules.

        Raises:
            InvalidPlaybook: a name is used twice, a pattern is wrong or names a field that no signal has.
        """
        self.rules = tuple(rules)
        self._matches: dict[str, RuleMatch] = {}
        for rule in self.rules:
            if rule.name in self._matches:
                raise InvalidPlaybook(f"rule {rule.name}: the name is used twice: give each rule its own")
            _check_fields(rule)
            self._matches[rule.name] = rule.match
        self._index = Index({rule.name: rule.pattern for rule in self.rules})

    def diagnose(self, signal: Signal) -> Diagnosis:
        """Return the likeliest diagnosis, ties by the rule's name; `unknown` with likelihood 0 when no rule matches."""
        names = self._index.match(signal.model_dump(mode="json"))
        found = sorted((self._matches[name] for name in names), key=lambda match: (-match.likelihood, match.rule))
        if not found:
            return Diagnosis(
                code=DiagnosisCode.UNKNOWN,
                likelihood=0,
                reason="No rule recognises this alert; a person has to look.",
            )
        best = found[0]
        return Diagnosis(code=best.code, likelihood=best.likelihood, reason=best.reason, matches=tuple(found))


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


def _check_fields(rule: Rule) -> None:
    """Refuse a pattern over a field that no signal has: it could never match and nobody would notice."""
    _check_names(rule.name, rule.pattern, set(Signal.model_fields), "pattern")
    metric = rule.pattern.get("metric")
    if isinstance(metric, dict):
        _check_names(rule.name, metric, set(MetricRef.model_fields), "pattern.metric")


def _check_names(rule: str, pattern: dict[str, Any], known: set[str], path: str) -> None:
    for name, value in pattern.items():
        if name == "$or" and isinstance(value, list):
            for branch in value:
                if isinstance(branch, dict):
                    _check_names(rule, branch, known, path)
        elif name not in known:
            raise InvalidPlaybook(f"rule {rule}: {path}.{name} is no field of a signal: use {', '.join(sorted(known))}")
