"""One browser for all tests of a worker. Without one they are left out, with the reason; where one is needed they fail.

It is known to the whole of the tests by one fixture: a second Playwright beside the first in one process refuses to start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from infra.local.browser import NEEDED, arguments, found, is_root

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = found()
    if path is None:
        why = "there is no browser on this machine (make test fetches one where it can; see var/setup.log)"
        if os.environ.get(NEEDED):
            pytest.fail(f"{NEEDED} is set, and {why}")
        pytest.skip(why)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  every test run imports this module, few need a browser

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(path), headless=True, args=arguments(root=is_root()), timeout=60_000
        )
        yield launched
        launched.close()
