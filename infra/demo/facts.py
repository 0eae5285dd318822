"""The shop's names and numbers: what the stack deploys, the traffic publishes and the storyteller tells of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
STACK = "grace-shop"
APP = "infra.demo.app"
CODE = HERE / "shop_code"
PEOPLE = HERE / "people.json"
ROLE = "grace-demo-{person}"

CHECKOUT, SEARCH, SUPPLIER, WORKERS = "shop-checkout", "shop-search", "shop-supplier", "shop-workers"
ALIAS = "live"
GROUP_SIZE, GROUP_MAX = 2, 4
SEARCH_MEMORY_MB = 128
CATALOGUE_MB = 8
SUPPLIER_MS = 40

PERIOD, PERIODS = 10, 2
"""Every alarm judges two periods of ten seconds, the shortest CloudWatch has."""


@dataclass(frozen=True)
class ShopAlarm:
    """One alarm of the shop, on a metric of its own namespace."""

    name: str
    namespace: str
    metric: str
    statistic: Literal["Sum", "Average"]
    threshold: float
    unit: str
    dimensions: tuple[tuple[str, str], ...]


ERRORS = ShopAlarm(
    "shop-checkout-errors",
    "Shop/Checkout",
    "Errors",
    "Sum",
    2.0,
    "Count",
    (("FunctionName", CHECKOUT), ("Resource", f"{CHECKOUT}:{ALIAS}")),
)
LATENCY = ShopAlarm(
    "shop-workers-latency",
    "Shop/Workers",
    "Latency",
    "Average",
    400.0,
    "Milliseconds",
    (("AutoScalingGroupName", WORKERS),),
)
MEMORY = ShopAlarm(
    "shop-search-memory",
    "Shop/Search",
    "MemoryUtilization",
    "Average",
    85.0,
    "Percent",
    (("FunctionName", SEARCH),),
)
ALARMS = (ERRORS, LATENCY, MEMORY)

APPROVER, MAIL = "ana", "ana@shop.example"
"""Who decides the change that needs a person."""
SENDER = "grace@shop.example"

MODES = {
    "roll_back_lambda_alias": "autonomous",
    "scale_out_group": "autonomous",
    "raise_lambda_memory": "autonomous",
}
"""Grace acts by itself at tier 1; at tier 2 it asks, whatever the mode."""


def addresses() -> list[str]:
    """Return the mail addresses of everybody in the people file."""
    directory = json.loads(PEOPLE.read_text(encoding="utf-8"))
    return [each["mail"] for each in directory if "mail" in each]


def people() -> list[str]:
    """Return the ids of the people that have a demo role."""
    directory = json.loads(PEOPLE.read_text(encoding="utf-8"))
    role = ROLE.format(person="")
    return [each["id"] for each in directory if any(f":role/{role}{each['id']}" in arn for arn in each["principals"])]
