"""Diagnosis as data: rules in YAML, each an event pattern over a signal, matched together by the index.

Promises a code of the closed list, the likeliest of all that matched with the others kept as evidence, and `unknown`
when none did: never a guess. May import `grace.model`, `grace.errors`, `grace.patterns`.
"""

from grace.diagnoses.rulebook import Rule, Rulebook, built_in, load

__all__ = ["Rule", "Rulebook", "built_in", "load"]
