"""For each action a resource to run it on, what a playbook asks, and the absolute values that must come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from grace.actions.base import action
from grace.errors import Refused
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import resource_type
from tests.support.aws import ACCOUNT, REGION, MotoAws
from tests.support.resources import make_alias, make_function, make_group, make_instance, make_service


@dataclass(frozen=True, slots=True)
class ActionCase:
    """`parameters` is what `plan` must return; without it the test computes it from the resource."""

    make: Callable[[MotoAws], ResourceRef]
    ask: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] | None = None
    writes: tuple[str, ...] = ()


CASES: dict[str, ActionCase] = {
    "shift_alias": ActionCase(make_alias, {"to": "previous_version"}, {"to": "2"}, ("update_alias",)),
    "set_memory": ActionCase(make_function, {"factor": 1.5}, {"memory_size": 384}, ("update_function_configuration",)),
    "set_timeout": ActionCase(make_function, {"seconds": 30}, {"timeout": 30}, ("update_function_configuration",)),
    "set_log_level": ActionCase(
        make_function,
        {"level": "DEBUG", "ttl": "15m"},
        {"level": "DEBUG", "ttl": 900},
        ("update_function_configuration",),
    ),
    "set_reserved_concurrency": ActionCase(
        make_function, {"to": 50}, {"reserved_concurrency": 50}, ("put_function_concurrency",)
    ),
    "set_capacity": ActionCase(
        make_group,
        {"add": 1},
        {"min_size": 1, "max_size": 4, "desired_capacity": 3, "price": 0.012},
        ("update_auto_scaling_group",),
    ),
    "set_desired_count": ActionCase(make_service, {"add": 2, "max": 10}, {"desired_count": 4}, ("update_service",)),
    "roll_back_task_definition": ActionCase(
        make_service,
        {"to": "previous_revision"},
        {"to": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:2"},
        ("update_service",),
    ),
    "force_new_deployment": ActionCase(
        make_service,
        {},
        {"task_definition": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web:3"},
        ("update_service",),
    ),
    "reboot_instance": ActionCase(make_instance, {}, None, ("reboot_instances",)),
}


def plan(name: str, ref: ResourceRef, aws: Aws, **ask: Any) -> dict[str, Any]:
    """What an action makes of an ask on a resource as it stands."""
    act = action(name)
    before = resource_type(act.on).capture(ref, aws)
    return act.plan(ref, before, act.ask.model_validate(ask), aws).model_dump(mode="json")


def check(name: str, ref: ResourceRef, aws: Aws, **parameters: Any) -> None:
    """What preflight does with absolute values."""
    act = action(name)
    act.check(ref, resource_type(act.on).capture(ref, aws), act.parse(parameters), aws)


@contextmanager
def refused(code: str) -> Iterator[None]:
    """Expect a refusal with that code, and a sentence with it."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code == code, f"{caught.value.code}: {caught.value}"
    assert len(str(caught.value)) > 20, "a refusal is a sentence"
