"""Where time comes from in a running deployment."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` over the machine's own clock."""

    def now(self) -> datetime:
        """Return the present in UTC."""
        return datetime.now(UTC)
