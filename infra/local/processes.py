"""Find and end the engine's processes, and only those.

A process counts as ours when it is in the recorded process group AND its command line names one of our own
folders, so a process id that the system has given to somebody else is never signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProcessInfo:
    """One running process: its id, its process group and its command line, words joined by spaces."""

    pid: int
    group: int
    command: str


def _from_proc() -> list[ProcessInfo]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        # The second field is the name in parentheses and may hold spaces: state, parent and group follow it.
        state, _parent, group = stat.rpartition(")")[2].split()[:3]
        if state != "Z":
            found.append(ProcessInfo(int(entry.name), int(group), command))
    return found


def _from_ps() -> list[ProcessInfo]:
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,state=,command="], capture_output=True, text=True, check=True
    )
    found = []
    for line in listing.stdout.splitlines():
        pid, group, state, command = line.split(None, 3)
        if not state.startswith("Z"):
            found.append(ProcessInfo(int(pid), int(group), command))
    return found


def running() -> list[ProcessInfo]:
    """Every process of this machine that is not a zombie."""
    return _from_proc() if Path("/proc/self/stat").exists() else _from_ps()


def ours(groups: Iterable[int], marks: Iterable[str]) -> list[ProcessInfo]:
    """The processes in one of `groups` whose command line holds one of `marks` (paths of this checkout)."""
    wanted, words = set(groups), tuple(marks)
    return [p for p in running() if p.group in wanted and any(word in p.command for word in words)]


def end(groups: Iterable[int], marks: Iterable[str], grace_seconds: float) -> list[ProcessInfo]:
    """Ask our processes to end, wait up to `grace_seconds`, then kill. Returns those that survived (normally none)."""
    groups, marks = tuple(groups), tuple(marks)
    for sign, patience in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, grace_seconds)):
        for process in ours(groups, marks):
            try:
                os.kill(process.pid, sign)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not ours(groups, marks):
                return []
            time.sleep(0.05)
    return ours(groups, marks)


def start(known: list[subprocess.Popen[Any]], command: Sequence[str], **options: Any) -> None:
    """Start a process (`options` as of `subprocess.Popen`) and add it to `known`, also when an interrupt strikes.

    Python raises an interrupt in the main thread alone: one that came between the fork and our keeping of the process
    would leave a child that nobody knows. So another thread starts and keeps it, and an interrupted caller finds it in
    `known`. Raises OSError when the program cannot be run.
    """
    with ThreadPoolExecutor(1) as starter:
        starter.submit(lambda: known.append(subprocess.Popen(command, **options))).result()
