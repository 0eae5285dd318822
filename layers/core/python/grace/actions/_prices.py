"""On-demand list prices of a few common instance types, so that a person sees what a fix costs.

For people only: nothing is decided by it, and a type or region that is not here has no price rather than a guess.
"""

from __future__ import annotations

HOURLY: dict[str, dict[str, float]] = {
    "us-east-1": {
        "t3.micro": 0.0104, "t3.small": 0.0208, "t3.medium": 0.0416, "t3.large": 0.0832,
        "t4g.micro": 0.0084, "t4g.small": 0.0168, "t4g.medium": 0.0336, "t4g.large": 0.0672,
        "m5.large": 0.096, "m5.xlarge": 0.192, "m6i.large": 0.096, "m6g.large": 0.077, "m7g.large": 0.0816,
        "c5.large": 0.085, "c6g.large": 0.068, "r5.large": 0.126,
    },
    "eu-central-1": {
        "t3.micro": 0.012, "t3.small": 0.024, "t3.medium": 0.048, "t3.large": 0.096,
        "m5.large": 0.115, "m5.xlarge": 0.23, "m6i.large": 0.115, "m6g.large": 0.092, "c5.large": 0.097,
        "r5.large": 0.152,
    },
}  # fmt: skip
"""US dollars an hour, Linux, shared tenancy, before any discount; written down in January 2026."""


def hourly_price(region: str, instance_type: str) -> float | None:
    """Return the price of one instance for an hour, or None where we do not know it."""
    return HOURLY.get(region, {}).get(instance_type)
