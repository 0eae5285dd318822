"""The schema that editors read is the one that follows from the models, and the file stays as the command writes it."""

from __future__ import annotations

import json
from pathlib import Path

from grace.playbooks.schema import playbook_schema

PUBLISHED = Path(__file__).parents[3] / "docs" / "schema" / "playbook.schema.json"
WRITE_IT = "write it again: .venv/bin/grace playbooks schema > docs/schema/playbook.schema.json"


def test_the_published_schema_is_the_one_the_models_give() -> None:
    assert json.loads(PUBLISHED.read_text()) == playbook_schema(), WRITE_IT


def test_the_published_schema_is_written_as_the_command_writes_it() -> None:
    assert PUBLISHED.read_text() == json.dumps(playbook_schema(), indent=2, ensure_ascii=False) + "\n", WRITE_IT
