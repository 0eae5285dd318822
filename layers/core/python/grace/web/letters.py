"""Mail, from templates. Whatever stands in it is escaped; one link leads to the page, and nothing in it decides."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from grace.model.asked import Asked
from grace.model.shown import shown

SUBJECT = 120


class TemplateLetters:
    """`ports.Letters` over the templates beside this module."""

    def approval(self, asked: Asked) -> tuple[str, str, str]:
        """Return subject, text and HTML of the request to one approver."""
        still = "still " if asked.again else ""
        subject = shown(f"Approval {still}needed: {asked.action} on {asked.target}", SUBJECT)
        text, html = (
            _templates().get_template(f"approval_mail.{kind}").render(asked=asked) for kind in ("txt", "html")
        )
        return subject, text, html


@cache
def _templates() -> Environment:
    """Every value in HTML is escaped; a name that a template does not have is an error, not a gap."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(["html"], default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
