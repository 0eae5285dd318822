"""Woken by the state table's stream: releases decided approvals, and carries out orders to stop."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.resolve import react
    from grace.stores.stream import changes
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take a batch of changes; answer with the first that the stream is to deliver again, and all after it."""
    failed = react(changes(event["Records"]), services())
    return {"batchItemFailures": [{"itemIdentifier": key} for key in failed]}
