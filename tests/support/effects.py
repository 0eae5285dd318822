"""What the services in memory have in common: every change that took effect, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Handlers = dict[tuple[str, str], Callable[..., dict[str, Any]]]


@dataclass(frozen=True)
class Effect:
    """One change that a service carried out."""

    service: str
    operation: str
    target: str


@dataclass
class Effects:
    """The changes of all services of one world. `watch` hears of each at the moment it takes effect."""

    made: list[Effect] = field(default_factory=list)
    watch: Callable[[Effect], None] = lambda _effect: None

    def note(self, service: str, operation: str, target: str) -> None:
        """A service has just carried out a change."""
        effect = Effect(service, operation, target)
        self.made.append(effect)
        self.watch(effect)
