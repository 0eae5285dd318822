"""Woken every five minutes: finds what nobody wakes, ends or delivers."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.reap import reap
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Sweep once; answer with what was done, counted."""
    return reap(services(), lambda: services().rulebook).model_dump()
