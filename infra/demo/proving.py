"""The last chapter: the log proves the incidents, to somebody who has its key and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from grace.errors import IntegrityError, NotFound
from grace.ledger import fsck
from grace.model.base import Model
from infra.cli.ledger import Opened, published
from infra.cli.log_source import Pins
from infra.cli.reach import Reach
from infra.local.paths import ROOT

PROOFS = Path("var") / "demo-proofs"
CHECKER = Path("var") / "checker" / "checker"
"""The program on Go's own library, where the set-up could build it."""
OURS, GO = "grace", "golang.org/x/mod/sumdb"
"""Whose code checks a proof: our own, and a program on the library with which Go checks modules."""
PATIENCE_SECONDS = 180
"""The log is integrated as entries come, and every minute."""
LOOK_SECONDS = 1.0


class LedgerReport(Model):
    """What the log proved. `checkpoint` is the signed note, word for word; `checkers` are those who saw every proof."""

    size: int
    checkpoint: str
    proofs_checked: int
    verified: bool
    checkers: tuple[str, ...]


def prove(place: Reach, contracts: Sequence[str], root: Path, says: Callable[[str], None]) -> LedgerReport:
    """Wait until the log holds every entry of these contracts, check it whole, and have each entry's proof checked.

    The proof files are checked by a process of its own that is given the public key, and no account and no engine; and
    by the program on Go's own library where the set-up could build it, which the report says.

    Raises:
        IntegrityError: the log does not hold them in time, or is not sound.
    """
    log = _complete(place, contracts, says)
    says("checking the whole log")
    report = fsck.check(log.fetch, log.paths, log.key)
    folder = root / PROOFS
    shutil.rmtree(folder, ignore_errors=True)
    for contract in contracts:
        log.write_proofs(log.entries(contract), folder / contract)
    says("checking the proofs")
    good, checkers = _checked([folder / contract for contract in contracts], log.key.key.vkey)
    return LedgerReport(
        size=log.head.size,
        checkpoint=log.signed.decode(),
        proofs_checked=good,
        verified=report.sound,
        checkers=checkers,
    )


def _complete(place: Reach, contracts: Sequence[str], says: Callable[[str], None]) -> Opened:
    deadline = time.monotonic() + PATIENCE_SECONDS
    wanted = {contract: len(place.services.store.story(contract)) for contract in contracts}
    why = "it has none"
    while time.monotonic() < deadline:
        try:
            log = published(place, Pins(Path(os.devnull)), listed=True)
            missing = [contract for contract, count in wanted.items() if len(log.entries(contract)) < count]
        except (NotFound, IntegrityError) as exc:
            why = str(exc)
        else:
            if not missing:
                return log
            why = f"entries of {', '.join(missing)} are missing"
        says(f"waiting for the log: {why}")
        time.sleep(LOOK_SECONDS)
    raise IntegrityError(f"after {PATIENCE_SECONDS} s the log does not hold every entry: {why}")


def _checked(folders: Sequence[Path], vkey: str) -> tuple[int, tuple[str, ...]]:
    """Return how many proof files are good, when all are, and who found so; raises `IntegrityError` otherwise."""
    files = sorted(str(file) for folder in folders for file in folder.iterdir())
    # Nothing but the key: no credentials, no region, no folder of the engine.
    alone = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    command = [sys.executable, "-m", "infra.cli.main", "ledger", "check", *files, "--vkey", vkey, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise IntegrityError(f"a proof is not good: {done.stdout}{done.stderr}")
    good = sum(bool(each["verified"]) for each in json.loads(done.stdout))
    if not (ROOT / CHECKER).is_file():
        return good, (OURS,)
    command = [str(ROOT / CHECKER), "-vkey", vkey, "-proof", *files]
    second = subprocess.run(command, env={}, capture_output=True, text=True, check=False)  # noqa: S603
    if second.returncode:
        raise IntegrityError(f"the second checker finds a proof that is not good: {second.stdout}{second.stderr}")
    return good, (OURS, GO)
