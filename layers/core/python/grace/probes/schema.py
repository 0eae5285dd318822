"""The JSON Schemas of the lines a playbook writes, for editors: made from the models that read them."""

from __future__ import annotations

from typing import Any

from grace.model.base import Model
from grace.probes._guards import GuardSpec
from grace.probes._lines import BOUNDS, NOT_BREACHING
from grace.probes._series import ALARM, RatioSpec, SeriesSpec
from grace.probes.base import probes


def expectation_schemas() -> list[dict[str, Any]]:
    """Return one schema for each kind of expectation, by name of the kind."""
    return [_with_words(found.spec) for _, found in sorted(probes().items())]


def guard_schema() -> dict[str, Any]:
    """Return the schema of a guard."""
    return _with_words(GuardSpec)


def _with_words(model: type[Model]) -> dict[str, Any]:
    """Return a line's schema, with the forms that a series and a bound may be written in."""
    schema = model.model_json_schema(by_alias=True)
    words = {"metric": _metric(), "is": _bound(), "should": _bound()}
    schema["properties"] |= {key: words[key] for key in words.keys() & schema["properties"].keys()}
    return schema


def _metric() -> dict[str, Any]:
    named = {"type": "string", "pattern": r"^\S+ \S+( \S+)?$"}
    return {"oneOf": [{"const": ALARM}, named, RatioSpec.model_json_schema(), SeriesSpec.model_json_schema()]}


def _bound() -> dict[str, Any]:
    number = {"oneOf": [{"type": "number"}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? of before$"}]}
    bounds = [
        {"type": "object", "properties": {op: number}, "required": [op], "additionalProperties": False} for op in BOUNDS
    ]
    return {"oneOf": [{"const": NOT_BREACHING}, *bounds]}
