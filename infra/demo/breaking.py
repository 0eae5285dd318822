"""Three ways to break the shop, each the way it happens to people: a release, a supplier, and data that grows."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

from infra.demo import facts
from infra.demo.traffic import call
from infra.local.reconcile import Clients

SLOW_SUPPLIER_MS = 650
FULL = 0.94
"""How full the search's memory is made: beyond the alarm's threshold, within what it has."""
ENOUGH = 0.88
"""What the alarm, at 0.85, cannot overlook."""
IMPORTS, LOOKS = 5, 6
READY_SECONDS = 20.0


def bad_release(clients: Clients) -> str:
    """Deploy release 2 of the checkout as a release is deployed: code, version, alias."""
    functions = clients("lambda")
    functions.update_function_code(FunctionName=facts.CHECKOUT, ZipFile=_archive("checkout_bad.py", "checkout.py"))
    _ready(functions, facts.CHECKOUT)
    version = functions.publish_version(FunctionName=facts.CHECKOUT)["Version"]
    functions.update_alias(FunctionName=facts.CHECKOUT, Name=facts.ALIAS, FunctionVersion=version)
    return f"release {version} of {facts.CHECKOUT} is live, and it fails on every basket"


def slow_supplier(clients: Clients) -> str:
    """Let the supplier take its time: nothing that the shop could add makes it faster."""
    functions = clients("lambda")
    functions.update_function_configuration(
        FunctionName=facts.SUPPLIER, Environment={"Variables": {"DELAY_MS": str(SLOW_SUPPLIER_MS)}}
    )
    _ready(functions, facts.SUPPLIER)
    return f"the supplier now takes {SLOW_SUPPLIER_MS} ms an order; more workers cannot help that"


def grown_catalogue(clients: Clients) -> str:
    """Import products until the search nearly fills the memory it has, by its own measure.

    An environment that started in the middle of the change still has the old catalogue; then it is changed again.
    """
    functions = clients("lambda")
    said = call(functions, facts.SEARCH, {}).said
    more = round(FULL * said["memory_mb"] - said["used_mb"])
    for again in range(IMPORTS):
        size = facts.CATALOGUE_MB + more + again
        functions.update_function_configuration(
            FunctionName=facts.SEARCH, Environment={"Variables": {"CATALOGUE_MB": str(size)}}
        )
        _ready(functions, facts.SEARCH)
        seen = [call(functions, facts.SEARCH, {}).said.get("used_mb", 0.0) for _ in range(LOOKS)]
        if min(seen) >= ENOUGH * said["memory_mb"]:
            break
    return f"a catalogue import: the search's data grew by {more} MB"


def fill_group(clients: Clients) -> None:
    """Set the workers' capacity once: the engine starts a group's instances at the first such call only."""
    clients("autoscaling").set_desired_capacity(AutoScalingGroupName=facts.WORKERS, DesiredCapacity=facts.GROUP_SIZE)


def _archive(source: str, name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, (facts.CODE / source).read_text(encoding="utf-8"))
    return made.getvalue()


def _ready(functions: Any, name: str) -> None:
    """Wait until an update of a function is in place, as every deploy must."""
    deadline = time.monotonic() + READY_SECONDS
    while functions.get_function_configuration(FunctionName=name).get("LastUpdateStatus") == "InProgress":
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} is still being updated after {READY_SECONDS:.0f} s")
        time.sleep(0.1)
