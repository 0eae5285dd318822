"""One call to AWS after another: clients that never repeat by themselves, and one bounded way of repeating."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from grace.errors import GraceError, TransientError, Unavailable
from grace.ports import Sdk
from grace.sdk import SDK_ERRORS
from grace.sdk import client as sdk_client
from grace.stores.errors import translate

ANSWERED = 6
"""How often an operation repeats what was refused for the moment (throttled, contended): each refusal comes quickly."""
UNANSWERED = 2
"""How often it repeats what got no answer: three waits of 12 seconds stay below a function's time."""
FIRST_PAUSE, LONGEST_PAUSE = 0.025, 0.8


def client(session: Sdk, service: str) -> Any:
    """Return a client for the stores. It makes one attempt per call, so that `Tries` alone decides on repeating."""
    # The stores' own requests are of a few fixed shapes, which the tests send to a real parser: checking each against
    # the service's model again is a third of what a transaction costs in the SDK.
    return sdk_client(session, service, parameter_validation=False)


class Patience:
    """How to wait: `jitter` draws from 0 to 1, `sleep` takes seconds. Tests bring their own."""

    def __init__(self, jitter: Callable[[], float] | None = None, sleep: Callable[[float], None] | None = None) -> None:
        """Keep both; without them the process's own."""
        self.jitter = jitter or random.random
        self.sleep = sleep or time.sleep


class Tries:
    """What is left of one operation's patience, over all the calls it makes."""

    def __init__(self, patience: Patience) -> None:
        """Start with all of it."""
        self._patience = patience
        self._answered = 0
        self._unanswered = 0

    def again(self, error: GraceError) -> None:
        """Wait with full jitter before a repetition, or raise `error` when there were enough."""
        if isinstance(error, Unavailable):
            self._unanswered += 1
        else:
            self._answered += 1
        if self._unanswered > UNANSWERED or self._answered > ANSWERED:
            raise error
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._answered + self._unanswered - 1))
        self._patience.sleep(self._patience.jitter() * longest)

    def call(self, function: Callable[..., dict[str, Any]], where: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer of one of a client's functions, repeating while that may help.

        Raises:
            TransientError: it did not help.
            GraceError: what `translate` makes of a refusal that repeating cannot help.
        """
        while True:
            try:
                return function(**arguments)
            except SDK_ERRORS as exc:
                error = translate(exc, function.__name__, where)
                error.__cause__ = exc
                if not isinstance(error, TransientError):
                    raise error from exc
                self.again(error)
