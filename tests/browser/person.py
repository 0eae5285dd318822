"""A person at the approval page: opens the letter's link, reads, types the challenge, sends. And what they look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page

from infra.demo.clicking import decide
from infra.local.paths import ROOT

PICTURES = ROOT / "var" / "screenshots"
"""Outside of what git keeps: looked at by people after a run."""
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


@cache
def axe() -> str:
    """The accessibility checker, as the lock of npm brings it."""
    return (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@dataclass
class Person:
    """Somebody with a window of their own: own cookies, own size."""

    page: Page
    what: str
    """Before the names of the pictures that are taken in this window."""

    @classmethod
    def at(cls, browser: Browser, what: str, **window: Any) -> Person:
        """Open a window."""
        context: BrowserContext = browser.new_context(ignore_https_errors=True, **(window or DESK))
        context.set_default_timeout(20_000)
        return cls(context.new_page(), what)

    def opens(self, address: str) -> int:
        """Open an address; the status it is answered with."""
        answer = self.page.goto(address)
        assert answer is not None
        return answer.status

    def decides(
        self, decision: Literal["approve", "reject"], code: str | None = None, target: str | None = None
    ) -> None:
        """Fill in the form as it asks to be filled in, or otherwise, and send it."""
        decide(self.page, decision, code, target)

    @property
    def title(self) -> str:
        """The first heading."""
        return self.page.inner_text("h1")

    @property
    def text(self) -> str:
        """All that can be read."""
        return self.page.inner_text("body")

    def looks(self, name: str) -> None:
        """Keep a picture, and demand of the page what every state of it must have: access for everybody, no cut edge."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=picture(self.what, name), full_page=True, animations="disabled")
        assert self.barriers() == []
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px wider than the window"

    def barriers(self) -> list[str]:
        """What axe finds that keeps somebody from using the page, each with the element."""
        self.page.evaluate(axe())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [f"{v['id']}: {json.dumps([n['html'] for n in v['nodes']])}" for v in found["violations"]]

    def leaves(self) -> None:
        """Close the window."""
        self.page.context.close()


def picture(what: str, name: str) -> Path:
    """Where the picture of a state is kept."""
    return PICTURES / f"{what}-{name}.png"
