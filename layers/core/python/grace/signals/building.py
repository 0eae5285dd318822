"""The last step of every road: the typed Signal, its fingerprint and its correlation id."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from grace.errors import InvalidSignal
from grace.model.ids import correlation_id, fingerprint
from grace.model.shown import visible
from grace.model.signal import Signal
from grace.signals.reading import milliseconds


def build(*, subject: str, state_word: str, at: datetime, corr: str | None = None, **fields: Any) -> Signal:
    """Return the Signal; `state_word` is the state's own name and, with subject and time, all its identity.

    Raises:
        InvalidSignal: a value does not fit the model; the field is named.
    """
    identity = fingerprint(subject, state_word, milliseconds(at))
    try:
        return Signal(fingerprint=identity, subject=subject, at=at, corr=corr or correlation_id(identity), **fields)
    except ValidationError as exc:
        raise first_problem(exc, "") from exc


def first_problem(error: ValidationError, path: str) -> InvalidSignal:
    """Return the refusal for the first thing pydantic found; the offending value itself is left out."""
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join([path, *map(str, problem["loc"])] if path else map(str, problem["loc"]))
    fix = "is no field of this event: leave it out" if problem["type"] == "extra_forbidden" else problem["msg"]
    return InvalidSignal(visible(where)[:200], fix)
