"""The browser that tests and the demo click with: found when the machine has one, else fetched.

Run as a module by `make test` and `make demo`. In this order: a Chromium on PATH; Debian's package where we may install
packages; Playwright's own download, under `var/`. A machine that can have none keeps working: what needs a browser says
that it is left out, and why. Where that must not happen (`GRACE_NEEDS_BROWSER` is set), it is an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from infra.local.errors import LocalError
from infra.local.paths import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NEEDED = "GRACE_NEEDS_BROWSER"
DOWNLOADS = ROOT / "var" / "browsers"
LOG = ROOT / "var" / "setup.log"
SECONDS = 600
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=1", "-q")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
)
"""A browser that was started to look at this machine speaks to no other."""


class NoBrowser(LocalError):
    """There is no browser on this machine, and it can be given none; the message says why."""


def found() -> Path | None:
    """Return the executable of a browser that is there already."""
    for name in NAMES:
        if path := shutil.which(name):
            return Path(path)
    names = ("chrome-linux*/chrome", "chrome-mac*/Chromium.app/Contents/MacOS/Chromium", "chrome-win*/chrome.exe")
    return next((file for name in names for file in sorted(DOWNLOADS.glob(f"chromium-*/{name}"))), None)


def arguments(*, root: bool) -> list[str]:
    """Return what the browser is started with; the sandbox is given up only where Chromium refuses to run in one."""
    return [*QUIET, *(["--no-sandbox"] if root else [])]


def is_root() -> bool:
    """Whether this process is the machine's root (never so on Windows)."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def provide() -> Path:
    """Return a browser, fetched when there is none.

    Raises:
        NoBrowser: neither the machine's packages nor Playwright's download gave one.
    """
    if path := found():
        return path
    reasons = []
    if is_root() and shutil.which("apt-get"):
        for lists_first in (False, True):  # a fresh container has no lists yet
            if reason := _packaged(lists_first=lists_first):
                reasons.append(reason)
            elif path := found():
                return path
    reasons.append(
        _run([sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"], "Playwright's download")
    )
    if path := found():
        return path
    raise NoBrowser(
        f"there is no browser ({'; '.join(dict.fromkeys(r for r in reasons if r))}): "
        f"install Chromium (Debian and Ubuntu: apt-get install chromium; details: {LOG.relative_to(ROOT)})"
    )


def _packaged(*, lists_first: bool) -> str:
    if lists_first and (reason := _run([*APT, "update"], "apt-get update")):
        return reason
    return _run([*APT, "install", "-y", "--no-install-recommends", "chromium"], "apt-get install")


def _run(command: list[str], what: str) -> str:
    """Run a step of the set-up; return why it failed, in a few words, or nothing."""
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "PLAYWRIGHT_BROWSERS_PATH": str(DOWNLOADS),
    }
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{what} took more than {SECONDS} s"
    return "" if done.returncode == 0 else f"{what} failed"


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Provide a browser; one line when that took work. Returns 1 only where one is needed and there is none."""
    if found():
        return 0
    began = time.monotonic()
    print("set-up: a browser for the approval page ...", end="", flush=True)
    try:
        provide()
    except NoBrowser as error:
        print(" none", flush=True)
        print(f"set-up: what needs a browser is left out: {error}", file=sys.stderr)
        return 1 if environment.get(NEEDED) else 0
    print(f" {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
