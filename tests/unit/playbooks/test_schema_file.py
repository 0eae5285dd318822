"""The schema that editors read is the one that follows from the models."""

from __future__ import annotations

import json
from pathlib import Path

from grace.playbooks.schema import playbook_schema

PUBLISHED = Path(__file__).parents[3] / "docs" / "schema" / "playbook.schema.json"


def test_the_published_schema_is_what_the_command_writes() -> None:
    written = json.dumps(playbook_schema(), indent=2, ensure_ascii=False) + "\n"
    assert PUBLISHED.read_text() == written, ".venv/bin/grace playbooks schema > docs/schema/playbook.schema.json"
