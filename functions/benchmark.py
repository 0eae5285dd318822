"""Woken by the workflow: measures directly before the action, and what was promised after it."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.benchmark import baseline, outcome
    from grace.model.contract import Call
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do the step that is asked for; answer with the ticket for the next state."""
    call = Call.model_validate(event)
    verb = baseline if call.step == "baseline" else outcome
    return verb(call, services()).model_dump(mode="json")
