"""Where time comes from in a running deployment."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` over the machine's own clock."""

    def now(self) -> datetime:
        """Return the present in UTC."""
        return datetime.now(UTC)

    def pause(self, longest: float) -> None:
        """Sleep from nothing to so many seconds."""
        time.sleep(random.uniform(0, longest))  # noqa: S311  jitter is no secret
