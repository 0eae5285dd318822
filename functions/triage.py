"""Woken by the alert queue, in batches: groups signals and opens missions."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.triage import Message, triage
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take a batch; answer with the messages that the queue is to deliver again."""
    messages = [Message(record["messageId"], record["body"]) for record in event["Records"]]
    failed = triage(messages, services(), services().rulebook)
    return {"batchItemFailures": [{"itemIdentifier": key} for key in failed]}
