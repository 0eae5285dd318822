"""One synth that every test shares, with what it needs from the network left out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from infra import app
from infra.constructs import layers
from tests.infra.template import Template

MAIL = {"sender": "grace@ops.example"}
OIDC = {"issuer": "https://id.ops.example", "client_id": "grace"}
Synth = Callable[..., dict[str, Template]]


@pytest.fixture(scope="session")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """Return a function that synthesises with a context, rule packs included, and gives the templates by stack.

    The dependencies layer is an empty folder of the same name: its content is not in a template, and building it for
    Lambda needs the package index.
    """
    folder = tmp_path_factory.mktemp("dependencies")
    (folder / "python").mkdir()

    def empty(platform: str, of: str = "runtime") -> layers.Asset:
        return layers.Asset(folder, layers._digest([platform.encode(), of.encode()]))

    def run(**context: Any) -> dict[str, Template]:
        out = tmp_path_factory.mktemp("cdk")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layers, "dependencies", empty)
            app.build(context, outdir=os.fspath(out)).synth()
        return {
            name: Template(json.loads((out / f"{context.get('prefix', 'grace')}-{name}.template.json").read_text()))
            for name in ("vault", "engine")
        }

    return run


@pytest.fixture(scope="session")
def templates(synth: Synth) -> dict[str, Template]:
    """The templates of a deployment that configures nothing but mail and sign-in, so that every right can be seen."""
    return synth(mail=MAIL, oidc=OIDC)


@pytest.fixture(scope="session")
def engine(templates: dict[str, Template]) -> Template:
    """The stack that works."""
    return templates["engine"]


@pytest.fixture(scope="session")
def vault(templates: dict[str, Template]) -> Template:
    """The stack that keeps."""
    return templates["vault"]
