"""The rules, checked and indexed once, and the diagnosis they give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grace.errors import InvalidPlaybook
from grace.model.diagnosis import Diagnosis, DiagnosisCode, Rule
from grace.model.signal import MetricRef, Signal
from grace.patterns import Index


class Rulebook:
    """Rules that are matched together."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Check and index the rules.

        Raises:
            InvalidPlaybook: a name is used twice, a pattern is wrong or names a field that no signal has.
        """
        self.rules = tuple(rules)
        self._rules: dict[str, Rule] = {}
        for rule in self.rules:
            if rule.name in self._rules:
                raise InvalidPlaybook(f"rule {rule.name}: the name is used twice: give each rule its own")
            _check_fields(rule)
            self._rules[rule.name] = rule
        self._index = Index({rule.name: rule.pattern for rule in self.rules})

    def diagnose(self, signal: Signal) -> Diagnosis:
        """Return the likeliest diagnosis, ties by the rule's name; `unknown` with likelihood 0 when no rule matches."""
        names = self._index.match(signal.model_dump(mode="json"))
        found = sorted((self._rules[name].match for name in names), key=lambda match: (-match.likelihood, match.rule))
        if not found:
            return Diagnosis(
                code=DiagnosisCode.UNKNOWN,
                likelihood=0,
                reason="No rule recognises this alert; a person has to look.",
            )
        best = found[0]
        return Diagnosis(code=best.code, likelihood=best.likelihood, reason=best.reason, matches=tuple(found))


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
