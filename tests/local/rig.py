"""An engine of its own for tests: the checkout's tools, another folder for everything an engine writes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from infra.local.paths import ROOT, Layout


def isolated_root(folder: Path) -> Path:
    """`folder` made into a root that borrows the checkout's engine environment and CDK CLI."""
    tools = Layout()
    tools.engine_python()
    tools.cdk_cli()
    for name in (".venv-engine", "node_modules"):
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    return folder


def create_stack(cloudformation: Any, name: str, resources: dict[str, Any], assembly: Path) -> None:
    """Create a stack from raw resources, and leave in `assembly` what a synth of it would have left."""
    template = {"Resources": resources}
    assembly.mkdir(parents=True, exist_ok=True)
    (assembly / f"{name}.template.json").write_text(json.dumps(template), encoding="utf-8")
    properties = {"templateFile": f"{name}.template.json"}
    manifest = {"artifacts": {name: {"type": "aws:cloudformation:stack", "properties": properties}}}
    (assembly / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            assert stack["StackStatus"] == "CREATE_COMPLETE", stack
            return
        time.sleep(0.1)
    raise AssertionError(f"the stack {name} did not finish")
