"""One browser for all these tests. Without one they are left out, with the reason; where one is needed they fail."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from infra.local.browser import NEEDED, arguments, found, is_root


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = found()
    if path is None:
        why = "there is no browser on this machine (make test fetches one where it can; see var/setup.log)"
        if os.environ.get(NEEDED):
            pytest.fail(f"{NEEDED} is set, and {why}")
        pytest.skip(why)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(path), headless=True, args=arguments(root=is_root()), timeout=60_000
        )
        yield launched
        launched.close()
