"""The demo's parts without an engine: the shop leads where the story says, and the report believes records alone."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template
from rich.console import Console

from grace.diagnoses.loader import built_in
from grace.flow.explain import explain
from grace.model.catalogue import Catalogue
from grace.model.contract import ContractStatus, Mode
from grace.model.records import Evidence
from grace.model.signal import MetricRef, SignalState
from grace.playbooks.loader import BUILT_IN, load_people, load_playbooks
from grace.signals.alarms import from_description
from infra.cli.dossier import Dossier, dossier
from infra.demo import breaking, facts
from infra.demo.app import TOPIC
from infra.demo.chapters import Ask, Chapters
from infra.demo.incidents import Incident
from infra.demo.report import unproven
from infra.demo.shop import ShopStack
from infra.demo.shop_code import checkout, checkout_bad
from infra.demo.telling import Telling, stage
from infra.demo.traffic import Traffic
from infra.local.engine import ACCOUNT, REGION
from tests.support.world import World, alarm_event
from tests.unit.flow.scenes import approved, incident, run, shop, stays_bad, vote

# -- the shop


@pytest.mark.parametrize(
    ("alarm", "playbook", "resource", "asks"),
    [
        (facts.ERRORS, "roll_back_lambda_alias", "function:shop-checkout:live", False),
        (facts.LATENCY, "scale_out_group", "autoScalingGroup::autoScalingGroupName/shop-workers", False),
        (facts.MEMORY, "raise_lambda_memory", "function:shop-search", True),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_each_alarm_leads_to_its_playbook_and_resource(
    alarm: facts.ShopAlarm, playbook: str, resource: str, asks: bool
) -> None:
    signal = from_description(
        arn=f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm.name}",
        state=SignalState.ALARM,
        at=datetime.now(UTC),
        metric=MetricRef(
            namespace=alarm.namespace,
            name=alarm.metric,
            stat=alarm.statistic,
            period=facts.PERIOD,
            dimensions=dict(alarm.dimensions),
        ),
        threshold=alarm.threshold,
        comparison="GreaterThanThreshold",
    )
    catalogue = Catalogue(
        playbooks=load_playbooks([BUILT_IN]),
        rules=built_in().rules,
        modes={name: Mode(mode) for name, mode in facts.MODES.items()},
    )
    said = explain(signal, catalogue, built_in())
    assert said.resource is not None
    assert (said.playbook, said.resource.path, said.mode, said.asks) == (playbook, resource, Mode.AUTONOMOUS, asks)


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.from_stack(ShopStack(App(analytics_reporting=False), topic=TOPIC))


def test_what_grace_may_touch_carries_the_tag_and_the_supplier_does_not(template: Template) -> None:
    tagged = {
        properties.get("FunctionName") or properties.get("AutoScalingGroupName")
        for kind in ("AWS::Lambda::Function", "AWS::AutoScaling::AutoScalingGroup")
        for found in template.find_resources(kind).values()
        for properties in [found["Properties"]]
        if {"grace:managed": "true"}.items()
        <= {each["Key"]: each["Value"] for each in properties.get("Tags", [])}.items()
    }
    assert tagged == {facts.CHECKOUT, facts.SEARCH, facts.WORKERS}


def test_each_alarm_has_a_namespace_of_its_own_and_judges_ten_second_periods(template: Template) -> None:
    alarms = [found["Properties"] for found in template.find_resources("AWS::CloudWatch::Alarm").values()]
    assert len(alarms) == len({alarm["Namespace"] for alarm in alarms}) == 3
    for alarm in alarms:
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (10, 2)
        assert "grace-alarms" in json.dumps(alarm["AlarmActions"])


def test_a_person_of_the_demo_may_call_the_api_and_nothing_else(template: Template) -> None:
    roles = [found["Properties"].get("RoleName") for found in template.find_resources("AWS::IAM::Role").values()]
    named = {name for name in roles if name}
    directory = load_people(facts.PEOPLE)
    wanted = {arn.rpartition("/")[2] for each in directory.people for arn in each.principals if ":role/" in arn}
    assert named == wanted == {"grace-demo-ana", "grace-demo-ben"}
    for found in template.find_resources("AWS::IAM::Policy").values():
        for statement in found["Properties"]["PolicyDocument"]["Statement"]:
            assert statement["Action"] == "execute-api:Invoke"
    assert directory.by_principal(f"arn:aws:sts::{ACCOUNT}:assumed-role/grace-demo-ana/x") == directory.by_id("ana")
    operator = directory.by_principal(f"arn:aws:iam::{ACCOUNT}:root")
    assert operator is not None
    assert "approvers" not in operator.groups


def test_the_good_release_answers_a_ping_by_doing_the_work_and_the_bad_one_fails_on_everything() -> None:
    basket = {"basket": {"country": "FR", "lines": [{"price": 10.0, "count": 2}]}}
    assert checkout.handler(basket, None) == {"statusCode": 200, "release": 1, "total": 24.0}
    assert checkout.handler({"ping": True}, None)["statusCode"] == 200
    for event in (basket, {"ping": True}):
        with pytest.raises(KeyError):
            checkout_bad.handler(event, None)


def test_the_search_says_how_much_of_its_memory_it_holds() -> None:
    script = (
        "import os, search, types\n"
        "context = types.SimpleNamespace(memory_limit_in_mb='128')\n"
        "for size in ('2', '34'):\n"
        "    os.environ['CATALOGUE_MB'] = size\n"
        "    said = search.handler({'query': 'x'}, context)\n"
        "    print(said['statusCode'], said['memory_mb'], said['used_mb'])\n"
    )
    # A process of its own: in this one freed memory would be used again and the growth not be seen.
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=facts.CODE, capture_output=True, text=True, check=True, timeout=60
    )
    small, large = (line.split() for line in done.stdout.splitlines())
    assert small[:2] == large[:2] == ["200", "128"]
    assert 24 < float(large[2]) - float(small[2]) < 48


@pytest.mark.parametrize("missed", [0, 2])
def test_a_grown_catalogue_is_measured_and_stays_within_the_memory(missed: int) -> None:
    """Also when environments that started too early still have the old catalogue: then it is changed again."""
    changes: list[int] = []

    class Functions:
        def invoke(self, **_: Any) -> Any:
            grown = changes[-1] - facts.CATALOGUE_MB if len(changes) > missed else 0
            said = {"statusCode": 200, "used_mb": 39.2 + grown, "memory_mb": 128}
            return {"Payload": SimpleNamespace(read=lambda: json.dumps(said).encode())}

        def update_function_configuration(self, *, Environment: Any, **_: Any) -> None:  # noqa: N803  boto3's name
            changes.append(int(Environment["Variables"]["CATALOGUE_MB"]))

        def get_function_configuration(self, **_: Any) -> dict[str, str]:
            return {"LastUpdateStatus": "Successful"}

    told = breaking.grown_catalogue(lambda _service: Functions())
    assert len(changes) == missed + 1
    assert facts.MEMORY.threshold / 100 * 128 < 39.2 + changes[-1] - facts.CATALOGUE_MB < 128
    assert f"{changes[0] - facts.CATALOGUE_MB} MB" in told


def test_traffic_publishes_what_the_calls_really_returned_with_its_alarms_dimensions() -> None:
    put: list[tuple[str, list[dict[str, Any]]]] = []
    enough = threading.Event()

    class Cloud:
        def invoke(self, *, FunctionName: str, **_: Any) -> Any:  # noqa: N803  boto3's name
            said = {"used_mb": 64.0, "memory_mb": 128}
            failed = {"FunctionError": "Unhandled"} if FunctionName == facts.CHECKOUT else {}
            return {"Payload": SimpleNamespace(read=lambda: json.dumps(said).encode()), **failed}

        def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803
            put.append((Namespace, MetricData))
            if {namespace for namespace, _ in put} == {alarm.namespace for alarm in facts.ALARMS}:
                enough.set()

    traffic = Traffic(lambda _service: Cloud())
    traffic.start()
    assert enough.wait(30)
    traffic.stop()
    by_name = {alarm.namespace: alarm for alarm in facts.ALARMS}
    for namespace, data in put:
        alarm = by_name[namespace]
        for datum in data:
            assert (datum["MetricName"], datum["StorageResolution"]) == (alarm.metric, 1)
            assert {each["Name"]: each["Value"] for each in datum["Dimensions"]} == dict(alarm.dimensions)
    values = {namespace: {datum["Value"] for datum in data} for namespace, data in put}
    assert values["Shop/Checkout"] == {1.0}
    assert values["Shop/Search"] == {50.0}
    assert traffic.checkout.failures == traffic.checkout.calls > 0


# -- the telling


def told_of(world: World, expected: ContractStatus, ask: Ask) -> Incident:
    """An incident of the shop in `world`, as the storyteller would follow it."""
    telling = Telling("the shop", "shop")
    alarm = replace(facts.ERRORS, name="shop-errors")
    one = Incident("shop", alarm, lambda _clients: "broken", expected, telling, Chapters(telling, ask))
    one.begin(lambda _service: None)
    return one


def nobody(contract: str, minutes: int, telling: Telling) -> None:
    """Nobody is asked."""


def follow(one: Incident, world: World) -> None:
    one.follow(world, world.alarms.describe("shop-errors"))


def test_an_incident_is_told_to_its_measured_end_and_each_line_once() -> None:
    world = shop(tier=2)
    asked: list[str] = []

    def ask(key: str, minutes: int, telling: Telling) -> None:
        assert minutes == 30
        asked.append(key)

    one = told_of(world, ContractStatus.VERIFIED, ask)
    contract = incident(world)
    follow(one, world)
    follow(one, world)
    assert asked == [contract]
    assert one.ended == 0
    vote(world, contract, "ada")
    run(world)
    follow(one, world)
    assert one.over
    assert one.as_promised
    texts = [text for _, text in one.telling.lines]
    assert len(texts) == len(set(texts))
    for part in ("alarm shop-errors", "roll_back_lambda_alias", "snapshot kept", "for all calls", "verdict: verified"):
        assert any(part in text for text in texts), part
    assert one.telling.end is not None
    assert one.telling.end[0].startswith("verified, confidence 0.")


def test_another_end_than_the_promised_one_is_not_told_well() -> None:
    world = shop()
    world.between = stays_bad
    one = told_of(world, ContractStatus.VERIFIED, nobody)
    incident(world)
    follow(one, world)
    assert (one.status, one.as_promised) == ("rolled_back", False)
    assert one.telling.end is not None
    assert "but verified was expected" in one.telling.end[0]


def test_an_alert_that_becomes_no_contract_ends_the_incident() -> None:
    world = shop()
    world.lambdas.functions["shop"]["tags"].clear()
    one = told_of(world, ContractStatus.VERIFIED, nobody)
    world.fire(alarm_event())
    run(world)
    follow(one, world)
    assert (one.over, one.as_promised, one.status) == (True, False, "needs_attention")


def test_without_a_terminal_each_line_is_printed_once_as_it_comes(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    telling = Telling("the shop", "shop")
    with file.open("w") as out, stage(Console(file=out, width=200), [telling], lambda: "traffic"):
        telling.say("it broke", "bad")
        telling.wait("for the alarm")
        telling.wait("for the alarm")
        telling.close("verified", "green")
    lines = file.read_text().splitlines()
    assert [line.split("  ", 2)[-1].split(None, 1)[1] for line in lines] == [
        "✗ it broke",
        "· waiting for the alarm",
        "✓ verified",
    ]


# -- the report


def of(world: World, contract: str, **changes: Any) -> Dossier:
    found = dossier(contract, world)
    if not changes:
        return found
    outcome = found.evidence["outcome"]
    seen = tuple(each.model_copy(update=changes) for each in outcome.observations)
    return replace(found, evidence={**found.evidence, "outcome": outcome.model_copy(update={"observations": seen})})


def test_a_success_that_was_not_measured_is_counted() -> None:
    world = shop(tier=2)
    contract = approved(world, "ada")
    assert world.head(contract).status is ContractStatus.VERIFIED
    assert not unproven(of(world, contract))
    assert unproven(of(world, contract, result="failed"))
    assert unproven(of(world, contract, result="inconclusive"))
    assert unproven(of(world, contract, supporting=0))
    assert unproven(of(world, contract, id="e99"))
    assert unproven(replace(of(world, contract), evidence={}))
    before: dict[str, Evidence] = {"preflight": of(world, contract).evidence["outcome"]}
    assert unproven(replace(of(world, contract), evidence=before))


def test_what_is_not_called_a_success_needs_no_proof() -> None:
    world = shop()
    world.between = stays_bad
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert not unproven(replace(of(world, contract), evidence={}))
