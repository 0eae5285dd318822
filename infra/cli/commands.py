"""How a module adds its commands: a name, a line about it, and the function that runs it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from infra.local.paths import ROOT

Run = Callable[[argparse.Namespace, Console], int]
USAGE = 2
"""The exit code of a command that was given wrongly, or that nothing can answer."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, with the command that helps."""

    def error(self, message: str) -> NoReturn:
        """Write the sentence to stderr and leave with `USAGE`."""
        print(f"{self.prog}: {message}; run `{self.prog} --help`.", file=sys.stderr)
        raise SystemExit(USAGE)


class Commands:
    """The commands of `grace`, and of a group such as `grace playbooks`."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        """Make room for commands below `parser`."""
        self._found: dict[str, argparse.ArgumentParser] = {}
        self._room = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)

    def add(self, name: str, about: str, run: Run) -> argparse.ArgumentParser:
        """Add a command and return its parser."""
        command = self._room.add_parser(name, help=about, description=about[:1].upper() + about[1:] + ".")
        command.set_defaults(run=run)
        self._found[name] = command
        return command

    def group(self, name: str, about: str) -> Commands:
        """Add a command that has commands of its own."""
        return Commands(self._room.add_parser(name, help=about, description=about))

    def named(self, name: str) -> argparse.ArgumentParser:
        """Return the parser of a command that was added."""
        return self._found[name]

    @staticmethod
    def deployed(command: argparse.ArgumentParser) -> None:
        """Say that the command is about a deployment, which has a name."""
        command.add_argument("--prefix", default="grace", help="the deployment's prefix (default: grace)")
        Commands.rooted(command)

    @staticmethod
    def rooted(command: argparse.ArgumentParser) -> None:
        """Say that the command is about an engine, which belongs to a folder: this checkout's, but for tests."""
        command.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
