"""What is wrong with a command as it was given."""

from __future__ import annotations


class CommandError(Exception):
    """The command cannot do what it was asked. The message is one sentence with the fix; the exit code is 2."""
