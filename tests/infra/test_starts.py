"""P1: what each door loads up to its first client. Counts, so that no import comes back unseen; `make bench` has the ratio."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from grace.model.catalogue import Catalogue
from infra.catalogue import catalogue_of
from infra.config import deployment
from infra.constructs import layers
from infra.constructs.floor_plan import DOORS
from infra.provision import ENGINE_VENV
from tests.bench import imports
from tests.support.world import PEOPLE

LOADED: Mapping[str, tuple[int, int]] = {
    "triage": (62, 80),
    "contract": (83, 85),
    "ask": (64, 83),
    "answer": (48, 80),
    "operate": (53, 81),
    "resolve": (41, 69),
    "snapshot": (51, 69),
    "execute": (60, 77),
    "benchmark": (55, 66),
    "verify": (45, 60),
    "rollback": (58, 69),
    "close": (49, 69),
    "reap": (60, 70),
    "integrate": (28, 12),
    "sign": (28, 11),
    "audit": (54, 76),
    imports.PAGE: (61, 74),
}
"""At most so many modules of Grace and so many models. More is a choice: raise the number with what needs it."""
HEAVY = {
    "boto3",
    "s3transfer",
    "multiprocessing",
    "asyncio",
    "yaml",
    "jinja2",
    "markupsafe",
    "cedarpy",
    "cryptography",
    "jwt",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.idempotency",
}
"""Each takes as long as a tenth of the plain handler or more: nothing loads them but the road that uses them."""
TEMPLATES = {"jinja2", "markupsafe"}
PROGRAM = """
import json, runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
from grace.model.base import Model
def below(kind):
    return {kind}.union(*map(below, kind.__subclasses__()))
print(json.dumps({"modules": sorted(sys.modules), "models": len(below(Model))}))
"""


@pytest.fixture(scope="module")
def parts() -> list[str]:
    """Return the paths of a function: doors, core, dependencies, data, and last the templates' layer."""
    built_in = Catalogue.model_validate_json(catalogue_of(deployment({})))
    catalogue = built_in.model_copy(update={"directory": PEOPLE}).model_dump_json()
    assets = [layers.core(), layers.dependencies("host"), layers.data(catalogue), layers.dependencies("host", "web")]
    return [str(layers.doors().path), *(str(asset.path / "python") for asset in assets)]


def loaded(door: str, paths: Sequence[str]) -> dict[str, Any]:
    """Start a door as the benchmark does, and return what was there when it had its first client."""
    event = json.dumps(imports._events().get(door, {}))
    given = [str(imports.CHILD), door.partition(" ")[0], event, *paths]
    ended = subprocess.run(
        [str(ENGINE_VENV / "bin" / "python"), "-P", "-S", "-c", PROGRAM, *given],
        env=imports._environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("door", [*(door.name for door in DOORS), imports.PAGE])
def test_a_door_loads_no_more_than_it_did_up_to_its_first_client(door: str, parts: list[str]) -> None:
    found = loaded(door, parts if door == imports.PAGE else parts[:-1])
    own = [name for name in found["modules"] if name.partition(".")[0] == "grace"]
    modules, models = LOADED[door]
    assert len(own) <= modules, "\n".join(own)
    assert found["models"] <= models
    assert set(found["modules"]) & HEAVY == (TEMPLATES if door == imports.PAGE else set())


def test_the_table_names_the_doors_that_exist() -> None:
    assert set(LOADED) == {*(door.name for door in DOORS), imports.PAGE}
