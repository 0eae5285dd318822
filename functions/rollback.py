"""Woken by the workflow: puts the resource back and measures that it is back."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.rollback import rollback
    from grace.model.contract import Call
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the workflow's call; answer with the ticket for the next state."""
    return rollback(Call.model_validate(event), services()).model_dump(mode="json")
