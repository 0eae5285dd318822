"""Cedar behind the port `Policy`, and what is checked of policies before they are deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import cedarpy

from grace.errors import PolicyUnreadable
from grace.model.policy import PolicyAnswer, PolicyFile, Question

_ID = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$")
_REACH = re.compile(r"\b(reach|dependents)\b")
_ANNOTATIONS = frozenset({"id", "reason"})
_OURS = ("constitution", "calendar", "default")
_UNLINKED = "templates are not linked to anything here: write the policy out"
_FIXED = ("constitution.cedar", "calendar.cedar")
"""Files of Grace that nobody replaces."""


class _Written(NamedTuple):
    """One policy as it stands in a file."""

    number: str
    effect: str
    annotations: dict[str, str]


class CedarPolicy:
    """`ports.Policy` on Cedar. Default is deny; an error while a policy is evaluated is a denial, too."""

    def __init__(self, files: Iterable[PolicyFile], schema: str, digest: str, *, account: str, region: str) -> None:
        """Read the policies. `account` and `region` are Grace's own, which no request can say.

        Raises:
            PolicyUnreadable: they cannot be read, so nothing is allowed.
        """
        self.digest = digest
        text = "\n".join(file.text for file in files)
        self._text = text
        # A word in a comment or a reason is taken for one, too: then it is read, and asked about by nobody.
        self.looks_at_reach = bool(_REACH.search(text))
        self._home = {"account": account, "region": region}
        try:
            self._policies = cedarpy.PolicySet.from_str(text)
            self._schema = cedarpy.Schema.from_str(schema)
        except ValueError as exc:
            raise PolicyUnreadable(f"the policies cannot be read: {exc}") from exc
        if self._policies.templates():
            raise PolicyUnreadable(f"the policies cannot be read: {_UNLINKED}")

    def visible(self, tags: dict[str, str]) -> dict[str, str]:
        """Return the tags that a policy names, for the record; policy itself is always asked with all of them."""
        asked = {"environment", "env", "stage"}
        return {key: tags[key] for key in sorted(tags) if key.lower() in asked or f'"{key}"' in self._text}

    def ask(self, question: Question) -> PolicyAnswer:
        """Return what policy says.

        Raises:
            PolicyUnreadable: the question does not fit the schema (an unknown action), or a policy failed.
        """
        kind, name = question.principal
        context: dict[str, str | int | bool] = (
            {**question.context, **self._home} if kind == "Playbook" else question.context
        )
        request = {
            "principal": _uid(kind, name),
            "action": _uid("Action", question.action),
            "resource": _uid("Resource", question.resource),
            "context": context,
        }
        try:
            result = cedarpy.is_authorized(request, self._policies, _entities(question), self._schema)
        except ValueError as exc:
            raise PolicyUnreadable(f"policy could not be asked about {question.action}: {exc}") from exc
        if result.diagnostics.errors:
            # Cedar leaves out a policy that fails; a forbid that was left out would be a permission.
            raise PolicyUnreadable(f"policy failed on {question.action}: {result.diagnostics.errors[0]}")
        names = result.diagnostics.id_annotations_by_reason
        decided = sorted(result.diagnostics.reasons, key=names.__getitem__)
        allowed = result.decision is cedarpy.Decision.Allow
        return PolicyAnswer(
            allowed=allowed,
            policies=tuple(names[each] for each in decided),
            reasons=() if allowed else tuple(self._reasons[each] for each in decided),
        )

    @cached_property
    def _reasons(self) -> dict[str, str]:
        """What each policy says for people; told of denials alone, so it is read from the text when there is one."""
        return {each.number: each.annotations.get("reason", "") for each in _written(self._text)}


def problems(files: Iterable[PolicyFile], schema: str, ours: Collection[PolicyFile] = ()) -> list[str]:
    """Return what is wrong with policies, one sentence each, with file and fix; `ours` are the files that come with Grace."""
    found: list[str] = []
    owner: dict[str, str] = {}
    for file in files:
        try:
            written = list(_written(file.text))
        except ValueError as exc:
            found.append(f"{file.name}: it cannot be read ({exc}): correct its Cedar syntax")
            continue
        names = {each.number: each.annotations.get("id", each.number) for each in written}
        if file.name in _FIXED and file not in ours:
            found.append(f"{file.name}: that name belongs to Grace: give the file another")
        if not written:
            found.append(f"{file.name}: it holds no policy: write one or remove the file")
        for each in written:
            found += [f"{file.name}: {told}" for told in _faults(each, file, owner)]
        checked = cedarpy.validate_policies(file.text, schema)
        found += [f"{file.name}: {_told(error, names)}" for error in checked.errors]
    return found


def _faults(policy: _Written, file: PolicyFile, owner: dict[str, str]) -> Iterator[str]:
    name = policy.annotations.get("id", "")
    if not _ID.match(name):
        yield f'a {policy.effect} has no @id, or not one like "team.what": give it one, decisions are recorded by it'
        return
    area, stem = name.split(".", 1)[0], file.name.removesuffix(".cedar")
    if area in _OURS and area != stem:
        yield f"{name}: names that begin with {area}. belong to Grace: choose another @id"
    if name in owner:
        yield f"{name}: that @id is in {owner[name]} already: every policy has its own"
    owner[name] = file.name
    if policy.effect == "forbid" and not policy.annotations.get("reason"):
        yield f"{name}: a forbid says why: add @reason, people read it at 3 a.m."
    for unknown in sorted(policy.annotations.keys() - _ANNOTATIONS):
        yield f"{name}: @{unknown} means nothing here: only @id and @reason do"


def _written(text: str) -> Iterator[_Written]:
    document: dict[str, Any] = json.loads(cedarpy.policies_to_json_str(text))
    if document.get("templates"):
        raise ValueError(_UNLINKED)
    for number, policy in document["staticPolicies"].items():
        yield _Written(number, policy["effect"], policy.get("annotations", {}))


def _told(error: cedarpy.ValidationError, names: dict[str, str]) -> str:
    sentence = str(error.error)
    for number, name in names.items():
        sentence = sentence.replace(f"`{number}`", name)
    return sentence


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": f"Grace::{kind}", "id": name}


def _entities(question: Question) -> list[dict[str, Any]]:
    kind, name = question.principal
    groups = [_uid("Group", group) for group in question.groups]
    return [
        {
            "uid": _uid(kind, name),
            "attrs": {"name": name} if kind == "Person" else {},
            "parents": groups,
        },
        *({"uid": group, "attrs": {}, "parents": []} for group in groups),
        {
            "uid": _uid("Resource", question.resource),
            "attrs": question.attributes,
            "parents": [],
            "tags": question.tags,
        },
    ]
