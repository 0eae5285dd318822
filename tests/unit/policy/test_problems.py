"""A bad policy ends the synth with a sentence that names file and fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grace.actions.base import actions
from grace.gateways.cedar import problems
from grace.model.policy import PolicyFile
from grace.policy import sources
from infra.catalogue import policy_of
from infra.config import ConfigError, deployment

GOOD = '@id("team.fine") permit (principal, action in Grace::Action::"act", resource) when { resource.managed };'
SCHEMA = sources.schema(["shift_alias"])
OURS = (sources.constitution(), *sources.built_in())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("permit (", "cannot be read"),
        ("permit (principal, action, resource);", "has no @id"),
        (GOOD.replace("team.fine", "fine"), "has no @id"),
        (GOOD.replace("team.fine", "constitution.opt_in"), "belong to Grace"),
        (GOOD.replace("resource.managed", "resource.manged"), "`manged` on entity type `Grace::Resource` not found"),
        (GOOD.replace('"act"', '"acts"'), "acts"),
        (GOOD.replace("permit", "forbid"), "add @reason"),
        (GOOD.replace("permit", '@tier("2") permit'), "@tier means nothing here"),
        (f"{GOOD}\n{GOOD}", "every policy has its own"),
        (GOOD.replace("principal,", "principal == ?principal,"), "templates"),
        ("// nothing yet", "holds no policy"),
        (GOOD.replace("resource.managed", "context.tier"), "team.fine"),
        (GOOD.replace("resource.managed", "context.dependents <= 3"), "dependents"),
    ],
)
def test_d17_each_fault_is_one_sentence_that_names_the_file(text: str, says: str) -> None:
    found = problems([PolicyFile(name="team.cedar", text=text)], SCHEMA)
    assert found
    assert all(each.startswith("team.cedar: ") and "\n" not in each for each in found)
    assert any(says in each for each in found)


def test_what_comes_with_grace_is_in_order() -> None:
    assert problems(OURS, SCHEMA, ours=OURS) == []


@pytest.mark.parametrize("name", ["constitution.cedar", "calendar.cedar"])
def test_a_file_of_graces_own_is_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(GOOD)
    with pytest.raises(ConfigError, match=f"{name}: that name belongs to Grace"):
        policy_of(deployment({}), [tmp_path])


def test_the_default_policies_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "default.cedar").write_text(GOOD)
    source = policy_of(deployment({}), [tmp_path])
    assert [file.text for file in source.files if file.name == "default.cedar"] == [GOOD]
    assert source.digest != policy_of(deployment({})).digest


def test_the_digest_covers_the_constitution(monkeypatch: pytest.MonkeyPatch) -> None:
    before = policy_of(deployment({})).digest
    whole = sources.constitution()
    monkeypatch.setattr(
        sources, "constitution", lambda: whole.model_copy(update={"text": whole.text + "\n// one more line"})
    )
    assert policy_of(deployment({})).digest != before


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"policies": ["nowhere"]}, "`policies` names nowhere"),
        ({"calendar": {"timezone": "Mars/Olympus"}}, "names the timezone 'Mars/Olympus'"),
        ({"calendar": {"windows": [{"days": ["mon"], "start": "18:00", "end": "09:00"}]}}, "ends after it began"),
        (
            {
                "calendar": {
                    "freezes": [{"start": "2026-12-24T00:00:00Z", "end": "2026-12-23T00:00:00Z", "reason": "x-mas"}]
                }
            },
            "ends after it began",
        ),
        (
            {
                "calendar": {
                    "freezes": [{"start": "2026-12-24T00:00:00", "end": "2026-12-25T00:00:00Z", "reason": "x-mas"}]
                }
            },
            "time zone",
        ),
        ({"calendar": {"window": []}}, "calendar.window"),
    ],
)
def test_d48_a_wrong_calendar_or_folder_is_one_sentence(context: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=r"^cdk\.json context: ") as told:
        policy_of(deployment(context))
    assert says in str(told.value)


def test_the_examples_in_the_guide_are_in_order() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
    examples = "\n".join(part.split("```")[0] for part in guide.split("```cedar\n")[1:])
    assert examples.count("@id") == 4
    assert problems([PolicyFile(name="shop.cedar", text=examples)], sources.schema(actions())) == []


def test_the_guide_names_all_that_a_policy_may_name() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
    names = set(re.findall(r"(\w+)\??: (?:String|Long|Bool)", SCHEMA)) - {"name"}
    assert [name for name in sorted(names) if f"`{name}`" not in guide and f"context.{name}`" not in guide] == []
