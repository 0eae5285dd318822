"""What can be known of a playbook before any alert: whether its words mean something that can be done and measured.

Used by `grace playbooks lint` and by every synth; a playbook that fails here is never deployed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grace.actions.base import Action, actions
from grace.errors import GraceError, InvalidPlaybook
from grace.model.contract import Undo
from grace.model.diagnosis import DiagnosisCode
from grace.model.playbook import PlaybookSpec
from grace.model.signal import MetricRef, Signal
from grace.patterns import validate
from grace.playbooks.loader import files, load_playbook, load_playbooks
from grace.probes.measure import check_promises
from grace.resources.base import Restorable, resource_types


def lint(directories: Iterable[Path], examples: Iterable[Path] = ()) -> list[str]:
    """Return one sentence for each thing that is wrong in the directories' playbooks; none means all are good.

    A playbook's `example` is looked for beside it, in its folder's `events`, and in `examples`.
    """
    folders = list(directories)
    problems: list[str] = []
    unread = False
    for path in files(folders):
        try:
            spec = load_playbook(path)
        except InvalidPlaybook as exc:
            problems.append(str(exc))
            unread = True
            continue
        problems += [f"{path.name}: {problem}" for problem in problems_of(spec)]
        if not any((folder / spec.example).is_file() for folder in (path.parent, path.parent / "events", *examples)):
            problems.append(f"{path.name}: example: {spec.example!r} is not there: add the alert that leads to it")
    return problems if unread else problems + _checked(lambda: load_playbooks(folders))


def problems_of(spec: PlaybookSpec) -> list[str]:
    """Return one sentence for each thing that is wrong in one playbook, but for its example."""
    problems: list[str] = []
    if DiagnosisCode.UNKNOWN in spec.diagnoses:
        problems.append("diagnoses: unknown goes to a person: remove it")
    if spec.when is not None:
        problems += _checked(lambda: _check_when(spec.when))
    kind = resource_types().get(spec.resource)
    act = actions().get(str(spec.action.get("use", "")))
    if kind is None:
        problems.append(
            f"resource: Grace cannot act on {spec.resource}: use one of {', '.join(sorted(resource_types()))}"
        )
    if act is None:
        named = spec.action.get("use", "nothing")
        problems.append(f"action.use: {named!r} is no action: use one of {', '.join(sorted(actions()))}")
    if kind is not None and act is not None:
        problems += _of_action(spec, kind, act)
        problems += _checked(lambda: check_promises(spec, kind, act.parameters.model_fields))
    return problems


def _of_action(spec: PlaybookSpec, kind: Restorable[Any], act: Action[Any, Any, Any]) -> list[str]:
    problems: list[str] = []
    if act.on != spec.resource:
        problems.append(f"action.use: {act.name} acts on {act.on} and not on {spec.resource}")
    if act.undo is Undo.RESTORE and not kind.writes:
        problems.append(f"action.use: {act.name} would have to be undone and {spec.resource} cannot be restored")
    wide = sorted(arn for arn in kind.arns if arn == "*" or "{account}" not in arn)
    if act.iam and wide:
        problems.append(
            f"action.use: {act.name} would be allowed on {', '.join(wide)}: name the account's own resources"
        )
    try:
        act.ask.model_validate({key: value for key, value in spec.action.items() if key != "use"})
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        key = ".".join(map(str, ("action", *problem["loc"])))
        fix = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            fix = f"there is no such key: use {', '.join(('use', *act.ask.model_fields))}"
        problems.append(f"{key}: {fix}")
    return problems


def _check_when(pattern: Any) -> None:
    validate(pattern)
    _check_fields(pattern, set(Signal.model_fields), "when")
    if isinstance(pattern.get("metric"), dict):
        _check_fields(pattern["metric"], set(MetricRef.model_fields), "when.metric")


def _check_fields(pattern: dict[str, Any], known: set[str], where: str) -> None:
    """Refuse a pattern over a field no signal has: it could never match, and nobody would notice."""
    for name, value in pattern.items():
        if name == "$or":
            for branch in value:
                _check_fields(branch, known, where)
        elif name not in known:
            raise InvalidPlaybook(f"{where}.{name}: is no field of a signal: use one of {', '.join(sorted(known))}")


def _checked(check: Any) -> list[str]:
    try:
        check()
    except GraceError as exc:
        return [str(exc)]
    return []
