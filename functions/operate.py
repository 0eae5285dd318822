"""Woken by `POST /operate`, signed with the caller's IAM identity: an operator's order."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.telemetry import door
    from grace.web.ordering import order


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Carry out the order of the person behind the proved identity."""
    return order(event, services())
