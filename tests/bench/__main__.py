"""Measure the budgets of docs and design, print one table, write var/bench.json.

The exit code says whether everything could be measured; with `--strict` also whether every budget was kept.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import traceback

from tests.bench.report import OUTPUT, Row, show, write

GROUPS = {
    "imports": ("P1", "P2", "P3"),
    "counts_and_money": ("P4", "P5", "P6", "P7", "P11"),
    "matching": ("P8",),
    "ledger": ("P9",),
    "own_work": ("P10",),
    "cycles": ("P13",),
    "abuse": ("P14",),
    "storm": ("P12", "P14"),
}
"""Module of this package to the goals it measures."""


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for (`--only P1 P8`), everything by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    known = sorted({goal for goals in GROUPS.values() for goal in goals}, key=lambda goal: int(goal[1:]))
    parser.add_argument("--only", nargs="+", metavar="GOAL", choices=known, default=known, help=", ".join(known))
    parser.add_argument("--strict", action="store_true", help="end with 1 also when a budget is missed")
    options = parser.parse_args(arguments)
    # What is measured must not depend on what the shell happens to hold.
    for name in [name for name in os.environ if name.startswith(("AWS_", "GRACE_", "POWERTOOLS_"))]:
        del os.environ[name]
    os.environ |= {
        "POWERTOOLS_SERVICE_NAME": "grace",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    rows: list[Row] = []
    errors: dict[str, str] = {}
    for name, goals in GROUPS.items():
        if not set(goals) & set(options.only):
            continue
        print(f"measuring {', '.join(goals)} ...", file=sys.stderr, end=" ", flush=True)
        began = time.monotonic()
        try:
            rows += importlib.import_module(f"tests.bench.{name}").measure()
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
        except Exception as exc:  # noqa: BLE001  one measurement that cannot be made must not hide the others
            errors[name] = f"{type(exc).__name__}: {exc}"
            print("not measured", file=sys.stderr)
            traceback.print_exc()
    rows = sorted((row for row in rows if row.goal in options.only), key=lambda row: int(row.goal[1:]))
    show(rows)
    write(rows, errors)
    print(f"written to {OUTPUT.relative_to(OUTPUT.parents[1])}")
    for name, why in errors.items():
        print(f"not measured: {name} ({', '.join(GROUPS[name])}): {why}", file=sys.stderr)
    missed = any(row.passed is False for row in rows)
    return 1 if errors or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
