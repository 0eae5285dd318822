"""The state machine, read as data: our most important program and the least often run."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.house.tree import PACKAGE, Tree

MACHINE = "statemachines/remediation.asl.json"
# The doors the workflow wakes; every other door has another trigger.
WORKFLOW_DOORS = {"ask", "snapshot", "execute", "benchmark", "verify", "rollback", "close"}
PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
# Ends of the way on which an error leads to Rollback: undoing and closing have their own handling.
AFTER_THE_ACTION = {"Rollback", "Close"}
BUILT_IN_ERRORS = ("States.", "Lambda.", "Sandbox.", "Runtime.")
REFUSED_FIELDS = {"TimeoutSecondsPath", "HeartbeatSecondsPath", "HeartbeatSeconds"}

State = dict[str, Any]


def machine_calls_the_doors_that_exist(tree: Tree) -> list[str]:
    """Its placeholders are the workflow's doors, both ways: none unknown, none forgotten."""
    doors = {name.removeprefix("functions/").removesuffix(".py") for name in tree.python("functions")}
    called = set()
    found = []
    for name, state in _states(tree):
        if state["Type"] != "Task":
            continue
        text = json.dumps([state.get("Resource"), state.get("Parameters", {}).get("FunctionName")])
        placeholders = {_door(each) for each in PLACEHOLDER.findall(text)}
        called |= placeholders
        if not placeholders:
            found.append(f"{MACHINE}: {name} calls no placeholder; an address may not be written down")
    found += [f"{MACHINE}: calls {door!r}, which is not in functions/" for door in sorted(called - doors)]
    if tree.has(MACHINE):
        found += [f"{MACHINE}: never calls functions/{door}.py" for door in sorted(doors & WORKFLOW_DOORS - called)]
    return found


def machine_knows_only_our_errors(tree: Tree) -> list[str]:
    """Error names it routes on are built in or classes of `errors.py`."""
    source = f"{PACKAGE}/errors.py"
    ours = (
        {node.name for node in tree.syntax(source).body if isinstance(node, ast.ClassDef)}
        if tree.has(source)
        else set()
    )
    return [
        f"{MACHINE}: {name} names the error {error!r}, which errors.py does not have"
        for name, state in _states(tree)
        for error in _errors(state)
        if not error.startswith(BUILT_IN_ERRORS) and error not in ours
    ]


def machine_paths_are_whole(tree: Tree) -> list[str]:
    """Every target exists, every state is reachable, from every state there is a way to an end, every Choice has a default."""
    states = dict(_states(tree))
    if not states:
        return []
    start = json.loads(tree.text(MACHINE))["StartAt"]
    found = [
        f"{MACHINE}: {name} leads to {target!r}, which is not a state"
        for name, state in states.items()
        for target in _targets(state)
        if target not in states
    ]
    reached = _closure({start}, {name: set(_targets(state)) for name, state in states.items()})
    found += [f"{MACHINE}: {name} can never be reached" for name in states if name not in reached]
    back: dict[str, set[str]] = {}
    for name, state in states.items():
        for target in _targets(state):
            back.setdefault(target, set()).add(name)
    ends = {name for name, state in states.items() if state.get("End") or state["Type"] in {"Succeed", "Fail"}}
    ending = _closure(ends, back)
    found += [f"{MACHINE}: from {name} no end can be reached" for name in states if name not in ending]
    found += [
        f"{MACHINE}: {name} has no Default; a value nobody thought of would be an uncaught error"
        for name, state in states.items()
        if state["Type"] == "Choice" and "Default" not in state
    ]
    return found


def machine_tasks_expect_trouble(tree: Tree) -> list[str]:
    """Every Task has a literal timeout, a Retry with full jitter on named errors, and a Catch of everything."""
    found = []
    for name, state in _states(tree):
        found += [f"{MACHINE}: {name} uses {field}" for field in REFUSED_FIELDS & state.keys()]
        if "SecondsPath" in state and name != "Settle":
            found.append(f"{MACHINE}: {name} uses SecondsPath; only Settle may wait as long as the document says")
        if state["Type"] != "Task":
            continue
        if not isinstance(state.get("TimeoutSeconds"), int):
            found.append(f"{MACHINE}: {name} has no literal TimeoutSeconds")
        if not state.get("Retry"):
            found.append(f"{MACHINE}: {name} has no Retry")
        for retry in state.get("Retry", []):
            if retry.get("JitterStrategy") != "FULL":
                found.append(f"{MACHINE}: {name} retries without full jitter")
            if {"States.ALL", "States.TaskFailed"} & set(retry["ErrorEquals"]):
                found.append(f"{MACHINE}: {name} retries errors it does not name")
        if not any("States.ALL" in catch["ErrorEquals"] for catch in state.get("Catch", [])):
            found.append(f"{MACHINE}: {name} does not catch States.ALL")
    return found


def machine_undoes_after_snapshot(tree: Tree) -> list[str]:
    """From Snapshot on, until undoing or closing begins, every Catch leads to Rollback."""
    states = dict(_states(tree))
    if not states:
        return []
    if missing := {"Snapshot", "Rollback"} - states.keys():
        return [f"{MACHINE}: has no state {name}" for name in sorted(missing)]
    arrows = {name: set() if name in AFTER_THE_ACTION else set(_targets(state)) for name, state in states.items()}
    behind = _closure({"Snapshot"}, arrows) - AFTER_THE_ACTION
    return [
        f"{MACHINE}: an error in {name} leads to {catch['Next']}, not to Rollback"
        for name in sorted(behind & states.keys())
        for catch in states[name].get("Catch", [])
        if catch["Next"] != "Rollback"
    ]


def _states(tree: Tree) -> Iterator[tuple[str, State]]:
    """Yield the states by name; nothing while the file does not exist."""
    if tree.has(MACHINE):
        yield from json.loads(tree.text(MACHINE))["States"].items()


def _targets(state: State) -> list[str]:
    """Return every state this one may lead to."""
    choices = [choice["Next"] for choice in state.get("Choices", [])]
    catches = [catch["Next"] for catch in state.get("Catch", [])]
    return [target for target in (state.get("Next"), state.get("Default"), *choices, *catches) if target]


def _errors(state: State) -> list[str]:
    """Return every error name the state routes on; a Fail's own name is for people to read."""
    return [error for rule in (*state.get("Retry", []), *state.get("Catch", [])) for error in rule["ErrorEquals"]]


def _closure(start: set[str], arrows: dict[str, set[str]]) -> set[str]:
    """Return everything that can be reached from `start`, itself included."""
    seen: set[str] = set()
    waiting = set(start)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        waiting |= arrows.get(name, set()) - seen
    return seen


def _door(placeholder: str) -> str:
    """Return the door a placeholder stands for: `SnapshotFunctionArn`, `snapshot_arn` and `Snapshot` are `snapshot`."""
    return re.sub(r"_?(function)?_?(arn|name)?$", "", placeholder, flags=re.IGNORECASE).lower()
