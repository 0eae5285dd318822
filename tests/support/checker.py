"""The independent checker (Go's own library) and what it says of a log our code wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "var" / "checker" / "checker"
SOUND = "sound "


def need() -> None:
    """Skip where the program could not be built; the set-up has said why."""
    if not PROGRAM.is_file():
        pytest.skip("the independent checker is not built: make setup needs Debian's golang-golang-x-mod-dev")


def lay_out(folder: Path, objects: Mapping[str, bytes]) -> Path:
    """Write a log's objects as files."""
    for path, data in objects.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def verdicts(vkey: str, places: Sequence[Path], *options: str) -> dict[Path, str]:
    """Return what the checker says of each place: "sound N entries", or what is wrong."""
    command = [str(PROGRAM), "-vkey", vkey, *options, *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    found = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert set(found) == set(map(str, places)), done.stderr
    assert (done.returncode == 0) == all(says.startswith(SOUND) for says in found.values())
    return {place: found[str(place)] for place in places}


def accept(folder: Path, objects: Mapping[str, bytes], vkey: str, *options: str) -> str:
    """Lay a log out and return the checker's verdict of it."""
    return verdicts(vkey, [lay_out(folder, objects)], *options)[folder]
