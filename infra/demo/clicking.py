"""A person at the approval page, played by a real browser: reads what must be typed, types it, and sends."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Error, Page, sync_playwright

from infra.cli.errors import CommandError
from infra.local.browser import arguments, is_root

SECONDS = 30
VOTED = "You approved this"


def decide(
    page: Page, decision: Literal["approve", "reject"], code: str | None = None, target: str | None = None
) -> None:
    """Fill in the form of the open page and send it; what is not given is typed as the page asks for it."""
    page.locator(f"label[for={decision}]").click()
    page.fill("#code", page.inner_text("label[for=code] b") if code is None else code)
    page.fill("#target", page.inner_text("label[for=target] b") if target is None else target)
    with page.expect_navigation():
        page.get_by_role("button", name="Record my decision").click()


def approve(executable: Path, link: str, picture: Path) -> None:
    """Open a link in a browser, approve there, and keep a picture of what was decided on.

    Raises:
        CommandError: the page did not take the decision.
    """
    try:
        with sync_playwright() as playwright:
            options = arguments(root=is_root())
            browser = playwright.chromium.launch(executable_path=str(executable), headless=True, args=options)
            # The engine's certificate is its own: no browser knows who signed it.
            page = browser.new_page(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
            page.set_default_timeout(1000 * SECONDS)
            page.goto(link)
            picture.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=picture, full_page=True)
            decide(page, "approve")
            said = page.inner_text("h1")
            browser.close()
    except Error as exc:
        raise CommandError(f"The approval page could not be used: {str(exc).splitlines()[0]}") from exc
    if said != VOTED:
        raise CommandError(f"The approval page did not take the decision: {said}.")
