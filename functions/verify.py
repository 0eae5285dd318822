"""Woken by the workflow: decides the verdict."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.verify import verify
    from grace.model.contract import Call
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the workflow's call; answer with the ticket for the next state."""
    return verify(Call.model_validate(event), services()).model_dump(mode="json")
