"""Who approves the change that needs a person: you, a real browser at the mailed link, or, without one, a command."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from infra.cli.errors import CommandError
from infra.demo import clicking, facts
from infra.demo.telling import Telling
from infra.local.browser import found
from infra.local.inbox import Letter
from infra.local.paths import ROOT

PICTURE = Path("var") / "demo-approval.png"


class Approving:
    """Has one contract approved by the approver, in the way this machine allows, while the telling goes on."""

    def __init__(self, console: Console, root: Path, inbox: Callable[[], list[Letter]], *, interactive: bool) -> None:
        """Keep where to say the link, where letters arrive, and whether a person at this terminal decides."""
        self._console = console
        self._root = root
        self._inbox = inbox
        self.interactive = interactive
        self._work: threading.Thread | None = None
        self._failed: CommandError | None = None

    def begin(self, contract: str, minutes: int, telling: Telling) -> None:
        """Find the letter about a contract and have it answered.

        Raises:
            CommandError: no letter about it arrived.
        """
        link = self._link(contract)
        self._console.print(f"{facts.APPROVER} has mail: {link}", soft_wrap=True, highlight=False)
        if self.interactive:
            telling.say("the link is yours: open it (the certificate is the engine's own), read, and decide", "person")
            telling.wait(f"for you to decide, {minutes} minutes at most")
            return
        executable = found()
        if executable is None:
            telling.say("there is no browser on this machine: approved on the command line instead", "bad")
            self._later(lambda: self._command(contract))
            return
        telling.say("a browser opens the mailed link, types the challenge and approves", "person")
        telling.wait("for the page to take the decision")
        self._later(lambda: clicking.approve(executable, link, self._root / PICTURE))

    def check(self) -> None:
        """Raise the `CommandError` that the work beside us ended in, if it did."""
        if self._failed:
            raise self._failed

    def end(self) -> None:
        """Wait for the work beside us, which ends by itself in less than a minute."""
        if self._work:
            self._work.join(2 * clicking.SECONDS)

    def _link(self, contract: str) -> str:
        mine = [letter for letter in self._inbox() if facts.MAIL in letter.to and contract in letter.text]
        if not mine or not mine[-1].link:
            raise CommandError(f"No letter about {contract} reached {facts.MAIL}; see `grace show {contract}`.")
        return mine[-1].link

    def _later(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except CommandError as exc:
                self._failed = exc

        self._work = threading.Thread(target=run, daemon=True)
        self._work.start()

    def _command(self, contract: str) -> None:
        command = ["decide", contract, "approve", "--as", facts.APPROVER]
        done = subprocess.run(  # noqa: S603 - the command is ours, word for word
            [sys.executable, "-m", "infra.cli.main", *command, "--root", str(self._root)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"`grace {shlex.join(command)}` failed: {done.stderr.strip()}")
