"""The EventBridge event-pattern language: validated, matched one by one, and matched by the thousand.

Promises that `Index(rules).match(event)` names exactly the rules for which `matches(pattern, event)` is true. Pure:
may import the standard library and `grace.errors`.
"""

from grace.patterns.index import Index
from grace.patterns.pattern import Pattern, compile_pattern, matches, validate

__all__ = ["Index", "Pattern", "compile_pattern", "matches", "validate"]
