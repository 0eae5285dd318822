"""Woken by the workflow, by the sweep and by mail that came back: asks the approvers, and reads what was decided."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.ask import ask
    from grace.flow.remind import remind, undelivered
    from grace.model.approval import Reminder
    from grace.model.contract import Call
    from grace.telemetry import door
    from grace.web.returned import undelivered_mail


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the workflow's call and answer with the ticket for the next state; or look at an approval again."""
    if "urgency" in event:
        return {"again": remind(Reminder.model_validate(event), services())}
    if returned := undelivered_mail(event):
        return {"again": undelivered(returned, services())}
    return ask(Call.model_validate(event), services()).model_dump(mode="json")
