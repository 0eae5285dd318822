"""Woken by `POST /decide`, signed with the caller's IAM identity: records a vote."""

from typing import Any

from grace.bootstrap import services
from grace.telemetry import door
from grace.web.api import decide


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Record the decision of the person behind the proved identity."""
    return decide(event, services())
