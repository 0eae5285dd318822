"""Release 2 of the checkout, the bad one: it looks tax up by currency, and a basket has none."""

from __future__ import annotations

from typing import Any

TAX = {"EUR": 0.19, "GBP": 0.20}
SAMPLE: dict[str, Any] = {"country": "DE", "lines": [{"price": 19.9, "count": 2}, {"price": 4.5, "count": 1}]}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Fail with KeyError on every basket there is, as releases do that nobody tried."""
    del context
    basket = SAMPLE if event.get("ping") else event["basket"]
    net = sum(line["price"] * line["count"] for line in basket["lines"])
    return {"statusCode": 200, "release": 2, "total": round(net * (1 + TAX[basket["currency"]]), 2)}
