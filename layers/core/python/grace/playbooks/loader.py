"""Playbook files, read once at synth: YAML in, typed and digested specs out, or one sentence with the fix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from grace.errors import InvalidPlaybook
from grace.model.approval import Directory, Person, Rota, role_of
from grace.model.base import canonical, sha256_hex
from grace.model.catalogue import CataloguedPlaybook
from grace.model.playbook import PlaybookSpec
from grace.playbooks._yaml import read_yaml

BUILT_IN = Path(__file__).parent
"""The playbooks that come with Grace."""

M = TypeVar("M", bound=BaseModel)


def load_playbook(path: Path) -> PlaybookSpec:
    """Return one playbook.

    Raises:
        InvalidPlaybook: one sentence naming file, key and fix.
    """
    spec = _parse(PlaybookSpec, read_yaml(path), path.name)
    if path.stem != spec.name:
        raise InvalidPlaybook(f"{path.name}: name: is {spec.name!r}: give file and playbook the same name")
    return spec


def files(directories: Iterable[Path]) -> list[Path]:
    """Return the playbook files of the directories, by directory and name; raises `InvalidPlaybook` for one not there."""
    found: list[Path] = []
    for directory in directories:
        if not directory.is_dir():
            raise InvalidPlaybook(f"{directory}: is not a directory: correct `playbooks` in cdk.json")
        found.extend(sorted(directory.glob("*.yaml")))
    return found


def load_playbooks(directories: Iterable[Path]) -> tuple[CataloguedPlaybook, ...]:
    """Return the playbooks of all directories by name, each with its digest; a name used twice is refused."""
    found: dict[str, tuple[Path, PlaybookSpec]] = {}
    for path in files(directories):
        spec = load_playbook(path)
        if spec.name in found:
            raise InvalidPlaybook(f"{path}: name: {spec.name!r} is taken by {found[spec.name][0]}: choose another")
        found[spec.name] = path, spec
    return tuple(CataloguedPlaybook(spec=spec, digest=digest_of(spec)) for _, (_, spec) in sorted(found.items()))


def digest_of(spec: PlaybookSpec) -> str:
    """Return the SHA-256 over the canonical form, which every contract drafted from it pins."""
    return sha256_hex(canonical(spec.model_dump(mode="json")))


def load_people(path: Path) -> Directory:
    """Return the directory of people: a list of people, or a mapping of `people` and `rotas`.

    Raises:
        InvalidPlaybook: an entry is wrong; two people share an id, a principal, a mailbox or a subject, or one has a
            session of the other's role, which would be one person twice; or a rota names somebody who is not there, or
            has the name of a group.
    """
    document = read_yaml(path)
    if isinstance(document, list):
        document = {"people": document}
    if not isinstance(document, dict) or not isinstance(document.get("people"), list):
        raise InvalidPlaybook(f"{path.name}: must be a list of people: begin each with `- id:`")
    unknown = sorted(set(document) - {"people", "rotas"})
    rotas = document.get("rotas", [])
    if unknown or not isinstance(rotas, list):
        what = f"{unknown[0]}: there is no such key" if unknown else "rotas: must be a list"
        raise InvalidPlaybook(f"{path.name}: {what}: use a list of people, and a list of rotas if you have any")
    directory = Directory(
        people=tuple(
            _parse(Person, fields, f"{path.name}[{number}]") for number, fields in enumerate(document["people"])
        ),
        rotas=tuple(_parse(Rota, fields, f"{path.name}: rotas[{number}]") for number, fields in enumerate(rotas)),
    )
    _nobody_twice(directory, path)
    _rotas_lead_to_people(directory, path)
    return directory


def _nobody_twice(directory: Directory, path: Path) -> None:
    taken: dict[str, str] = {}
    for person in directory.people:
        for claim in filter(None, dict.fromkeys((person.id, *person.principals, person.mail.lower(), person.subject))):
            if claim in taken:
                raise InvalidPlaybook(
                    f"{path.name}: {claim!r} stands for {taken[claim]} already: one person, one entry"
                )
            taken[claim] = person.id
    for person in directory.people:
        for arn in person.principals:
            owner = taken.get(role_of(arn) or "", person.id)
            if owner != person.id:
                raise InvalidPlaybook(
                    f"{path.name}: {arn!r} of {person.id} is a session of a role that stands for {owner}: give one of "
                    "them another principal"
                )


def _rotas_lead_to_people(directory: Directory, path: Path) -> None:
    taken = {group for person in directory.people for group in person.groups}
    for rota in directory.rotas:
        if rota.name in taken:
            raise InvalidPlaybook(
                f"{path.name}: the rota {rota.name!r} has the name of a group or rota: choose another"
            )
        taken.add(rota.name)
        lost = [person for person in rota.people if directory.by_id(person) is None]
        if lost:
            raise InvalidPlaybook(
                f"{path.name}: the rota {rota.name!r} names {lost[0]!r}, who is not in the list: add them"
            )


def _parse(model: type[M], fields: Any, where: str) -> M:
    if not isinstance(fields, dict):
        raise InvalidPlaybook(f"{where}: must be a mapping with the keys {', '.join(model.model_fields)}")
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        fix = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            fix = "there is no such key"
            if len(problem["loc"]) == 1:
                fix += f": use {', '.join(model.model_fields)}"
        elif problem["type"] == "missing":
            fix = "is missing: add it"
        raise InvalidPlaybook(f"{where}: {key}: {fix}") from exc
