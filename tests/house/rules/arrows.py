"""Which room may import which. The table is the architecture; a room that is not in it is refused until it is."""

from __future__ import annotations

import sys

from tests.house.tree import PACKAGE, Tree, imports_of, module_of, room_of

FOUNDATION = {"model", "errors", "ports", "registry"}
LOG = {"log_ports"}
REGISTRIES = {"playbooks", "actions", "resources", "probes", "evidence", "learning", "policy", "ledger"}
READERS = {"patterns", "signals", "diagnoses"}

# room -> rooms it may import besides itself. Adapters hang on ports; only bootstrap knows everyone.
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "model": set(),
    "ports": {"model", "errors"} | LOG,
    "log_ports": {"model", "errors"},
    "registry": {"errors"},
    "patterns": {"model", "errors"},
    "signals": {"model", "errors"},
    "diagnoses": {"model", "errors", "registry", "patterns"},
    "evidence": {"model", "errors"},
    "learning": {"model", "errors"},
    "policy": {"model", "errors", "ports"},
    "ledger": {"model", "errors", "ports"},
    "resources": FOUNDATION,
    "actions": FOUNDATION | {"resources"},
    "probes": FOUNDATION | {"resources", "evidence"},
    "playbooks": FOUNDATION | {"patterns", "actions", "resources", "probes", "evidence"},
    "flow": FOUNDATION | REGISTRIES | READERS | LOG,
    "sdk": {"errors", "ports"},
    "stores": {"model", "errors", "ports", "ledger", "sdk"} | LOG,
    "gateways": {"model", "errors", "ports", "sdk"},
    "web": {"model", "errors", "ports", "flow"},
    "settings": {"model", "errors"},
    "starting": set(),
    "telemetry": {"model", "errors"},
}
BOOTSTRAP = "bootstrap"  # may import every room; no room may import it

# room -> third-party packages it may import. boto3 lives where the network is.
PACKAGES: dict[str, set[str]] = {
    "errors": set(),
    "registry": set(),
    "ports": set(),
    "log_ports": set(),
    "playbooks": {"pydantic", "yaml"},
    "diagnoses": {"pydantic", "yaml"},
    "probes": {"pydantic", "jmespath"},
    "ledger": {
        "pydantic",
        "pydantic_core",
        "cryptography",
    },  # signatures are arithmetic: still a function of its arguments
    "sdk": {"botocore"},
    "stores": {"pydantic", "pydantic_core", "boto3", "botocore"},
    "gateways": {"pydantic", "boto3", "botocore", "cedarpy", "jwt"},
    "telemetry": {"aws_lambda_powertools", "pydantic"},
    "web": {"jinja2", "markupsafe", "pydantic"},
    BOOTSTRAP: {"boto3", "botocore", "aws_lambda_powertools"},
}
DEFAULT_PACKAGES = {"pydantic"}

# The pure halves of adapters: they may not see the SDK their neighbours use.
PURE_FILES = {f"{PACKAGE}/stores/keys.py", f"{PACKAGE}/stores/memory.py"}


def imports_follow_the_arrows(tree: Tree) -> list[str]:
    """Within the package, imports go only where `ARROWS` says."""
    found = []
    for name in tree.python(PACKAGE):
        room = room_of(name)
        if room in {"__init__", BOOTSTRAP}:
            continue
        if room not in ARROWS:
            found.append(f"{name}: the room {room!r} is not in the table of arrows; decide what it may import")
            continue
        for line, target in _imports(tree, name):
            parts = target.split(".")
            if parts[0] == "grace" and (len(parts) < 2 or parts[1] not in ARROWS[room] | {room}):
                found.append(f"{name}:{line}: {room} may not import {target}")
    return found


def rooms_use_only_their_packages(tree: Tree) -> list[str]:
    """Third-party packages are imported where `PACKAGES` says; model and flow see the standard library and pydantic."""
    found = []
    for name in tree.python(PACKAGE):
        allowed = DEFAULT_PACKAGES if name in PURE_FILES else PACKAGES.get(room_of(name), DEFAULT_PACKAGES)
        for line, target in _imports(tree, name):
            top = target.split(".")[0]
            if top not in allowed | {"grace"} and top not in sys.stdlib_module_names:
                found.append(f"{name}:{line}: {room_of(name)} may not import {top}")
    return found


def clients_are_made_in_one_place(tree: Tree) -> list[str]:
    """How a client of the SDK waits and repeats is said in `sdk.py` alone."""
    return [
        f"{name}:{line}: make the client with grace.sdk"
        for name in tree.python(PACKAGE)
        if name != f"{PACKAGE}/sdk.py"
        for line, target in _imports(tree, name)
        if target.startswith("botocore.config")
    ]


def the_package_stands_alone(tree: Tree) -> list[str]:
    """What ships to Lambda never imports what does not: infra, tests, the doors."""
    return [
        f"{name}:{line}: what ships to Lambda may not import {target}"
        for name in tree.python(PACKAGE, "functions")
        for line, target in _imports(tree, name)
        if target.split(".")[0] in {"infra", "tests", "functions", "aws_cdk", "constructs", "moto", "pytest"}
    ]


def _imports(tree: Tree, name: str) -> list[tuple[int, str]]:
    module = module_of(name) if name.startswith(PACKAGE) else name.removesuffix(".py").replace("/", ".")
    return list(imports_of(tree.syntax(name), module, is_package=name.endswith("/__init__.py")))
