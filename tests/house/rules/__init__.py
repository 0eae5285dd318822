"""One function per rule: it takes a `Tree` and returns a sentence per violation. The folder is walked, never listed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable

from tests.house.tree import Tree

Rule = Callable[[Tree], list[str]]


def all_rules() -> dict[str, Rule]:
    """Return every rule by its name: the public functions of this folder's modules whose one parameter is `tree`."""
    rules: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            own = function.__module__ == loaded.__name__ and not name.startswith("_")
            if own and list(inspect.signature(function).parameters) == ["tree"]:
                rules[name] = function
    return rules
