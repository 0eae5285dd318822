"""What AWS services say on EventBridge about themselves: Health, EC2, ECS, RDS, Auto Scaling.

Each becomes a Signal with state `EVENT`; its `code` is the service's own word (a state, an event's name or id), which
is also what tells two events of one second apart. Shapes: EventBridge "Events reference" and the services' guides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from grace.errors import InvalidSignal
from grace.model.signal import Severity, Signal, SignalState
from grace.signals.building import build
from grace.signals.reading import Fields, clean_name

_CONTAINER_ERROR = re.compile(r"([A-Za-z]{3,60}Error):?(?: |$)")
_TASK_FAILURES = frozenset({"TaskFailedToStart", "EssentialContainerExited"})
_LEVELS = {"ERROR": Severity.HIGH, "WARN": Severity.MEDIUM, "INFO": Severity.INFO}
_HEALTH = {"issue": Severity.HIGH, "investigation": Severity.MEDIUM, "scheduledChange": Severity.MEDIUM}
_RDS = {"failure": Severity.CRITICAL, "low storage": Severity.HIGH, "availability": Severity.MEDIUM}
_AUTO_SCALING_NOISE = ("EC2 Auto Scaling ", "EC2 Instance-", "EC2 Instance ")
_TROUBLE = ("unsuccessful", "failed")


def _event(event: Fields, **fields: Any) -> Signal:
    """Build the Signal of a service event; account, region and time are those EventBridge stamped."""
    word = fields.pop("state_word", fields["code"])
    return build(
        state_word=word,
        at=event.instant("time"),
        source=event.name("source"),
        account=event.account("account"),
        region=event.region("region"),
        **{"state": SignalState.EVENT, **fields},
    )


def health(event: Fields) -> Signal:
    """Return the Signal of an AWS Health event; one that is closed is `OK`."""
    detail = event.below("detail")
    category, status = detail.code("eventTypeCategory"), detail.maybe("statusCode") or "open"
    closed = status == "closed"
    descriptions = detail.objects("eventDescription")
    return _event(
        event,
        kind="health",
        subject=f"aws.health {detail.name('eventArn')}",
        name=detail.code("eventTypeCode"),
        service=f"health/{detail.code('service')}",
        alarm_class=f"health:{category}",
        state=SignalState.OK if closed else SignalState.EVENT,
        state_word=f"{detail.code('eventTypeCode')} {_status(status)}",
        severity=Severity.INFO if closed else _HEALTH.get(category, Severity.LOW),
        code=detail.code("eventTypeCode"),
        resources=_known_arns(event),
        message=descriptions[0].prose("latestDescription") if descriptions else "",
    )


def _status(status: str) -> str:
    """Return a Health status, refused unless it is one of the documented three."""
    if status not in ("open", "closed", "upcoming"):
        raise InvalidSignal("detail.statusCode", "must be open, closed or upcoming")
    return status


def ec2_state(event: Fields) -> Signal:
    """Return the Signal of an "EC2 Instance State-change Notification"."""
    detail = event.below("detail")
    instance, state = detail.code("instance-id"), detail.code("state")
    return _event(
        event,
        kind="ec2_state",
        subject=f"aws.ec2 {instance}",
        name=instance,
        service=f"ec2/{instance}",
        alarm_class="ec2:state",
        # Stopping is somebody's wish or the platform's doing; the event does not say which. An end is always a wish.
        severity=Severity.LOW if state == "stopped" else Severity.INFO,
        code=state,
        resources=event.arns("resources", event.account("account")),
        message=f"{instance} is {state}",
    )


def ecs_task(event: Fields) -> Signal:
    """Return the Signal of an "ECS Task State Change"; `code` is the container's error, else the stop code."""
    detail = event.below("detail")
    task, cluster = detail.name("taskArn"), _tail(detail.name("clusterArn"))
    status = detail.code("lastStatus")
    code = status
    if status == "STOPPED":
        code = _container_error(detail.objects("containers")) or detail.code("stopCode")
    group = detail.name("group") if detail.maybe("group") else _tail(detail.name("taskDefinitionArn"))
    failed = status == "STOPPED" and (code in _TASK_FAILURES or code.endswith("Error"))
    return _event(
        event,
        kind="ecs_task",
        subject=f"aws.ecs {task}",
        name=_tail(task),
        service=f"ecs/{cluster}/{group.removeprefix('service:')}"[:256],
        alarm_class="ecs:task",
        severity=Severity.HIGH if failed else Severity.INFO,
        code=code,
        resources=event.arns("resources", event.account("account")),
        message=detail.prose("stoppedReason"),
    )


def _container_error(containers: list[Fields]) -> str | None:
    """Return the error name ECS puts before a container's reason, for example `OutOfMemoryError`."""
    for container in containers:
        if found := _CONTAINER_ERROR.match(container.maybe("reason") or ""):
            return found.group(1)
    return None


def ecs_service(event: Fields) -> Signal:
    """Return the Signal of an "ECS Service Action"."""
    return _ecs_named(event, "ecs_service", "ecs:service")


def ecs_deployment(event: Fields) -> Signal:
    """Return the Signal of an "ECS Deployment State Change"."""
    return _ecs_named(event, "ecs_deployment", "ecs:deployment")


def _ecs_named(event: Fields, kind: str, trouble: str) -> Signal:
    detail = event.below("detail")
    arns = event.arns("resources", event.account("account"))
    if not arns or ":service/" not in arns[0]:
        raise event.wrong("resources", "must begin with the service's ARN")
    path = arns[0].split(":service/", 1)[1]
    level = detail.code("eventType")
    return _event(
        event,
        kind=kind,
        subject=f"aws.ecs {arns[0]}",
        name=_tail(path),
        service=f"ecs/{path}"[:256],
        alarm_class=trouble,
        severity=_LEVELS.get(level, Severity.MEDIUM),
        code=detail.code("eventName"),
        resources=arns,
        message=detail.prose("reason"),
    )


def rds(event: Fields) -> Signal:
    """Return the Signal of an RDS event; its class is the first category RDS filed it under."""
    detail = event.below("detail")
    categories = [clean_name(str(word), "detail.EventCategories") for word in detail.array("EventCategories")]
    category = categories[0] if categories else "none"
    identifier = detail.name("SourceIdentifier")
    return _event(
        event,
        kind="rds",
        subject=f"aws.rds {identifier}",
        name=identifier,
        service=f"rds/{identifier}",
        alarm_class=f"rds:{category}"[:256],
        severity=_RDS.get(category, Severity.INFO),
        code=detail.code("EventID"),
        resources=_known_arns(event),
        message=detail.prose("Message"),
    )


def auto_scaling(event: Fields) -> Signal:
    """Return the Signal of an Auto Scaling event; `code` is its detail type in one word, `launch_unsuccessful`."""
    detail = event.below("detail")
    group, kind = detail.name("AutoScalingGroupName"), event.name("detail-type")
    for noise in _AUTO_SCALING_NOISE:
        kind = kind.removeprefix(noise)
    code = re.sub(r"[^a-z]+", "_", kind.lower()).strip("_")
    if not code:
        raise event.wrong("detail-type", "must name an Auto Scaling event in letters")
    return _event(
        event,
        kind="autoscaling",
        subject=f"aws.autoscaling {group}",
        name=group,
        service=f"autoscaling/{group}",
        alarm_class="autoscaling:instances",
        severity=Severity.HIGH if code.endswith(_TROUBLE) else Severity.INFO,
        code=code[:128],
        resources=event.arns("resources", event.account("account")),
        message=detail.prose("StatusMessage"),
    )


def _known_arns(event: Fields) -> tuple[str, ...]:
    """Return the event's resources; Health and RDS may name things that have no ARN, which are left out."""
    account = event.account("account")
    named = [arn for arn in event.array("resources") if isinstance(arn, str) and arn.startswith("arn:")]
    return Fields({"resources": named[:20]}).arns("resources", account)


def _tail(path: str) -> str:
    return path.rsplit("/", 1)[-1]


READERS: Mapping[tuple[str, str], Callable[[Fields], Signal]] = {
    ("aws.health", "AWS Health Event"): health,
    ("aws.ec2", "EC2 Instance State-change Notification"): ec2_state,
    ("aws.ecs", "ECS Task State Change"): ecs_task,
    ("aws.ecs", "ECS Service Action"): ecs_service,
    ("aws.ecs", "ECS Deployment State Change"): ecs_deployment,
}
"""Readers by source and detail type."""

READERS_BY_SOURCE: Mapping[str, Callable[[Fields], Signal]] = {"aws.rds": rds, "aws.autoscaling": auto_scaling}
"""Readers of sources whose detail types all have one shape."""
