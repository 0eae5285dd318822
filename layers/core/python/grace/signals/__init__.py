"""Ingest: whatever shape an alert arrives in, it becomes one typed Signal or a refusal that names the field.

Promises that the same alarm transition has the same fingerprint by every road, and that no message, however broken,
raises anything but `InvalidSignal`. Pure: may import `grace.model` and `grace.errors`.
"""

from __future__ import annotations

from typing import Any

from grace.errors import InvalidSignal
from grace.model.signal import Signal
from grace.signals import alarms
from grace.signals.reading import Fields, load

__all__ = ["parse"]


def parse(body: str | bytes) -> Signal:
    """Return the Signal of one message: an EventBridge event, an SNS notification of one of these or of an alarm, a
    raw alarm notification, or the payload of an alarm's direct Lambda action.

    Raises:
        InvalidSignal: it is none of these or is broken; `field` says where, `fix` what would be right.
    """
    document = load(body)
    topic = None
    if _is_notification(document):
        envelope = Fields(document)
        topic = envelope.text("TopicArn")
        document = load(envelope.text("Message"))
    if not isinstance(document, dict):
        raise InvalidSignal("message", "must be one JSON object")
    event = Fields(document)
    if "alarmData" in document:
        return _from_direct_action(event)
    if "NewStateValue" in document:
        return alarms.from_sns(event, topic)
    return _from_eventbridge(event)


def _is_notification(document: Any) -> bool:
    return isinstance(document, dict) and document.get("Type") == "Notification" and "Message" in document


def _from_direct_action(event: Fields) -> Signal:
    if event.text("source") != alarms.SOURCE:
        raise event.wrong("source", f"must be {alarms.SOURCE} for an alarm's action")
    return alarms.from_direct_action(event)


def _from_eventbridge(event: Fields) -> Signal:
    source, kind = event.text("source"), event.text("detail-type")
    if source == alarms.SOURCE and kind == "CloudWatch Alarm State Change":
        return alarms.from_eventbridge(event)
    # Nearly all that arrives is an alarm: a start for one loads none of the other readers.
    from grace.signals import reported, services  # noqa: PLC0415

    if kind == reported.DETAIL_TYPE:
        return reported.error_detected(event)
    reader = services.READERS.get((source, kind)) or services.READERS_BY_SOURCE.get(source)
    if reader is None:
        raise event.wrong("detail-type", "is no event Grace reads from that source: route only those it documents")
    return reader(event)
