"""Calls of which a promise names a number, made within the time that a measurement has."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Literal

from grace.errors import AnswerLost, PermanentError, Throttled
from grace.probes.base import Reading

CALLS_SECONDS = 40
"""No call begins later than this after the measurement did, whichever line it is for. The longest call and the writing
of what was seen still fit into the door's time."""
AT_ONCE = 5
"""So many calls run beside each other where one after another would not fit."""


class Calls:
    """The calls of one line. `made` were answered, `kept` of them as promised; `wrong` is what was not.

    A call that nobody answered in our time, that we may not make, or that there was no time for, is no sample: `note`
    says so. What is to be called is called by threads, so it must bear that; its very first call is made alone.
    """

    def __init__(self, once: Callable[[], str], times: int, reading: Reading) -> None:
        """Keep how to call `once`, which returns what is wrong with the answer or nothing; nothing is called yet."""
        self._once, self._left, self._times = once, times, times
        self._clock = reading.sources.clock
        self._began, self._until = self._now(), reading.now + CALLS_SECONDS
        self._at_once = 1
        self._lock = Lock()
        self.made, self.kept, self.wrong, self.note = 0, 0, "", ""

    @property
    def result(self) -> Literal["passed", "failed", "inconclusive"]:
        """Passed when as many calls as promised brought what was promised; failed when one brought something else."""
        if self.wrong:
            return "failed"
        return "passed" if self.kept == self._times else "inconclusive"

    def make(self) -> Calls:
        """Call until one answer breaks the promise or all have kept it, or the time is over.

        Raises:
            TransientError: a call was not taken though no other of ours was under way; the measurement may be repeated.
        """
        while self._one():
            if self._late():
                self._together()
        return self

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _late(self) -> bool:
        """Whether the rest does not fit at the pace so far, one after another."""
        now = self._now()
        return self._left > 0 and self._left * (now - self._began) > (self._until - now) * self.made

    def _together(self) -> None:
        """Make the rest, some at a time. What was throttled for our own haste is given back by fewer and fewer."""
        self._at_once = min(AT_ONCE, self._left)
        with ThreadPoolExecutor(self._at_once) as pool:
            workers = [pool.submit(self._several) for _ in range(self._at_once)]
        self._at_once = 1
        for worker in workers:
            worker.result()

    def _several(self) -> None:
        while self._one():
            pass

    def _one(self) -> bool:
        """Make one call, and return whether there may be another."""
        if not self._taken():
            return False
        try:
            wrong = self._once()
        except Throttled:
            with self._lock:
                if self._at_once == 1:
                    raise
                self._at_once -= 1
                self._left += 1
            return False
        except (AnswerLost, PermanentError) as exc:
            with self._lock:
                self.note = self.note or str(exc)
            return False
        with self._lock:
            self.made += 1
            self.kept += not wrong
            self.wrong = self.wrong or wrong
        return not wrong

    def _taken(self) -> bool:
        with self._lock:
            if self.wrong or self.note or not self._left:
                return False
            if self._now() >= self._until:
                self.note = f"out of time: {self._left} of {self._times} calls were not made"
                return False
            self._left -= 1
            return True
