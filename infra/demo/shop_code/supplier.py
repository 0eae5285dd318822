"""The supplier that the workers ask for every order. It takes `DELAY_MS`, whoever asks and however many do."""

from __future__ import annotations

import os
import time
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer after the supplier's own time."""
    del event, context
    time.sleep(int(os.environ["DELAY_MS"]) / 1000)
    return {"statusCode": 200, "in_stock": True}
