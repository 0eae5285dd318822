"""What `cdk.json` of this checkout says, for the commands that look at playbooks before a deploy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from infra.config import Deployment, deployment
from infra.local.paths import ROOT


@dataclass(frozen=True)
class Configured:
    """The configuration, and the folders it names."""

    deployment: Deployment
    playbook_folders: tuple[Path, ...]


def configured(root: Path = ROOT) -> Configured:
    """Return the checkout's configuration; raises `ConfigError` for the first thing that is wrong in it."""
    context = json.loads((root / "cdk.json").read_text(encoding="utf-8")).get("context", {})
    found = deployment(context)
    return Configured(found, tuple(root / name for name in found.playbooks))
