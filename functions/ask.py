"""Woken by the workflow: asks the approvers and waits for them, then reads what was decided."""

from typing import Any

from grace.bootstrap import services
from grace.flow.ask import ask
from grace.model.contract import Call
from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the workflow's call; answer with the ticket for the next state."""
    return ask(Call.model_validate(event), services()).model_dump(mode="json")
