"""An alert enters as AWS would have let it in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.deliver import Delivery, Doors, deliver, read_alert
from infra.local.errors import DeliveryRefused
from infra.local.reconcile import Clients

EVENTS = Path(__file__).parents[1] / "events"


@pytest.fixture(scope="module")
def doors(aws: Clients) -> Iterator[Doors]:
    """A queue behind a topic and behind a rule of a bus, as the ingest queue is."""
    url = aws("sqs").create_queue(QueueName="ingest")["QueueUrl"]
    arn = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}}
    policy = {"Version": "2012-10-17", "Statement": [allow | {"Action": "sqs:SendMessage", "Resource": arn}]}
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    topic = aws("sns").create_topic(Name="alarms")["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws("events").create_event_bus(Name="ours")
    aws("events").put_rule(
        Name="errors", EventBusName="ours", EventPattern=json.dumps({"detail-type": ["error.detected"]})
    )
    aws("events").put_targets(Rule="errors", EventBusName="ours", Targets=[{"Id": "queue", "Arn": arn}])
    yield Doors(topic_arn=topic, queue_url=url, bus_name="ours")
    aws("sqs").delete_queue(QueueUrl=url)


def _received(aws: Clients, doors: Doors) -> dict[str, Any]:
    [message] = aws("sqs").receive_message(QueueUrl=doors.queue_url, WaitTimeSeconds=10)["Messages"]
    aws("sqs").delete_message(QueueUrl=doors.queue_url, ReceiptHandle=message["ReceiptHandle"])
    body = json.loads(message["Body"])
    assert isinstance(body, dict)
    return body


@pytest.mark.engine
def test_an_alarm_notification_arrives_wrapped_by_sns(aws: Clients, doors: Doors) -> None:
    alarm = read_alert(EVENTS / "alarm_lambda_errors.sns_raw.json")
    done = deliver(aws, doors, alarm)
    envelope = _received(aws, doors)
    assert done == Delivery("topic", envelope["MessageId"])
    assert (envelope["Type"], envelope["TopicArn"]) == ("Notification", doors.topic_arn)
    assert envelope["Subject"].startswith(f'ALARM: "{alarm["AlarmName"]}" in ')
    assert json.loads(envelope["Message"]) == alarm


@pytest.mark.engine
def test_an_error_of_ours_arrives_through_the_bus_and_its_rule(aws: Clients, doors: Doors) -> None:
    event = read_alert(EVENTS / "error_timeout.json")
    done = deliver(aws, doors, event)
    arrived = _received(aws, doors)
    assert done == Delivery("bus", arrived["id"])
    # Not `time`: the engine stamps its own (docs/engine-fidelity.md).
    for key in ("source", "detail-type", "detail", "resources"):
        assert arrived[key] == event[key], key


@pytest.mark.engine
@pytest.mark.parametrize(
    "name", ["health_lambda_issue.json", "alarm_lambda_errors.direct.json", "alarm_lambda_errors.sns.json"]
)
def test_what_only_aws_may_send_arrives_as_it_stands(aws: Clients, doors: Doors, name: str) -> None:
    alert = read_alert(EVENTS / name)
    assert deliver(aws, doors, alert).door == "queue"
    assert _received(aws, doors) == alert


def test_the_buses_own_refusal_is_told() -> None:
    """PutEvents answers 200 with the refusal in the entry: a caller that looks only at the status loses the alert."""

    class Events:
        def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            assert Entries[0]["Time"] == "2026-01-31T12:00:07Z"
            return {"Entries": [{"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}]}

    with pytest.raises(DeliveryRefused, match=r"The bus bus refused the event: MalformedDetail: Detail is malformed\."):
        deliver(lambda _service: Events(), Doors("topic", "queue", "bus"), read_alert(EVENTS / "error_timeout.json"))


def test_what_aws_never_sends_is_refused_with_what_it_lacks() -> None:
    doors = Doors("topic", "queue", "bus")
    with pytest.raises(DeliveryRefused, match="it lacks detail, detail-type"):
        deliver(_no_client, doors, {"source": "shop"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "holds a list, not one alert")],
)
def test_a_file_that_holds_no_alert_is_one_sentence(tmp_path: Path, text: str | None, sentence: str) -> None:
    file = tmp_path / "alert.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(DeliveryRefused, match=sentence):
        read_alert(file)


def _no_client(service: str) -> Any:
    raise AssertionError(f"{service} was called")
