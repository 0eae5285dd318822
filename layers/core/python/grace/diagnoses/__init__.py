"""Diagnosis as data: rules in YAML, each an event pattern over a signal, matched together by the index.

Promises a code of the closed list, the likeliest of all that matched with the others kept as evidence, and `unknown`
when none did: never a guess. May import `grace.model`, `grace.errors`, `grace.patterns`.
"""
