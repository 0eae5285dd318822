"""Templates and what fills them. Imported on the routes that show a page, and nowhere else: it brings jinja2."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grace.model.shown import shown
from grace.web.views import Facts, Form

LONGEST = 700
"""More of one value is not shown; an ARN has at most 600 characters, so it is always whole."""


class Notice(NamedTuple):
    """A page that says one thing. `mark` is `good`, `bad` or `wait`; `about` are the facts below it."""

    title: str
    lines: tuple[str, ...]
    mark: str = "wait"
    command: str = ""
    about: tuple[tuple[str, str], ...] = ()


def approval_page(facts: Facts, form: Form, nonce: str) -> str:
    """Return the page that asks for a decision."""
    return _templates().get_template("approval.html").render(facts=facts, form=form, nonce=nonce)


def notice_page(notice: Notice, nonce: str) -> str:
    """Return a page that says one thing."""
    return _templates().get_template("notice.html").render(notice=notice, nonce=nonce)


@cache
def _templates() -> Environment:
    """Everything that is put in is escaped, and before that made fit to be shown; a name that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_fit,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _fit(value: Any) -> Any:
    return shown(value, LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value
