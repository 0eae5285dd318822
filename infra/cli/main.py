"""`grace`: the one command. Every failure is one sentence that says how to go on, and never a stack trace."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from grace.errors import GraceError, IntegrityError
from infra.cli import ledger, lifecycle, orders, playbooks, policies, reading
from infra.cli.commands import USAGE, Commands, Parser
from infra.cli.errors import CommandError
from infra.config import ConfigError
from infra.local.errors import DeliveryRefused, EngineNotRunning, LocalError

FAILED = 1
INTERRUPTED = 130
PIPE_WIDTH = 140


def parser() -> Parser:
    """Return the command line of `grace`."""
    made = Parser(
        prog="grace", description="Verified remediation on AWS: nothing is called a success that was not measured."
    )
    commands = Commands(made)
    for module in (lifecycle, reading, orders, playbooks, ledger, policies):
        module.add(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 given wrongly or nothing there to answer."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments, _console()))
    except (CommandError, EngineNotRunning, DeliveryRefused) as exc:
        return _tell(str(exc), USAGE)
    except (IntegrityError, LocalError) as exc:
        return _tell(str(exc), FAILED)
    except (GraceError, ConfigError) as exc:
        return _tell(str(exc), USAGE)
    except OSError as exc:
        return _tell(f"{exc.filename or 'This machine'}: {exc.strerror or exc}.", USAGE)
    except KeyboardInterrupt:
        return _tell("Interrupted.", INTERRUPTED)


def _console() -> Console:
    """Return where output goes. A file or a pipe has no width, so lines there are long enough for an ARN."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    return console


def _tell(sentence: str, code: int) -> int:
    print(f"grace: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
