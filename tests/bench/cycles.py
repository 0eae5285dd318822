"""P13: whole remediations a second in one process, beside Chaos Toolkit's cycle in the same run where it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from infra.constructs.layers import ROOT
from tests.bench import peers
from tests.bench.report import NotMeasured, Row, median, percentile

HOW_MANY, ROUNDS = 200, 3
PEER = "chaostoolkit"


def measure() -> list[Row]:
    """Ours and theirs in turn; the best round of each, because what else the machine does only takes away."""
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        ours.append(_ours())
        if peers.python(PEER):
            theirs.append(peers.run(PEER, peers.CYCLE, str(HOW_MANY)))
    best = min(ours, key=lambda each: sum(each["seconds"]))
    rate, middle = HOW_MANY / sum(best["seconds"]), 1000 * median(best["seconds"])
    late, memory = 1000 * percentile(best["seconds"], 0.95), max(each["peak_mib"] for each in ours)
    kept = max(each["kept_kib"] for each in ours)
    keeps = f"VmHWM of the whole process that runs the cycles alone; {kept:.0f} KiB of it a cycle: stores in memory keep all"
    recorded = peers.RECORDED["peers"][PEER]
    how = f"{best['contracts']} alerts, each to its verified end, {best['entries']} log entries; best of {ROUNDS}"
    if theirs:
        peer = max(each["cycles_per_second"] for each in theirs)
        inside = max(each["in_process_cycles_per_second"] for each in theirs)
        against = (
            f"{theirs[0]['version']} in the same run, over HTTP on loopback; {inside:.0f}/s on a function call alone"
        )
    else:
        peer, against = recorded["cycles_per_second"], f"recorded {recorded['at']}; `make bench-peers` measures it here"
    return [
        Row("P13", "verified cycles in process", "≥ 100/s", f"{rate:.0f}/s", rate >= 100, how),
        Row("P13", "against Chaos Toolkit's cycle", "more", f"{rate:.0f} to {peer:.0f}/s", rate > peer, against),
        Row("P13", "time of a cycle", "p50 < 20 ms", f"{middle:.1f} ms", middle < 20, f"p95 {late:.1f} ms"),
        Row("P13", "peak memory", "< 120 MiB", f"{memory:.0f} MiB", memory < 120, keeps),
    ]


def _ours() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.cycle", str(HOW_MANY)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "core" / "python")])},
    )
    if done.returncode:
        raise NotMeasured((done.stderr.strip().splitlines() or ["the cycle said nothing"])[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    if found["verified"] != found["contracts"]:
        raise NotMeasured(f"of {found['contracts']} only {found['verified']} were verified: {found['ends']}")
    return found
