"""The data of one deployment, put together at synth from playbook folders, people and configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from grace.errors import InvalidPlaybook
from grace.model.approval import Directory
from grace.model.catalogue import Catalogue, CataloguedPlaybook
from grace.model.contract import Mode
from grace.model.diagnosis import Rule
from grace.playbooks.lint import lint
from grace.playbooks.loader import BUILT_IN, load_people, load_playbooks


def build(
    directories: Sequence[Path] = (),
    *,
    rules: Iterable[Rule],
    people: Path | None = None,
    modes: Mapping[str, Mode] | None = None,
    examples: Sequence[Path] = (),
    signs_in: bool = False,
    **options: Any,
) -> Catalogue:
    """Return the catalogue of the playbooks that come with Grace and those of `directories`, all of them linted.

    `signs_in` says that tier 3 is decided by link and sign-in; `options` are the remaining fields of `Catalogue` (`approvers`, `http_hosts`, `group_window`, ...).

    Raises:
        InvalidPlaybook: one sentence a line for everything that is wrong.
    """
    folders = [BUILT_IN, *directories]
    problems = lint(folders, examples)
    if problems:
        raise InvalidPlaybook("\n".join(problems))
    playbooks = load_playbooks(folders)
    catalogue = Catalogue(
        playbooks=playbooks,
        rules=tuple(rules),
        directory=load_people(people) if people else Directory(),
        modes=dict(modes or {}),
        **options,
    )
    problems = [problem for playbook in playbooks for problem in _unaskable(playbook, catalogue)]
    if signs_in:
        problems += _unsigned(catalogue)
    known = {playbook.spec.name for playbook in playbooks}
    unknown = sorted(set(catalogue.modes) - known)
    problems += _unknown_names(catalogue)
    problems += [f"modes.{name}: there is no such playbook" for name in unknown]
    problems += [f"lifted.{name}: there is no such playbook" for name in sorted(set(catalogue.lifted) - known)]
    if problems:
        raise InvalidPlaybook("\n".join(problems))
    return catalogue


def _unknown_names(catalogue: Catalogue) -> list[str]:
    """Return what is wrong with the groups and rotas that the configuration names."""
    tiers, playbooks = {"2", "3"}, {playbook.spec.name for playbook in catalogue.playbooks}
    groups = {group for person in catalogue.directory.people for group in person.groups}
    callable_ = groups | {rota.name for rota in catalogue.directory.rotas}
    return [
        *(
            f"approvers_for.{name}: is neither a tier (2, 3) nor a playbook: correct the name"
            for name in catalogue.approvers_for
            if name not in tiers | playbooks
        ),
        *(
            f"approvers_for.{name}: nobody of the people file is in the group {group!r}: add people"
            for name, group in catalogue.approvers_for.items()
            if group not in groups
        ),
        *(
            f"escalation: {name!r} is neither a group nor a rota of the people file: add it there"
            for name in catalogue.escalation
            if name not in callable_
        ),
    ]


def unstoppable(catalogue: Catalogue) -> str:
    """Return a sentence when playbooks may act and nobody is in the group that may stop them, else an empty string."""
    acting = sorted(name for name, mode in catalogue.modes.items() if mode is not Mode.SHADOW)
    if not acting or catalogue.directory.members(catalogue.operators):
        return ""
    return f"The group {catalogue.operators!r} of the people file is empty: nobody could stop {', '.join(acting)}."


def _unaskable(playbook: CataloguedPlaybook, catalogue: Catalogue) -> list[str]:
    """Return what is wrong when a playbook may act, must ask, and there are too few people to ask."""
    spec, mode = playbook.spec, catalogue.mode(playbook.spec.name)
    asks = mode is Mode.APPROVAL or (mode is Mode.AUTONOMOUS and spec.tier > 1)
    need = 2 if spec.tier == 3 else 1
    group = catalogue.group_for(spec.name, max(2, spec.tier))
    have = len(catalogue.directory.members(group))
    if not asks or have >= need:
        return []
    return [f"modes.{spec.name}: {mode.value} asks {need} of the group {group!r}, which has {have}: add people"]


def _unsigned(catalogue: Catalogue) -> list[str]:
    """Return what is wrong where tier 3 is asked of a group of which too few can sign in."""
    asked = [
        (f"modes.{each.spec.name}", catalogue.group_for(each.spec.name, 3))
        for each in catalogue.playbooks
        if each.spec.tier == 3 and catalogue.mode(each.spec.name) is not Mode.SHADOW
    ]
    # Policy raises any playbook to tier 3: who names a group for it expects that.
    asked += [("approvers_for.3", catalogue.approvers_for["3"])] if "3" in catalogue.approvers_for else []
    found = []
    for key, group in asked:
        members = catalogue.directory.members(group)
        have = sum(bool(person.subject) for person in members)
        if have < 2:
            found.append(
                f"{key}: tier 3 asks 2 signed-in people of the group {group!r}, and {have} of its {len(members)} have a "
                "`subject`: a link of tier 3 is of no use without one; add it in the people file, or leave out `oidc`"
            )
    return found
