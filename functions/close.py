"""Woken by the workflow: gives the lease back, records the outcome, tells people."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.close import close
    from grace.model.contract import Call
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the workflow's call; answer with the ticket for the next state."""
    return close(Call.model_validate(event), services()).model_dump(mode="json")
