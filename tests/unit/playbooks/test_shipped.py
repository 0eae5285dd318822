"""The playbooks that come with Grace: linted, led to by their own example, promising what can be observed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from grace.actions.base import action
from grace.diagnoses.loader import built_in
from grace.errors import InvalidPlaybook
from grace.model.catalogue import Catalogue
from grace.model.contract import Mode, Undo
from grace.model.diagnosis import DiagnosisCode
from grace.model.signal import Signal
from grace.playbooks.catalogue import build
from grace.playbooks.index import candidates
from grace.playbooks.lint import lint
from grace.playbooks.loader import BUILT_IN, load_playbooks
from grace.playbooks.schema import playbook_schema
from grace.ports import AlarmFacts
from grace.probes.base import samples_after
from grace.probes.measure import PromiseContext, compile_promises
from grace.resources.base import resource_type
from grace.signals import parse

EVENTS = Path(__file__).parents[2] / "events"
PLAYBOOKS = {playbook.spec.name: playbook for playbook in load_playbooks([BUILT_IN])}
CATALOGUE = Catalogue(playbooks=tuple(PLAYBOOKS.values()), rules=())

STATES: dict[str, dict[str, Any]] = {
    "AWS::Lambda::Alias": {"function_version": "7", "additional_version_weights": {}},
    "AWS::Lambda::Function": {
        "memory_size": 128,
        "timeout": 3,
        "reserved_concurrency": 20,
        "log_level": "INFO",
        "log_level_in": "LOG_LEVEL",
    },
    "AWS::AutoScaling::AutoScalingGroup": {"min_size": 1, "max_size": 4, "desired_capacity": 2},
    "AWS::ECS::Service": {
        "task_definition": "arn:aws:ecs:eu-central-1:111122223333:task-definition/web:42",
        "desired_count": 2,
    },
    "AWS::EC2::Instance": {"state_name": "running"},
}


def example(name: str) -> Signal:
    return parse((EVENTS / PLAYBOOKS[name].spec.example).read_bytes())


def alarm_of(signal: Signal) -> AlarmFacts | None:
    if not signal.is_alarm:
        return None
    return AlarmFacts(
        arn=signal.subject,
        name=signal.name,
        state="ALARM",
        changed_at=datetime(2026, 1, 31, tzinfo=UTC),
        metric=signal.metric,
        threshold=signal.threshold,
        comparison=signal.comparison or "GreaterThanThreshold",
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing="missing",
    )


def test_all_of_them_pass_the_lint() -> None:
    assert lint([BUILT_IN], [EVENTS]) == []


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_its_example_leads_to_it(name: str) -> None:
    signal = example(name)
    diagnosis = built_in().diagnose(signal)
    assert diagnosis.code in PLAYBOOKS[name].spec.diagnoses
    fitting = [
        playbook.spec.name
        for playbook in candidates(CATALOGUE, diagnosis.code, signal)
        if resource_type(playbook.spec.resource).from_signal(signal) is not None
    ]
    assert fitting[0] == name


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_promise_compiles_for_its_example(name: str) -> None:
    spec, signal = PLAYBOOKS[name].spec, example(name)
    kind = resource_type(spec.resource)
    resource = kind.from_signal(signal)
    assert resource is not None
    state = STATES[spec.resource]
    act = action(spec.action["use"])
    alarm = alarm_of(signal)
    expect, _ = compile_promises(
        spec,
        PromiseContext(
            resource=resource,
            kind=kind,
            before=state,
            predicted=state,
            parameters=dict.fromkeys(act.parameters.model_fields, "planned"),
            signal=signal,
            alarm=alarm,
        ),
    )
    musts = [line for line in expect if line.must]
    assert musts
    assert any(line.kind == "alarm" for line in musts) is (alarm is not None)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_what_cannot_be_undone_is_never_done_unasked(name: str) -> None:
    spec = PLAYBOOKS[name].spec
    assert spec.tier > 1 or action(spec.action["use"]).undo is Undo.RESTORE


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_what_the_action_sets_is_read_back(name: str) -> None:
    """D8: every executor proves its effect by reading state back."""
    assert any("state" in line for line in PLAYBOOKS[name].spec.expect)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_the_settle_time_leaves_room_for_the_points_of_its_guards(name: str) -> None:
    """A guard that never has its points is never judged. (`auto` waits for them; a promise's points are always waited for.)"""
    spec = PLAYBOOKS[name].spec
    if spec.settle == "auto":
        return
    for guard in spec.guard:
        assert spec.settle >= samples_after(guard.get("min_samples", 5), 60)


def test_every_diagnosis_with_a_safe_remedy_has_a_playbook_and_the_others_go_to_a_person() -> None:
    covered = {code for playbook in PLAYBOOKS.values() for code in playbook.spec.diagnoses}
    assert set(DiagnosisCode) - covered == {
        DiagnosisCode.DATABASE_LOCKED,
        DiagnosisCode.PERMISSION_DENIED,
        DiagnosisCode.VALIDATION_ERROR,
        DiagnosisCode.UNKNOWN,
    }


def test_every_action_is_used_by_a_playbook() -> None:
    from grace.actions.base import actions  # noqa: PLC0415  the whole registry is only this test's

    assert {playbook.spec.action["use"] for playbook in PLAYBOOKS.values()} == set(actions())


# schema


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_the_published_schema_accepts_it(name: str) -> None:
    document = yaml.safe_load((BUILT_IN / f"{name}.yaml").read_text())
    jsonschema.Draft202012Validator(playbook_schema()).validate(document)


@pytest.mark.parametrize(
    "change",
    [
        {"tiers": 1},
        {"tier": 4},
        {"action": {"use": "format_disk"}},
        {"action": {"use": "shift_alias", "too": "previous_version"}},
        {"action": {"to": "previous_version"}},
        {"expect": []},
        {"expect": [{"metric": "AWS/Lambda Errors", "is": {"under": 1}}]},
        {"expect": [{"metric": "Errors", "is": {"below": 1}}]},
        {"expect": [{"state": {"path": "a"}}]},
        {"expect": [{"alarm": {"becomes": "ALARM"}}]},
        {"guard": [{"metric": "alarm", "worse": "up"}]},
        {"settle": "soon"},
        {"resource": "Lambda"},
    ],
)
def test_the_published_schema_refuses_what_the_loader_refuses(change: dict[str, Any]) -> None:
    document = yaml.safe_load((BUILT_IN / "roll_back_lambda_alias.yaml").read_text())
    validator = jsonschema.Draft202012Validator(playbook_schema())
    assert validator.is_valid(document)
    assert not validator.is_valid(document | change)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(playbook_schema())


# catalogue

PEOPLE = """
- {id: anna, name: Anna Ask, mail: anna@example.com, groups: [approvers], principals: ["arn:aws:iam::1:role/anna"]}
- {id: bert, name: Bert Both, mail: bert@example.com, groups: [approvers]}
"""


def people(folder: Path, text: str = PEOPLE) -> Path:
    path = folder / "people.yaml"
    path.write_text(text)
    return path


def test_a_catalogue_travels_as_json_and_everything_is_in_shadow_at_first(tmp_path: Path) -> None:
    made = build(rules=built_in().rules, people=people(tmp_path), examples=[EVENTS], http_hosts=("x.example",))
    again = Catalogue.model_validate_json(made.model_dump_json())
    assert again == made
    assert {playbook.spec.name for playbook in again.playbooks} == set(PLAYBOOKS)
    assert {again.mode(name) for name in PLAYBOOKS} == {Mode.SHADOW}
    assert [person.id for person in again.directory.members("approvers")] == ["anna", "bert"]
    assert again.rules


def test_a_mode_for_a_playbook_nobody_has_is_named() -> None:
    with pytest.raises(InvalidPlaybook, match=r"modes\.roll_bak: there is no such playbook"):
        build(rules=(), examples=[EVENTS], modes={"roll_bak": Mode.AUTONOMOUS})


@pytest.mark.parametrize(
    ("name", "mode", "fine"),
    [
        ("scale_out_group", Mode.AUTONOMOUS, True),
        ("scale_out_group", Mode.APPROVAL, False),
        ("reboot_instance", Mode.SHADOW, True),
        ("reboot_instance", Mode.AUTONOMOUS, False),
    ],
)
def test_what_must_ask_needs_somebody_to_ask(tmp_path: Path, name: str, mode: Mode, fine: bool) -> None:
    build(rules=(), examples=[EVENTS], modes={name: mode}, people=people(tmp_path))
    if fine:
        build(rules=(), examples=[EVENTS], modes={name: mode})
        return
    with pytest.raises(InvalidPlaybook, match="which has 0: add people"):
        build(rules=(), examples=[EVENTS], modes={name: mode})


SIGNED = """
- {id: anna, name: Anna, mail: anna@example.com, groups: [approvers], subject: s-1}
- {id: bert, name: Bert, mail: bert@example.com, groups: [approvers], subject: s-2}
"""


def test_who_is_asked_to_sign_in_must_be_able_to(tmp_path: Path) -> None:
    """Otherwise people are sent links with which nobody can decide."""
    folder = tmp_path / "own"
    folder.mkdir()
    text = (BUILT_IN / "scale_out_group.yaml").read_text()
    (folder / "grow.yaml").write_text(text.replace("name: scale_out_group", "name: grow").replace("tier: 1", "tier: 3"))

    def made(text: str, **options: Any) -> Catalogue:
        return build([folder], rules=(), examples=[EVENTS], people=people(tmp_path, text), **options)

    acting, raised = {"modes": {"grow": Mode.APPROVAL}}, {"approvers_for": {"3": "approvers"}}
    for options in (acting, raised):
        made(SIGNED, signs_in=True, **options)
        made(PEOPLE, **options)
        for few, have in ((PEOPLE, 0), (SIGNED.replace(", subject: s-2", ""), 1)):
            with pytest.raises(InvalidPlaybook, match=f"and {have} of its 2 have a `subject`"):
                made(few, signs_in=True, **options)
    made(PEOPLE, signs_in=True, modes={"reboot_instance": Mode.APPROVAL, "grow": Mode.SHADOW})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("people: {}", "must be a list of people"),
        ("people: []\nrota: []", "rota: there is no such key"),
        ("people: []\nrotas: {}", "rotas: must be a list"),
        ("people: []\nrotas: [{name: week, people: [anna], starts: soon}]", r"rotas\[0\]: starts"),
        (
            "people: []\nrotas: [{name: week, people: [anna], starts: '2026-01-05T09:00:00Z'}]",
            "names 'anna', who is not",
        ),
        (
            "people: [{id: a, name: A, groups: [w]}]\nrotas: [{name: w, people: [a], starts: '2026-01-05T09:00:00Z'}]",
            "the rota 'w' has the name of a group",
        ),
        ("- {id: anna, name: A, mail: a@b}", "mail"),
        ("- {id: anna, name: A, mail: 'a@b.example, c@d.example'}", "mail"),
        ('- {id: anna, name: A, mail: "a@b.example\\nBcc: c@d.example"}', "mail"),
        (PEOPLE + "- {id: carl, name: C, mail: ANNA@example.com}", "stands for anna already: one person, one entry"),
        ("- {id: anna}", r"people\.yaml\[0\]: name: is missing"),
        ("- {id: Anna, name: A, mail: a@b.example}", r"\[0\]: id"),
        ("- {id: anna, name: A, mail: a@b.example, boss: true}", "boss: there is no such key: use id"),
        (PEOPLE + "- {id: anna, name: A, mail: a@b.example}", "'anna' stands for anna already"),
        (
            PEOPLE + '- {id: carl, name: C, mail: a@b.example, principals: ["arn:aws:iam::1:role/anna"]}',
            "stands for anna already: one person, one entry",
        ),
        (
            PEOPLE.replace("groups:", "subject: s-1, groups:"),
            "'s-1' stands for anna already: one person, one entry",
        ),
        (PEOPLE + "- {id: carl, name: C, subject: bert}", "'bert' stands for bert already: one person, one entry"),
        ("- [1]", "must be a mapping"),
    ],
)
def test_a_wrong_list_of_people_is_named_with_its_fix(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidPlaybook, match=sentence):
        build(rules=(), examples=[EVENTS], people=people(tmp_path, text))


SESSION = "arn:aws:sts::1:assumed-role/anna"


@pytest.mark.parametrize("first", ["anna", "carl"])
def test_f29_a_session_of_a_role_that_is_somebody_is_nobody_else(tmp_path: Path, first: str) -> None:
    """Otherwise two people stand for one principal, and who is meant hangs on the order of the file."""
    carl = f'- {{id: carl, name: C, principals: ["{SESSION}/carl"]}}\n'
    text = PEOPLE + carl if first == "anna" else carl + PEOPLE
    with pytest.raises(InvalidPlaybook, match="of carl is a session of a role that stands for anna"):
        build(rules=(), examples=[EVENTS], people=people(tmp_path, text))


def test_two_people_with_a_session_each_of_one_role_are_two(tmp_path: Path) -> None:
    text = "\n".join(f'- {{id: {n}, name: N, subject: {n}, principals: ["{SESSION}/{n}"]}}' for n in ("ada", "bob"))
    made = build(rules=(), examples=[EVENTS], people=people(tmp_path, text)).directory
    assert [p.id for n in ("ada", "bob") if (p := made.by_principal(f"{SESSION}/{n}"))] == ["ada", "bob"]


SSO = "AWSReservedSSO_OnCall_0123456789abcdef"
SSO_ROLE = f"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/{SSO}"
SSO_SESSION = f"arn:aws:sts::111122223333:assumed-role/{SSO}/ada@example.com"


def test_a_role_under_a_path_is_known_by_its_sessions_which_never_hold_the_path(tmp_path: Path) -> None:
    text = f'- {{id: ada, name: A, principals: ["{SSO_ROLE}"]}}'
    made = build(rules=(), examples=[EVENTS], people=people(tmp_path, text)).directory
    assert [p and p.id for p in map(made.by_principal, (SSO_SESSION, SSO_ROLE))] == ["ada", "ada"]


def test_a_session_of_a_role_under_a_path_is_no_second_person(tmp_path: Path) -> None:
    text = "\n".join(
        f'- {{id: {n}, name: N, principals: ["{arn}"]}}' for n, arn in (("ada", SSO_ROLE), ("bob", SSO_SESSION))
    )
    with pytest.raises(InvalidPlaybook, match="of bob is a session of a role that stands for ada"):
        build(rules=(), examples=[EVENTS], people=people(tmp_path, text))


def test_a_subject_stands_for_its_person(tmp_path: Path) -> None:
    made = build(rules=(), examples=[EVENTS], people=people(tmp_path, "- {id: ada, name: A, subject: s-1}")).directory
    assert [person and person.id for person in map(made.by_claim, ("s-1", "S-1"))] == ["ada", None]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"approvers_for": {"4": "approvers"}}, r"approvers_for\.4: is neither a tier \(2, 3\) nor a playbook"),
        ({"approvers_for": {"3": "leads"}}, "nobody of the people file is in the group 'leads'"),
        ({"escalation": ("week",)}, "escalation: 'week' is neither a group nor a rota"),
        (
            {
                "approvers_for": {"reboot_instance": "approvers"},
                "approvers": "nobody",
                "modes": {"scale_out_group": Mode.APPROVAL},
            },
            "scale_out_group: approval asks 1 of the group 'nobody', which has 0",
        ),
    ],
)
def test_a_group_nobody_has_is_named(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidPlaybook, match=sentence):
        build(rules=(), examples=[EVENTS], people=people(tmp_path), **options)


ROTAS = """
people:
  - {id: anna, name: Anna, groups: [approvers]}
  - {id: bert, name: Bert, mail: bert@example.com, groups: [leads]}
rotas:
  - {name: week, people: [anna, bert], starts: "2026-01-05T09:00:00Z"}
"""


def test_a_rota_is_one_person_at_a_time_and_a_group_all_of_its_own(tmp_path: Path) -> None:
    made = build(
        rules=(),
        examples=[EVENTS],
        people=people(tmp_path, ROTAS),
        escalation=("week", "leads"),
        approvers_for={"3": "leads", "reboot_instance": "approvers"},
    )
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    days = [(start + timedelta(days=day), name) for day, name in ((-3, "anna"), (0, "anna"), (7, "bert"), (14, "anna"))]
    assert [[p.id for p in made.directory.called("week", at)] for at, _ in days] == [[name] for _, name in days]
    assert [p.id for p in made.directory.called("week", start + timedelta(days=7, seconds=-1))] == ["anna"]
    assert [p.id for p in made.directory.called("leads", start)] == ["bert"]
    assert made.group_for("reboot_instance", 3) == "approvers"
    assert made.group_for("scale_out_group", 3) == "leads"
    assert made.group_for("scale_out_group", 2) == "approvers"


def test_lambda_reads_no_yaml() -> None:
    """The road of a running deployment: the catalogue as JSON, the index, the probes."""
    program = (
        "import sys, grace.model.catalogue, grace.playbooks.index, grace.probes.measure, grace.probes.base as base\n"
        "[base.probe(kind) for kind in base.kinds()]\n"
        "sys.exit('yaml' in sys.modules or 'boto3' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(BUILT_IN.parents[1])}
    assert subprocess.run([sys.executable, "-c", program], check=False, env=environment).returncode == 0
