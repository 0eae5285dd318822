"""A synthesised template, read as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Statement = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """One stack's template."""

    body: dict[str, Any]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a type by logical id."""
        return {name: each for name, each in self.body["Resources"].items() if each["Type"] == kind}

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """Return the properties of every resource of a type."""
        return [each.get("Properties", {}) for each in self.of_type(kind).values()]

    def functions(self) -> dict[str, dict[str, Any]]:
        """Return the doors' functions by door."""
        return {each["FunctionName"].removeprefix("grace-"): each for each in self.properties("AWS::Lambda::Function")}

    def roles(self) -> dict[str, dict[str, Any]]:
        """Return the roles by what they are for."""
        return {text(each["RoleName"]).split("-")[1]: each for each in self.properties("AWS::IAM::Role")}

    def rights(self, door: str) -> list[Statement]:
        """Return the statements of a door's role, with lists where IAM allows one text, and ARNs as text."""
        return [
            statement for policy in self.roles()[door]["Policies"] for statement in statements(policy["PolicyDocument"])
        ]

    def actions(self, door: str) -> set[str]:
        """Return every action a door's role may take."""
        return {action for each in self.rights(door) for action in each["Action"]}


def statements(document: dict[str, Any]) -> Iterator[Statement]:
    """Yield the statements of a policy, with lists where IAM allows one text, and ARNs as text."""
    for each in document["Statement"]:
        resources = each.get("Resource", [])
        yield each | {
            "Action": each["Action"] if isinstance(each["Action"], list) else [each["Action"]],
            "Resource": [text(one) for one in (resources if isinstance(resources, list) else [resources])],
        }


def text(value: Any) -> str:
    """Return an ARN or name as text, with what CloudFormation fills in between angle brackets."""
    if isinstance(value, str):
        return value
    [(function, argument)] = value.items()
    match function:
        case "Ref":
            return f"<{argument}>"
        case "Fn::GetAtt":
            return f"<{'.'.join(argument)}>"
        case "Fn::Join":
            return str(argument[0]).join(text(part) for part in argument[1])
        case "Fn::ImportValue":
            return f"<{text(argument)}>"
        case _:
            return json.dumps(value)
