"""Woken by the log table's stream and every minute: takes new entries into the tree and has it signed."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.integrate import integrate
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look for what is new, whoever rang; answer with the tree's size."""
    return integrate(services()).model_dump()
