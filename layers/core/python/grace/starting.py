"""How a function starts: what it loads then, it keeps."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def staying() -> Iterator[None]:
    """Let the collector rest, and then leave what is there alone for good.

    The code of a door and a service's description are some hundred thousand objects that all stay: looking among them
    for garbage, again and again as they grow, takes as long as reading them, and goes on with every call after it.
    """
    works = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if works:
            gc.enable()
