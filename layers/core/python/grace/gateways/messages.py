"""What Grace says to others: people, the bus, the doors. Saying it twice is harmless, so it may be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from grace.errors import AnswerLost, InvalidSetting, Unavailable
from grace.model.approval import Reminder
from grace.model.base import Json, Model
from grace.model.mission import DraftRequest
from grace.ports import Aws

SOURCE = "grace"
"""The source of every event of ours; the rules that feed us leave it out, so we never answer ourselves."""

_SUBJECT_LENGTH = 100


class AwsMessages:
    """`ports.Messages` over SNS, EventBridge and Lambda."""

    def __init__(self, aws: Aws, *, topic: str, bus: str, contract_function: str, ask_function: str = "") -> None:
        """Keep the port and the names; a door that never says a thing may leave its name empty."""
        self._aws = aws
        self._topic = topic
        self._bus = bus
        self._contract_function = contract_function
        self._ask_function = ask_function

    def notify(self, severity: str, subject: str, text: str) -> None:
        """Tell people; `severity` is a message attribute, so a subscription can filter on it."""
        self._call(
            "sns",
            "publish",
            TopicArn=_named(self._topic, "notify topic"),
            Subject=_subject(subject),
            Message=text,
            MessageAttributes={"severity": {"DataType": "String", "StringValue": severity}},
        )

    def publish(self, event: str, detail: Mapping[str, Json]) -> None:
        """Put an event on our bus.

        Raises:
            Unavailable: the bus took the call and refused the event.
        """
        entry = {
            "EventBusName": _named(self._bus, "event bus"),
            "Source": SOURCE,
            "DetailType": event,
            "Detail": json.dumps(detail),
        }
        answer = self._call("events", "put_events", Entries=[entry])
        if answer.get("FailedEntryCount"):
            raise Unavailable(f"events.put_events: {answer['Entries'][0].get('ErrorCode', 'the event was refused')}")

    def draft(self, request: DraftRequest) -> None:
        """Ask the `contract` door, asynchronously."""
        self._send(_named(self._contract_function, "contract function"), request)

    def remind(self, reminder: Reminder) -> None:
        """Ask the `ask` door, asynchronously, to look at an approval again."""
        self._send(_named(self._ask_function, "ask function"), reminder)

    def _send(self, function: str, request: Model) -> None:
        payload = request.model_dump_json().encode()
        self._call("lambda", "invoke", FunctionName=function, InvocationType="Event", Payload=payload)

    def _call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._aws.call(service, operation, **arguments)
        except AnswerLost as exc:
            raise Unavailable(str(exc)) from exc


def _named(value: str, what: str) -> str:
    if not value:
        raise InvalidSetting(f"the {what} is not set for this function: deploy the stack again")
    return value


def _subject(text: str) -> str:
    """Return what SNS takes as a subject: printable ASCII on one line, at most 100 characters."""
    plain = "".join(letter if " " <= letter <= "~" else " " for letter in text)
    return " ".join(plain.split())[:_SUBJECT_LENGTH] or SOURCE
