"""Playbook files: strict reading, and what the lint knows before any alert. Each refusal names file, key and fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from grace.errors import InvalidPlaybook
from grace.model.catalogue import Catalogue
from grace.model.diagnosis import DiagnosisCode
from grace.model.signal import Signal
from grace.playbooks.index import candidates
from grace.playbooks.lint import lint
from grace.playbooks.loader import BUILT_IN, digest_of, load_playbook, load_playbooks
from grace.signals import parse

EVENTS = Path(__file__).parents[2] / "events"
GOOD: dict[str, Any] = {
    "name": "mine",
    "summary": "Point the alias back.",
    "diagnoses": ["elevated_errors"],
    "resource": "AWS::Lambda::Alias",
    "action": {"use": "shift_alias", "to": "previous_version"},
    "tier": 1,
    "expect": [{"state": {"path": "function_version", "equals": "{{ plan.to }}"}}],
    "example": "alarm.json",
}


def write(folder: Path, document: Any, name: str = "mine.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    (folder / "alarm.json").write_text("{}")
    return path


def problems(folder: Path, **changes: Any) -> list[str]:
    write(folder, GOOD | changes)
    return lint([folder])


def test_a_good_playbook_has_no_problems_and_a_digest_of_what_it_says(tmp_path: Path) -> None:
    assert problems(tmp_path) == []
    (playbook,) = load_playbooks([tmp_path])
    assert playbook.digest == digest_of(playbook.spec)
    assert playbook.spec.limits.per_hour == 3
    write(tmp_path, "# a comment\n" + yaml.safe_dump(GOOD))
    assert load_playbooks([tmp_path])[0].digest == playbook.digest
    write(tmp_path, GOOD | {"tier": 2})
    assert load_playbooks([tmp_path])[0].digest != playbook.digest


def test_durations_may_be_written_as_people_do(tmp_path: Path) -> None:
    spec = load_playbook(write(tmp_path, GOOD | {"settle": "5m", "relapse": "1h", "limits": {"cooldown": 90}}))
    assert (spec.settle, spec.relapse, spec.limits.cooldown) == (300, 3600, 90)
    assert load_playbook(write(tmp_path, GOOD)).settle == "auto"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("name: [", r"mine\.yaml: line 1"),
        ("name: mine\nname: mine\n", r"mine\.yaml: line 2: has the key 'name' twice"),
        ("a: &x 1\nb: *x\n", "has an alias: write it out"),
        ("- 1", "must be a mapping with the keys name"),
        ("", "must be a mapping with the keys name"),
        ("a: 1\n---\nb: 2\n", r"mine\.yaml: line 2"),
        ("1: a", "the key 1 is not text"),
        ("a: 2026-01-31", "was read as a date: put it in quotes"),
        ("a: .nan", "must be a finite number"),
        ("a: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
        ("a: " + "x" * 70_000, "is larger than 64 KiB"),
        (GOOD | {"name": "other"}, "name: is 'other': give file and playbook the same name"),
        (GOOD | {"on": "x"}, r"mine\.yaml: on: there is no such key: use name, summary"),
        (GOOD | {"teir": 1}, "teir: there is no such key"),
        ({key: value for key, value in GOOD.items() if key != "tier"}, "tier: is missing: add it"),
        (GOOD | {"tier": 4}, "tier: "),
        (GOOD | {"diagnoses": ["bad_luck"]}, r"diagnoses\.0: "),
        (GOOD | {"limits": {"per_day": 1}}, r"limits\.per_day: there is no such key"),
        (GOOD | {"expect": []}, "expect: "),
        (GOOD | {"settle": "soon"}, "settle"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, document: Any, sentence: str) -> None:
    path = write(tmp_path, document)
    with pytest.raises(InvalidPlaybook, match=sentence) as caught:
        load_playbook(path)
    assert "\n" not in str(caught.value)
    assert lint([tmp_path]) == [str(caught.value)]


def test_bytes_that_are_no_text_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(InvalidPlaybook, match="is not UTF-8"):
        load_playbook(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlaybook, match="is not a directory: correct `playbooks`"):
        load_playbooks([tmp_path / "nowhere"])


def test_a_name_may_be_used_once(tmp_path: Path) -> None:
    write(tmp_path / "a", GOOD)
    write(tmp_path / "b", GOOD)
    with pytest.raises(InvalidPlaybook, match=r"'mine' is taken by .*a/mine\.yaml: choose another"):
        load_playbooks([tmp_path / "a", tmp_path / "b"])
    (problem,) = lint([tmp_path / "a", tmp_path / "b"])
    assert "is taken by" in problem
    write(tmp_path / "c", GOOD | {"name": "scale_out_group"}, "scale_out_group.yaml")
    with pytest.raises(InvalidPlaybook, match="is taken by"):
        load_playbooks([BUILT_IN, tmp_path / "c"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"diagnoses": ["unknown"]}, "diagnoses: unknown goes to a person"),
        ({"resource": "AWS::S3::Bucket"}, "resource: Grace cannot act on AWS::S3::Bucket: use one of AWS::"),
        ({"action": {"use": "format_disk"}}, "action.use: 'format_disk' is no action: use one of "),
        ({"action": {"to": "previous_version"}}, "action.use: 'nothing' is no action"),
        ({"action": {"use": "shift_alias", "too": "x"}}, "action.too: there is no such key: use use, to"),
        ({"action": {"use": "shift_alias", "to": "latest"}}, "action.to: "),
        ({"action": {"use": "set_memory", "mb": 256, "factor": 2}}, "give either mb or factor"),
        (
            {"action": {"use": "set_memory", "mb": 256}},
            "set_memory acts on AWS::Lambda::Function and not on AWS::Lambda",
        ),
        ({"expect": [{"metrik": "x"}]}, "expect[0]: names metrik"),
        ({"expect": [{"state": {"path": "version", "equals": 1}}]}, "expect[0].state.path: the state has no 'version'"),
        (
            {"expect": [{"state": {"path": "function_version", "equals": "{{ plan.version }}"}}]},
            "plan.version does not",
        ),
        ({"guard": [{"metric": "AWS/Lambda Duration p95", "worse": "up"}]}, "guard[0].worse: "),
        ({"when": {"kynd": ["alarm"]}}, "when.kynd: is no field of a signal: use one of account"),
        ({"when": {"metric": {"title": ["Errors"]}}}, "when.metric.title: is no field"),
        ({"when": {"$or": [{"kind": ["alarm"]}, {"kynd": ["x"]}]}}, "when.kynd"),
        ({"when": {"kind": "alarm"}}, "kind"),
        ({"when": {"kind": [{"like": "alarm"}]}}, "unknown operator 'like'"),
        ({"example": "nowhere.json"}, "example: 'nowhere.json' is not there"),
    ],
)
def test_d7_d17_what_means_nothing_is_named_with_its_fix(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    found = problems(tmp_path, **changes)
    assert any(problem.startswith("mine.yaml: ") and sentence in problem for problem in found), found
    assert all("\n" not in problem for problem in found)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path, diagnoses=["unknown"], when={"kynd": ["x"]}, expect=[{"nothing": 1}], example="nowhere.json"
    )
    assert len(found) == 4


def test_an_undo_needs_a_resource_that_can_be_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grace.resources.lambda_alias import LambdaAlias  # noqa: PLC0415  only this test bends it

    monkeypatch.setattr(LambdaAlias, "writes", ())
    assert problems(tmp_path) == [
        "mine.yaml: action.use: shift_alias would have to be undone and AWS::Lambda::Alias cannot be restored"
    ]


@pytest.mark.parametrize("arn", ["*", "arn:aws:lambda:*:*:function:*"])
def test_authority_wider_than_the_accounts_resources_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arn: str
) -> None:
    from grace.resources.lambda_alias import LambdaAlias  # noqa: PLC0415  only this test bends it

    monkeypatch.setattr(LambdaAlias, "arns", (arn,))
    (problem,) = problems(tmp_path)
    assert f"shift_alias would be allowed on {arn}" in problem


@pytest.mark.parametrize("place", ["mine/alarm.json", "mine/events/alarm.json", "elsewhere/alarm.json"])
def test_an_example_lies_beside_its_playbook_or_where_examples_are_kept(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "mine"
    write(folder, GOOD)
    (folder / "alarm.json").unlink()
    assert len(lint([folder], [tmp_path / "elsewhere"])) == 1
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("{}")
    assert lint([folder], [tmp_path / "elsewhere"]) == []


# the index


def catalogue(folder: Path, *changes: dict[str, Any]) -> Catalogue:
    for number, change in enumerate(changes):
        name = f"playbook_{number}"
        write(folder, GOOD | {"name": name} | change, f"{name}.yaml")
    return Catalogue(playbooks=load_playbooks([folder]), rules=())


def errors() -> Signal:
    return parse((EVENTS / "alarm_lambda_errors.eventbridge.json").read_bytes())


def found(known: Catalogue, code: DiagnosisCode) -> list[str]:
    return [playbook.spec.name.removeprefix("playbook_") for playbook in candidates(known, code, errors())]


def test_candidates_fit_the_diagnosis_highest_priority_first_then_by_name(tmp_path: Path) -> None:
    known = catalogue(
        tmp_path,
        {"priority": 10},
        {"diagnoses": ["timeout"]},
        {"priority": 90},
        {},
        {"diagnoses": ["timeout", "elevated_errors"]},
    )
    assert found(known, DiagnosisCode.ELEVATED_ERRORS) == ["2", "3", "4", "0"]
    assert found(known, DiagnosisCode.TIMEOUT) == ["1", "4"]
    assert found(known, DiagnosisCode.SERVICE_DOWN) == []


def test_candidates_match_their_pattern(tmp_path: Path) -> None:
    known = catalogue(
        tmp_path,
        {"when": {"kind": ["alarm"]}},
        {"when": {"kind": ["error"]}},
        {"when": {"metric": {"dimensions": {"FunctionName": ["shop"]}}}},
    )
    assert found(known, DiagnosisCode.ELEVATED_ERRORS) == ["0", "2"]
