"""Delivers an alert to the deployed system the way AWS would deliver it: `grace fire FILE`.

Three doors, chosen by what the file holds:

- a CloudWatch alarm notification (`AlarmName` and `NewStateValue` at the top) is published to the alarm topic, with
  the subject CloudWatch writes, so SNS wraps it on its way to the ingest queue;
- an EventBridge event of a custom source is put on our own bus, where the rules select it;
- everything else goes straight to the ingest queue, as it stands: an EventBridge event of an `aws.*` source (only AWS
  itself may put those on a bus: PutEvents answers NotAuthorizedForSourceException; a rule's queue target receives
  exactly the event's JSON), an SNS envelope (`Type`, `TopicArn`), a direct alarm action (`alarmArn`, `alarmData`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.errors import DeliveryRefused
from infra.local.reconcile import Clients

# Keys that are there together only in a form which the queue takes as it stands.
_READY_MADE = ({"Type", "TopicArn", "Message"}, {"alarmArn", "alarmData"})
_EVENT_KEYS = frozenset({"source", "detail-type", "detail"})
_SUBJECT_LIMIT = 100


@dataclass(frozen=True)
class Doors:
    """Where alerts enter the deployed system: the stack's outputs."""

    topic_arn: str
    queue_url: str
    bus_name: str


@dataclass(frozen=True)
class Delivery:
    """What was done: the door (`topic`, `bus` or `queue`) and the id AWS gave the message."""

    door: str
    message_id: str


def read_alert(file: Path) -> dict[str, Any]:
    """The alert in `file`. Raises DeliveryRefused when it cannot be read or is no JSON object."""
    try:
        alert = json.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise DeliveryRefused(f"{file} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise DeliveryRefused(f"{file} is not JSON ({exc}): correct it and fire it again.") from exc
    if not isinstance(alert, dict):
        raise DeliveryRefused(f"{file} holds a {type(alert).__name__}, not one alert: an alert is a JSON object.")
    return alert


def deliver(clients: Clients, doors: Doors, alert: Mapping[str, Any]) -> Delivery:
    """Send `alert` through the door AWS would use.

    Raises DeliveryRefused when AWS sends nothing of this form, or when the bus refuses it.
    """
    if "AlarmName" in alert and "NewStateValue" in alert:
        return _publish(clients("sns"), doors.topic_arn, alert)
    if any(keys <= alert.keys() for keys in _READY_MADE):
        return _send(clients("sqs"), doors.queue_url, alert)
    if missing := sorted(_EVENT_KEYS - alert.keys()):
        raise DeliveryRefused(
            "This is no alert that AWS sends: it is no alarm notification (AlarmName, NewStateValue), and as an "
            f"EventBridge event it lacks {', '.join(missing)}."
        )
    if str(alert["source"]).startswith("aws."):
        return _send(clients("sqs"), doors.queue_url, alert)
    return _put(clients("events"), doors.bus_name, alert)


def _send(sqs: Any, queue_url: str, alert: Mapping[str, Any]) -> Delivery:
    answer = sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(alert))
    return Delivery("queue", answer["MessageId"])


def _publish(sns: Any, topic_arn: str, alarm: Mapping[str, Any]) -> Delivery:
    subject = f'{alarm["NewStateValue"]}: "{alarm["AlarmName"]}" in {alarm.get("Region", "")}'[:_SUBJECT_LIMIT]
    answer = sns.publish(TopicArn=topic_arn, Subject=subject, Message=json.dumps(alarm))
    return Delivery("topic", answer["MessageId"])


def _put(events: Any, bus_name: str, event: Mapping[str, Any]) -> Delivery:
    entry = {
        "EventBusName": bus_name,
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event.get("resources", []),
        **({"Time": event["time"]} if "time" in event else {}),
    }
    result = events.put_events(Entries=[entry])["Entries"][0]
    if "ErrorCode" in result:
        raise DeliveryRefused(f"The bus {bus_name} refused the event: {result['ErrorCode']}: {result['ErrorMessage']}")
    return Delivery("bus", result["EventId"])
