"""How the log is told: every entry that the code writes has its sentence, and the sentence finds its facts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import grace
from grace.errors import IntegrityError
from grace.flow.audit import audit
from grace.model.entry import Entry
from infra.cli import ledger_views
from tests.support.ledger import Ledger
from tests.unit.flow.scenes import approved, incident, run, shop, stays_bad, vote
from tests.unit.flow.test_audit import PREFIX
from tests.unit.flow.test_mail import manned, wait

PACKAGE = Path(grace.__path__[0])
BY_STATUS = {
    "approval.": {"approval.approved", "approval.rejected"},
    "mission.": {"mission.needs_attention", "mission.closed"},
    "operator.": {"operator.demote", "operator.close_breaker"},
}
"""The types whose end is a status or an order, by how they begin."""


def types_in(node: ast.expr) -> set[str]:
    """The types that an expression may be."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.IfExp):
        return types_in(node.body) | types_in(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return BY_STATUS[next(str(part.value) for part in node.values if isinstance(part, ast.Constant))]
    return set()


def written(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            draft = isinstance(node.func, ast.Name) and node.func.id == "EntryDraft"
            for word in node.keywords:
                if (draft and word.arg == "type") or word.arg == "entry":
                    yield from types_in(word.value)
        if isinstance(node, ast.FunctionDef):
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                if argument.arg == "entry" and default is not None:
                    yield from types_in(default)


def test_every_type_that_the_code_writes_has_a_sentence_and_no_sentence_is_left_over() -> None:
    files = [*(PACKAGE / "flow").glob("*.py"), *(PACKAGE / "web").glob("*.py")]
    found = {each for file in files for each in written(ast.parse(file.read_text())) if "." in each}
    assert len(found) > 40
    assert set(ledger_views._TOLD) == found


def entries(world: Any) -> list[Entry]:
    streams = {Entry.model_validate_json(data).stream for data in world.store._entries.values()}
    return [entry for stream in sorted(streams) for entry in world.store.story(stream)]


def worlds() -> Iterator[Any]:
    plain, bad, asked, refused, late = shop(), shop(), shop(2), shop(2), manned(2)
    bad.between = stays_bad
    incident(plain)
    incident(bad)
    approved(asked, "ada")
    run(asked)
    vote(refused, incident(refused), "ada", "reject")
    incident(late)
    wait(late, 31)
    unreadable = shop()
    unreadable.fire("{not json")
    run(unreadable)
    ledger = Ledger()
    ledger.write(3, field="state", key="quarantine/1")
    ledger.integrate()
    audit(ledger, prefix=PREFIX)
    ledger.clock.advance(900)
    ledger.archive.hide("tile/entries/000.p/3")
    with pytest.raises(IntegrityError):
        audit(ledger, prefix=PREFIX, full=True)
    yield from (plain, bad, asked, refused, late, unreadable, ledger)


def test_each_sentence_finds_its_facts_in_real_entries() -> None:
    told = [(entry.type, ledger_views.told(entry)) for world in worlds() for entry in entries(world)]
    assert len({kind for kind, _ in told}) > 18
    assert not [says for kind, says in told if says.startswith(f"{kind}:")]
    assert not [says for _, says in told if "{" in says or "None" in says]
