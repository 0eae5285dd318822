"""Makes the peers ready: an environment of their own under var/peers, from the package index, and nothing anywhere else.

python -m tests.bench.peers          install and measure them, and print what they measured beside what is recorded
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from infra.constructs.layers import ROOT
from infra.provision import VENV
from tests.bench.report import NotMeasured

HOME = ROOT / "var" / "peers"
RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("peers.json").read_text(encoding="utf-8"))
CYCLE = Path(__file__).with_name("chaos_cycle.py")
RULEBOOK = Path(__file__).with_name("rulebook_abuse.py")
SCRIPTS = {"chaostoolkit": (CYCLE, ("200",)), "ansible-rulebook": (RULEBOOK, ())}
"""What measures a peer, and with which arguments."""
MINUTES = 15


def python(peer: str) -> Path | None:
    """The interpreter of a peer's environment, or None where it is not installed."""
    found = HOME / peer / "bin" / "python"
    return found if found.exists() and (HOME / peer / ".installed").exists() else None


def install() -> list[str]:
    """Install every peer that can be; return one line for each that cannot."""
    trouble = []
    for peer, recorded in RECORDED["peers"].items():
        if not recorded["packages"] or python(peer):
            continue
        print(f"installing {peer} ...", file=sys.stderr, flush=True)
        venv.create(HOME / peer, with_pip=False, clear=True)
        where = str(HOME / peer / "bin" / "python")
        command = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", where, *recorded["packages"]]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            last = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it said nothing"]
            trouble.append(f"{peer} cannot be installed here: {last[-1].strip()}")
        else:
            (HOME / peer / ".installed").touch()
    return trouble


def run(peer: str, script: Path, *arguments: str) -> dict[str, Any]:
    """Run a script with a peer's interpreter; the JSON object it prints last."""
    interpreter = python(peer)
    if interpreter is None:
        raise NotMeasured(f"{peer} is not installed: run `make bench-peers`")
    done = subprocess.run(
        [str(interpreter), str(script), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        cwd=HOME,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise NotMeasured(f"{peer}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def measured(peer: str, *, anew: bool = False) -> dict[str, Any] | None:
    """What a peer's script measured on this machine, kept beside its environment; None where it is not installed.

    Raises:
        NotMeasured: it is installed and its script did not come to an end.
    """
    kept = HOME / f"{peer}.json"
    if python(peer) is None:
        return None
    if anew or not kept.exists():
        script, arguments = SCRIPTS[peer]
        print(f"measuring {peer} ...", file=sys.stderr, flush=True)
        try:
            found = run(peer, script, *arguments)
        except subprocess.TimeoutExpired as exc:
            raise NotMeasured(f"{peer} did not end within {MINUTES} minutes") from exc
        kept.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    told: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return told


def main() -> int:
    """Install and measure; 1 when a peer that is installed could not be measured."""
    for line in install():
        print(line, file=sys.stderr)
    failed = 0
    for peer in SCRIPTS:
        try:
            found = measured(peer, anew=True)
        except NotMeasured as exc:
            failed = 1
            print(f"{peer}: not measured: {exc}", file=sys.stderr)
            continue
        if found is None:
            continue
        print(f"{peer} {found['version']}: {found['told']}")
        print(
            f"  recorded {RECORDED['peers'][peer]['at']} with {RECORDED['peers'][peer]['version']}: {RECORDED['peers'][peer]['told']}"
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
