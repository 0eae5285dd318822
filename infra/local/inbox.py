"""The engine's inbox: what Grace mailed to whom. On AWS this is where people's own mail begins."""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass
from urllib.request import urlopen

from infra.local.engine import EngineState

LINK = re.compile(r"https://\S+/a/[A-Za-z0-9_-]{103}")
SECONDS = 10


@dataclass(frozen=True)
class Letter:
    """One mail that was sent."""

    sender: str
    to: tuple[str, ...]
    text: str
    html: str

    @property
    def link(self) -> str | None:
        """The approval link in it."""
        found = LINK.search(self.text)
        return found.group() if found else None


def letters(state: EngineState) -> list[Letter]:
    """Return every letter, oldest first. Raises `OSError` when the engine does not answer."""
    trusted = ssl.create_default_context(cafile=state.ca_bundle)
    with urlopen(f"{state.endpoint}/_ministack/ses/messages", context=trusted, timeout=SECONDS) as answer:  # noqa: S310  ours
        found = json.load(answer)["messages"]
    boxes = found.values() if isinstance(found, dict) else [found]
    return [
        Letter(each["Source"], tuple(each["To"]), each["BodyText"], each["BodyHtml"]) for box in boxes for each in box
    ]


def page_address(state: EngineState) -> str:
    """Return where the public page is served on the engine, with the API's id left open, as the configuration takes it."""
    return f"{state.endpoint}/_aws/execute-api/{{api}}/$default"
