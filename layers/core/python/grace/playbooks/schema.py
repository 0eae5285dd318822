"""The JSON Schema of a playbook file, for editors: made from the same models that read it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from grace.actions.base import actions
from grace.model.playbook import PlaybookSpec
from grace.probes.schema import expectation_schemas, guard_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def playbook_schema() -> dict[str, Any]:
    """Return the schema: every action with what it asks for, every kind of expectation, guards.

    It knows shapes and names. What depends on several keys at once (does the action act on this resource, does the path
    exist in its state) is the lint's.
    """
    definitions: dict[str, Any] = {}
    schema = _hoisted(PlaybookSpec.model_json_schema(by_alias=True), definitions)
    properties = schema["properties"]
    properties["expect"]["items"] = {"oneOf": [_hoisted(found, definitions) for found in expectation_schemas()]}
    properties["guard"]["items"] = _hoisted(guard_schema(), definitions)
    properties["action"] = {"oneOf": [_action(name, act.ask, definitions) for name, act in sorted(actions().items())]}
    return {**schema, "$schema": DIALECT, "title": "Grace playbook", "$defs": dict(sorted(definitions.items()))}


def _action(name: str, ask: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    found = _hoisted(ask.model_json_schema(by_alias=True), definitions)
    return {
        **found,
        "title": name,
        "properties": {"use": {"const": name}, **found.get("properties", {})},
        "required": ["use", *found.get("required", [])],
    }


def _hoisted(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Move what a schema refers to into the common definitions."""
    for name, definition in schema.pop("$defs", {}).items():
        if definitions.setdefault(name, definition) != definition:
            raise ValueError(f"two models are called {name}: rename one")
    return schema
