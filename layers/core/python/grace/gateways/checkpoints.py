"""The newest checkpoint of the log, for those who are to keep it."""

from __future__ import annotations


class Unsigned:
    """`ports.Checkpoints` of a log that nobody signs."""

    def newest(self) -> str:
        """Return nothing."""
        return ""
