"""What ended a contract's way forward, in one sentence."""

from __future__ import annotations

import json
from typing import Any

from grace.flow.loading import Loaded
from grace.model.contract import Ticket


def why(ticket: Ticket, loaded: Loaded) -> str:
    """Return in one sentence what led to the rollback: an order, an error, or the verdict."""
    if loaded.head.stop:
        return loaded.head.stop
    if isinstance(ticket.error, dict):
        return _told(ticket.error)
    return loaded.head.reason or "the promise did not hold"


def _told(error: dict[str, Any]) -> str:
    """Read the sentence out of what a Catch wrote: a Lambda error carries it as `errorMessage` inside the cause."""
    name, cause = str(error.get("Error", "error")), str(error.get("Cause", ""))
    try:
        read = json.loads(cause)
    except ValueError:  # what the workflow says by itself is plain text
        read = None
    said = read.get("errorMessage", cause) if isinstance(read, dict) else cause
    return f"{name}: {said}"[:240]
