"""Woken by the workflow: proves that a contract can run, and keeps the resource's state."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.snapshot import preflight, snapshot
    from grace.model.contract import Call
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do the step that is asked for; answer with the ticket for the next state."""
    call = Call.model_validate(event)
    verb = preflight if call.step == "preflight" else snapshot
    return verb(call, services()).model_dump(mode="json")
