"""P1 to P3: what a cold start costs against a plain handler's, whether bytecode is used, and what is carried."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grace.model.approval import Approval
from grace.model.catalogue import Catalogue
from grace.model.entry import ref
from grace.model.ids import contract_id
from grace.model.link import encode, link_of
from grace.stores import keys
from infra.catalogue import catalogue_of
from infra.config import deployment
from infra.constructs import layers
from infra.constructs.doors import LEAN
from infra.constructs.floor_plan import DOORS
from infra.provision import ENGINE_VENV
from tests.bench.report import NotMeasured, Row
from tests.flow.scenarios import TICKET
from tests.support.links import asked
from tests.support.world import PEOPLE

CHILD = Path(__file__).with_name("cold_start.py")
EVENTS = Path(__file__).parents[1] / "events"
ROUNDS, ROUNDS_OF_P2 = 11, 15
REFERENCE = "-"
PAGE = "answer (page)"
"""The public road of `answer`: a letter's link is opened. It brings the templates, from the door's own layer."""
WIDER = frozenset({"answer", PAGE, "snapshot", "execute", "rollback"})
"""The doors whose budget is 1.75; the others' is 1.50."""
LAMBDA_DATE = 315532800
"""1980-01-01, the date of every file in a CDK archive."""
UNZIPPED, ZIPPED = 24 * 2**20, 10 * 2**20


def measure() -> list[Row]:
    """Build the assets for this machine and start every door from them, as Lambda would."""
    built_in = Catalogue.model_validate_json(catalogue_of(deployment({})))
    catalogue = built_in.model_copy(update={"directory": PEOPLE}).model_dump_json()
    parts = [layers.doors(), layers.core(), layers.dependencies("host"), layers.data(catalogue)]
    with tempfile.TemporaryDirectory() as work:
        trees = [_as_lambda(part.path, Path(work) / str(number)) for number, part in enumerate(parts)]
        web = _as_lambda(layers.dependencies("host", "web").path, Path(work) / "web")
        rows = [*_p1(trees, web), _p2(trees, Path(work))]
        for tree in (*trees, web):
            _writable(tree)
    return [*rows, *_p3(catalogue)]


def _p1(trees: Sequence[Path], web: Path) -> list[Row]:
    """Every door and the plain handler in turn, so that what else the machine does meets all alike."""
    events = _events()
    names = [REFERENCE, *(door.name for door in DOORS), PAGE]
    of = {PAGE: [*trees, web]}
    for name in names:
        _start(name, events, of.get(name, trees))
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            taken[name].append(_start(name, events, of.get(name, trees)))
    ratios = {name: _ratio(taken[name], taken[REFERENCE]) for name in names[1:]}
    rows = []
    for doors, budget in ((sorted(set(ratios) - WIDER), 1.5), (sorted(WIDER), 1.75)):
        worst = max(doors, key=lambda name: ratios[name])
        rows.append(
            Row(
                "P1",
                f"cold start of {', '.join(doors)}",
                f"≤ {budget:.2f}",
                f"{ratios[worst]:.2f} ({worst})",
                ratios[worst] <= budget,
                f"CPU to the first client, against boto3.client('dynamodb') , in turn; smallest of {ROUNDS} rounds",
                {name: round(ratios[name], 3) for name in doors},
            )
        )
    return rows


def _p2(trees: Sequence[Path], work: Path) -> Row:
    """The tree as it is on Lambda, against a copy that may keep what it compiles."""
    fresh = [_copy(tree, work / f"fresh{number}") for number, tree in enumerate(trees)]
    for tree in fresh:
        for cache in [*tree.rglob("__pycache__")]:
            shutil.rmtree(cache)
    events, door = _events(), "execute"
    _start(door, events, fresh, PYTHONDONTWRITEBYTECODE="")
    taken: dict[str, list[float]] = {"lambda": [], "fresh": []}
    for _ in range(ROUNDS_OF_P2):
        taken["lambda"].append(_start(door, events, trees))
        taken["fresh"].append(_start(door, events, fresh))
    ratio = _ratio(taken["lambda"], taken["fresh"])
    return Row(
        "P2",
        "import of the asset as Lambda sees it",
        "≤ 1.05",
        f"{ratio:.2f}",
        ratio <= 1.05,
        f"door {door}, files of 1980 and read-only, against the same tree with fresh bytecode; smallest of {ROUNDS_OF_P2}",
    )


def _p3(catalogue: str) -> list[Row]:
    """Everything a function gets, for Lambda; without its interpreter the bytecode is this machine's."""
    bare = bool(layers.notes())
    parts = [layers.doors(), layers.core(), layers.dependencies("host" if bare else "lambda"), layers.data(catalogue)]
    files = [path for part in parts for path in part.path.rglob("*") if path.is_file()]
    unzipped, zipped = sum(path.stat().st_size for path in files), sum(_zipped(part.path) for part in parts)
    how = "functions, core, dependencies and data layers, bytecode included"
    if bare:
        how += f"; platform host, for want of Python {layers.LAMBDA_PYTHON} here"
    return [
        Row("P3", "code and layers, unzipped", "≤ 24 MB", f"{unzipped / 2**20:.1f} MB", unzipped <= UNZIPPED, how),
        Row("P3", "code and layers, zipped", "≤ 10 MB", f"{zipped / 2**20:.1f} MB", zipped <= ZIPPED, how),
    ]


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The smallest of each: what else the machine does only ever adds."""
    return min(ours) / min(theirs)


def _start(door: str, events: Mapping[str, Any], trees: Sequence[Path], **environment: str) -> float:
    paths = [str(trees[0]), *(str(tree / "python") for tree in trees[1:])]
    # -P and -S: nothing on the path but what the function would have.
    command = [
        str(ENGINE_VENV / "bin" / "python"),
        "-P",
        "-S",
        str(CHILD),
        door.partition(" ")[0],
        json.dumps(events.get(door, {})),
        *paths,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_environment() | environment)
    if done.returncode or not done.stdout.strip():
        raise NotMeasured(f"{door} did not start: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return float(done.stdout.strip().splitlines()[-1])


def _environment() -> dict[str, str]:
    settings = {
        "STATE_TABLE": "state",
        "LOG_TABLE": "log",
        "VAULT_BUCKET": "vault",
        "VAULT_KEY": "key",
        "NOTIFY_TOPIC": "topic",
        "BUS": "grace",
        "STATE_MACHINE": "machine",
        "CONTRACT_FUNCTION": "grace-contract",
        "EXECUTE_ROLE": "execute",
        "ROLLBACK_ROLE": "rollback",
    }
    return {
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "POWERTOOLS_SERVICE_NAME": "grace",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        **LEAN,
        **{f"GRACE_{name}": value for name, value in settings.items()},
    }


def _events() -> dict[str, Any]:
    """Return what wakes each door."""
    ticket = TICKET.model_dump(mode="json")
    steps = {
        "ask": "ask",
        "snapshot": "snapshot",
        "execute": "execute",
        "benchmark": "outcome",
        "verify": "verify",
        "rollback": "rollback",
        "close": "close",
    }
    caller = {"authorizer": {"iam": {"userArn": PEOPLE.people[0].principals[0]}}}
    decision = {"contract_id": "c-bench", "decision": "approve", "digest": "0" * 64}
    link = link_of(contract_id("m-bench", "p", 1), "ada", "0" * 64, datetime(2050, 1, 1, tzinfo=UTC))
    place = keys.key(ref(Approval, "c-bench", "1"))
    row = {"Keys": {keys.PARTITION: {"S": place.pk}, keys.SORT: {"S": place.sk}}, "SequenceNumber": "1"}
    body = (EVENTS / "alarm_lambda_errors.eventbridge.json").read_text(encoding="utf-8")
    return {
        "triage": {"Records": [{"messageId": "1", "body": body}]},
        "contract": {"mission_id": "m-bench"},
        "answer": {"requestContext": caller, "body": json.dumps(decision)},
        PAGE: asked("GET", f"/a/{encode(link, bytes(32))}"),
        "operate": {"requestContext": caller, "body": json.dumps({"command": "stop", "reason": "a drill"})},
        "resolve": {"Records": [{"dynamodb": row}]},
        "reap": {},
        **{door: {"ticket": ticket, "step": step, "task_token": ""} for door, step in steps.items()},
    }


def _as_lambda(source: Path, target: Path) -> Path:
    _copy(source, target)
    for path in _all(target):
        os.utime(path, (LAMBDA_DATE, LAMBDA_DATE))
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return target


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    _writable(target)
    return target


def _writable(tree: Path) -> None:
    for path in _all(tree):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def _all(tree: Path) -> Iterable[Path]:
    return [tree, *tree.rglob("*")]


def _zipped(tree: Path) -> int:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(tree))
    return len(packed.getvalue())
