"""What every test of the doors needs: a logger of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grace import telemetry


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test has a logger of its own, which writes to the stream that the test reads."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"grace-{request.node.name}")
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "INFO")
    telemetry.logger.cache_clear()
    yield
    telemetry.logger.cache_clear()
    telemetry.metrics().clear_metrics()
