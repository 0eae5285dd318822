"""Deploys to the embedded engine with the real CDK CLI: the same commands and templates as for an account.

result = deploy(load_state(), progress=print)
result.outputs["<stack>"]["<output>"]
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from infra.local import processes
from infra.local.engine import EngineState
from infra.local.errors import DeployFailed
from infra.local.paths import ROOT, Layout, tool_path
from infra.local.reconcile import reconcile

Progress = Callable[[str], None]

CONTEXT = {"engine": "true", "platform": "host"}
_QUIET_FLAGS = ("--no-color", "--no-notices", "--ci")
# What a person needs from a failed run, most telling first: the sentence of an exception of ours or of jsii's child,
# then CloudFormation's reason for a resource, then the CLI's own last word.
_TELLING = (
    re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Refused|Invalid)\b: (?P<why>.+)$"),
    re.compile(r"(?P<why>\w+ \| (?:CREATE|UPDATE)_FAILED .+)$"),
    re.compile(r"^(?:❌|‣|fail:|Error:)\s*(?P<why>.+)$"),
)


@dataclass(frozen=True)
class DeployResult:
    """How a deploy went: wall-clock seconds of all of it, stack outputs by stack and key, and what was put back."""

    seconds: float
    outputs: Mapping[str, Mapping[str, str]]
    reconciled: tuple[str, ...]


def deploy(
    state: EngineState,
    *,
    root: Path = ROOT,
    progress: Progress | None = None,
    app: str | None = None,
    context: Mapping[str, str] | None = None,
) -> DeployResult:
    """Bootstrap, synthesise, deploy every stack and put back what the engine dropped.

    `progress` is called with each line the CLI says, as it says it. `root`: the folder whose engine and tools are
    used; `app`: another CDK app's command than this repository's; `context`: what the app is told beside the platform (`modes`, `people`). Raises DeployFailed (one sentence with the log's path) when the CLI, jsii, Node or CloudFormation
    refuses, and LocalError when a tool is missing.
    """
    layout = Layout(root)
    runner = _Runner(layout, state, progress or (lambda _line: None))
    started = time.monotonic()
    runner.cdk("bootstrap", f"aws://{state.account}/{state.region}", cwd=layout.home)
    outputs_file = layout.tmp / "outputs.json"
    runner.cdk(
        "deploy",
        "--all",
        "--require-approval",
        "never",
        "--progress",
        "events",
        "--app",
        app or f"{shlex.quote(sys.executable)} -m infra.app",
        "--output",
        str(layout.assembly),
        "--outputs-file",
        str(outputs_file),
        *(part for key, value in {**CONTEXT, **(context or {})}.items() for part in ("--context", f"{key}={value}")),
        cwd=ROOT,
    )
    applied = reconcile(clients(state), layout.assembly, account=state.account, region=state.region)
    outputs = json.loads(outputs_file.read_text(encoding="utf-8")) if outputs_file.exists() else {}
    return DeployResult(time.monotonic() - started, outputs, tuple(applied))


def clients(state: EngineState) -> Callable[[str], Any]:
    """Service name to a boto3 client of the engine's root, each made once."""
    session = boto3.Session()

    @cache
    def client(service: str) -> Any:
        return session.client(service, **state.client_arguments())

    return client


class _Runner:
    """Runs the CDK CLI against one engine, telling each line and keeping all of them in the deploy log."""

    def __init__(self, layout: Layout, state: EngineState, progress: Progress) -> None:
        self._layout = layout
        self._progress = progress
        self._command = ["node", str(layout.cdk_cli())]
        code = [str(ROOT), str(ROOT / "layers" / "core" / "python")]
        self._environment = state.child_environment(os.environ) | {
            "PATH": tool_path(),
            "PYTHONPATH": os.pathsep.join(code),
            # The CLI would otherwise ask the npm registry for a newer version of itself, and report its use.
            "CDK_DISABLE_VERSION_CHECK": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        }
        self._layout.deploy_log.write_text("", encoding="utf-8")

    def cdk(self, *arguments: str, cwd: Path) -> None:
        """Run one CLI command to its end. Raises DeployFailed when it fails."""
        lines: list[str] = []
        running: list[subprocess.Popen[str]] = []
        try:
            processes.start(
                running,
                [*self._command, *arguments, *_QUIET_FLAGS],
                cwd=cwd,
                env=self._environment,
                text=True,
                encoding="utf-8",
                errors="replace",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            [process] = running
            assert process.stdout is not None
            with self._layout.deploy_log.open("a", encoding="utf-8") as log, process.stdout:
                for raw in process.stdout:
                    line = raw.rstrip()
                    log.write(line + "\n")
                    if line:
                        lines.append(line)
                        self._progress(line)
            process.wait()
        except BaseException:
            # Whoever interrupts us would leave the CLI deploying on its own.
            for each in running:
                each.terminate()
                each.wait()
            raise
        if process.returncode:
            raise DeployFailed(f"`cdk {arguments[0]}` failed: {explain(lines)} (see {self._layout.deploy_log}).")


def explain(lines: list[str]) -> str:
    """The one line of a failed run's output that says why, without its decoration.

    Of several of a kind the last one counts: a Python traceback ends with its exception, and jsii repeats it.
    """
    for pattern in _TELLING:
        for line in reversed(lines):
            if found := pattern.search(line.strip()):
                return found["why"].strip().rstrip(".")
    return lines[-1].strip().rstrip(".") if lines else "it said nothing"
