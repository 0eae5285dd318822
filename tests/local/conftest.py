"""One engine for all tests of this folder, apart from the checkout's own; and one Grace on it with mail and sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.deploy import clients
from infra.local.engine import Engine, EngineState
from infra.local.reconcile import Clients
from tests.local.deployed import Deployed, deployed, now
from tests.local.rig import isolated_root
from tests.support import issuer as issuers


@pytest.fixture(scope="session")
def engine_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return isolated_root(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def engine(engine_root: Path) -> Iterator[EngineState]:
    embedded = Engine(engine_root)
    yield embedded.start()
    embedded.stop()


@pytest.fixture(scope="session")
def aws(engine: EngineState) -> Clients:
    return clients(engine)


@pytest.fixture(scope="session")
def grace(
    engine: EngineState, engine_root: Path, aws: Clients, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with issuers.serving(now) as issuer:
        yield deployed(engine, engine_root, aws, tmp_path_factory.mktemp("people"), issuer)
