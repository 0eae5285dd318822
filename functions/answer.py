"""Woken by `POST /decide`, signed with the caller's IAM identity, and by the public page: shows, and records votes."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.telemetry import door
    from grace.web.answering import respond


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Show what a link opens, or record the decision of the person who has been proved."""
    return respond(event, services())
