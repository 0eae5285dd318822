"""Registries walk their folder: a member is one module whose class is named by `MEMBER`, and no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from types import ModuleType
from typing import Any

from grace.errors import Refused

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}$")
_TOOLS = frozenset({"base", "measure", "schema"})
"""Modules of a registry's folder that are not members: what all members share, and what calls them. So are `_names`."""


def module_name(cloudformation_type: str) -> str:
    """Return the module a resource type lives in: `AWS::Lambda::Alias` is `lambda_alias`."""
    words = cloudformation_type.split("::")[1:]
    return "_".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower() for word in words)


@cache
def member(package: str, name: str) -> Any:
    """Import one module of a registry and return the instance of its class: one for a worker's life, it holds nothing.

    Only the module asked for is imported, so a cold start does not grow with the catalogue.

    Raises:
        Refused: `unknown`, when the registry has no member of that name.
    """
    if _NAME.match(name) and name not in _TOOLS:
        try:
            module = importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError as exc:
            if exc.name != f"{package}.{name}":
                raise
        else:
            return _instance(module)
    raise Refused("unknown", f"{package.rsplit('.', 1)[-1]} has no member {name!r}")


@cache
def names(package: str) -> tuple[str, ...]:
    """Return the names of a registry's members without importing them; the folder is read once in a worker's life."""
    root = importlib.import_module(package)
    found = (info.name for info in pkgutil.iter_modules(root.__path__))
    return tuple(name for name in found if name not in _TOOLS and not name.startswith("_"))


def members(package: str) -> dict[str, Any]:
    """Import every module of a registry and return its members by module name. For synth, lint and tests."""
    return {name: _instance(importlib.import_module(f"{package}.{name}")) for name in names(package)}


def _instance(module: ModuleType) -> Any:
    return module.MEMBER()
