"""What the `answer` door is asked: each road loads what it needs, so a signed vote starts without templates."""

from __future__ import annotations

from typing import Any

from grace.model.base import Json
from grace.ports import Services


def respond(event: dict[str, Any], services: Services) -> dict[str, Json]:
    """Answer a signed `POST /decide`, known by the identity that was proved, or a request of the public page."""
    authorizer = (event.get("requestContext") or {}).get("authorizer")
    if authorizer or event.get("rawPath") == "/decide":
        from grace.web.deciding import decide  # noqa: PLC0415  the page never needs it

        return decide(event, services)
    from grace.web.public import page  # noqa: PLC0415  it brings the templates

    return page(event, services)
