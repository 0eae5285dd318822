"""D16, D19: each rule of the constitution forbids its own example, and leaves the same act without it alone."""

from __future__ import annotations

import json
import re
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import PolicyUnreadable
from grace.gateways.cedar import CedarPolicy
from grace.model.approval import Person
from grace.model.contract import Mode, Undo
from grace.model.resource import ResourceRef
from grace.policy import sources
from grace.policy.questions import act, approve
from tests.unit.policy.acts import SEEN, TAGS, asked, own, policies, proposal

ELSEWHERE = "arn:aws:lambda:eu-west-1:999999999999:function:shop:live"
OTHER_REGION = "arn:aws:lambda:us-east-1:123456789012:function:shop:live"


def _arn(service: str, path: str = "thing/one") -> dict[str, Any]:
    return {"resource": ResourceRef(type="AWS::Any::Thing", arn=f"arn:aws:{service}:eu-west-1:123456789012:{path}")}


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("opt_in", {"tags": {}}),
    ("opt_in", {"tags": {"grace:managed": "True"}}),
    ("own_account", {"resource": ResourceRef(type="AWS::Lambda::Alias", arn=ELSEWHERE)}),
    ("own_account", {"resource": ResourceRef(type="AWS::Lambda::Alias", arn=OTHER_REGION)}),
    ("identity", _arn("iam", "role/admin")),
    ("identity", _arn("sts")),
    ("keys", _arn("kms", "key/1")),
    ("keys", _arn("secretsmanager", "secret:db")),
    ("the_log", {"tags": TAGS | {"grace:part": "grace"}}),
    ("the_log", _arn("cloudtrail", "trail/main")),
    ("safe_hold", {"hold": True}),
    ("reversible", {"undo": Undo.NONE}),
    ("data", {"erases": True}),
    ("fleet_share", {"removes": 51}),
    ("kill_switch", {"kill_switch": True}),
    ("breaker", {"breaker_open": True}),
    ("certainty", {"likelihood": 0.499}),
]
ASKED_ANYWAY = {"reversible", "certainty"}
"""These ask for a person; the others hold whatever people say."""


@pytest.mark.parametrize(("rule", "broken"), BROKEN, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(BROKEN)])
def test_d16_d19_each_rule_forbids_its_example(rule: str, broken: dict[str, Any]) -> None:
    allowed, by = asked(policies(), **dict(broken))
    assert not allowed
    assert f"constitution.{rule}" in by
    for tier, mode in ((2, Mode.AUTONOMOUS), (3, Mode.AUTONOMOUS), (1, Mode.APPROVAL)):
        with_people, _ = asked(policies(), tier=tier, mode=mode, **dict(broken))
        assert with_people is (rule in ASKED_ANYWAY)


@pytest.mark.parametrize(
    "fine",
    [{}, {"removes": 50}, {"failures": 2}, {"likelihood": 0.5}, {"in_flight": 9}, {"tags": TAGS | {"team": "shop"}}],
    ids=str,
)
def test_d16_d19_the_same_act_within_the_rules_is_allowed(fine: dict[str, Any]) -> None:
    assert asked(policies(), **fine) == (True, ("default.managed",))


def test_d19_data_may_be_deleted_when_its_backup_was_verified() -> None:
    """Nothing verifies backups yet, so no question says so; the rule holds for the day when something does."""
    question = act(proposal(), SEEN.model_copy(update={"erases": True}), TAGS, tier=1, mode=Mode.AUTONOMOUS)
    assert policies().ask(question).policies == ("constitution.data",)
    verified = question.model_copy(update={"context": question.context | {"backup_verified": True}})
    assert policies().ask(verified).allowed


def test_nobody_decides_what_they_asked_for() -> None:
    ada = Person(id="ada", name="Ada", mail="ada@example.org")
    asks = proposal(requested_by="ada", concerned=frozenset({"ada"}))
    answer = policies().ask(approve(asks, SEEN, TAGS, ada, tier=2))
    assert (answer.allowed, answer.policies) == (False, ("constitution.four_eyes",))
    other = Person(id="bob", name="Bob", mail="bob@example.org")
    assert policies().ask(approve(asks, SEEN, TAGS, other, tier=2)).allowed


def test_d16_d19_every_rule_has_an_example() -> None:
    named = set(re.findall(r'@id\("constitution\.(\w+)"\)', sources.constitution().text))
    assert {rule for rule, _ in BROKEN} | {"four_eyes"} == named


@pytest.mark.parametrize("rule", sorted({rule for rule, _ in BROKEN}))
def test_without_the_rule_its_example_is_allowed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: each rule alone is what forbids its own example."""
    whole = sources.constitution()
    written = re.split(r"\n(?=@id)", whole.text)
    left = [each for each in written if f'"constitution.{rule}"' not in each]
    assert len(left) == len(written) - 1
    mutant = whole.model_copy(update={"text": "\n".join(left)})
    monkeypatch.setattr(sources, "constitution", lambda: mutant)
    examples = [dict(broken) for name, broken in BROKEN if name == rule]
    if rule == "opt_in":  # the built-in permit asks for the tag, too; the constitution holds for every permit
        permit = own('@id("team.all") permit (principal, action, resource);')
        assert all(asked(policies(permit), **example)[0] for example in examples)
        return
    assert all(asked(policies(), **example)[0] for example in examples)


CONDITIONS = st.sampled_from(
    [
        "",
        "when { true }",
        "when { context.tier >= 1 }",
        "unless { context.kill_switch && false }",
        "when { resource has managed }",
    ]
)
SCOPES = st.sampled_from(
    [
        "principal, action, resource",
        'principal, action in Grace::Action::"act", resource',
        'principal == Grace::Playbook::"roll_back_lambda_alias", action, resource',
        'principal is Grace::Playbook, action == Grace::Action::"shift_alias", resource is Grace::Resource',
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SCOPES, CONDITIONS), min_size=1, max_size=6), st.sampled_from(BROKEN))
def test_no_policy_of_ones_own_permits_what_the_constitution_forbids(
    written: list[tuple[str, str]], broken: tuple[str, dict[str, Any]]
) -> None:
    text = "\n".join(f'@id("team.p{n}") permit ({scope}) {when};' for n, (scope, when) in enumerate(written))
    allowed, by = asked(policies(own(text)), **dict(broken[1]))
    assert not allowed
    assert f"constitution.{broken[0]}" in by


def test_d15_nothing_is_by_default() -> None:
    text = sources.schema(["shift_alias"])
    bare = CedarPolicy((sources.constitution(),), text, "", account="123456789012", region="eu-west-1")
    assert asked(bare) == (False, ())


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(PolicyUnreadable, match="drop_table"):
        asked(policies(), action="drop_table")


def test_a_policy_that_fails_while_it_is_asked_allows_nothing() -> None:
    """Cedar would leave it out, and a forbid that is left out permits."""
    failing = own(
        '@id("team.sum") @reason("x") forbid (principal, action, resource) when { resource.getTag("none") == "x" };'
    )
    with pytest.raises(PolicyUnreadable, match="failed"):
        asked(policies(failing))


def test_a_policy_with_a_hole_in_it_allows_nothing() -> None:
    """Nobody fills it in, so a forbid with one would forbid nothing."""
    with pytest.raises(PolicyUnreadable, match="templates"):
        policies(own('@id("team.who") @reason("x") forbid (principal == ?principal, action, resource);'))


@pytest.mark.parametrize("condition", [r'resource.hasTag("te\u{61}m")', "resource.hasTag(context.diagnosis)"])
def test_policy_sees_every_tag_however_it_names_it(condition: str) -> None:
    forbid = own(
        f'@id("team.tag") @reason("x") forbid (principal, action, resource is Grace::Resource) when {{ {condition} }};'.replace(
            "action,", 'action in Grace::Action::"act",'
        )
    )
    tags = TAGS | {"team": "a", "elevated_errors": "b"}
    assert asked(policies(forbid), tags=tags) == (False, ("team.tag",))


def test_a_request_cannot_say_where_grace_is() -> None:
    question = act(
        proposal(resource=ResourceRef(type="AWS::Lambda::Alias", arn=ELSEWHERE)),
        SEEN,
        TAGS,
        tier=1,
        mode=Mode.AUTONOMOUS,
    )
    lying = question.model_copy(update={"context": question.context | {"account": "999999999999"}})
    assert not policies().ask(lying).allowed


def test_the_constitution_can_be_read_by_the_engine_alone() -> None:
    assert json.loads(cedarpy.policies_to_json_str(sources.constitution().text))["staticPolicies"]
