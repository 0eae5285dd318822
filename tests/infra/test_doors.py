"""The doors as deployed: which there are, how long each may take, what wakes them, what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.gateways import fetch
from grace.model.approval import Approval
from grace.model.metric import Metric
from grace.model.records import StopOrder
from grace.patterns import matches
from grace.probes._calls import CALLS_SECONDS
from grace.sdk import CONNECT_SECONDS, READ_SECONDS
from grace.stores import keys
from grace.telemetry import NAMESPACE, metrics
from infra.constructs.floor_plan import DOORS, WORKFLOW_DOORS
from infra.constructs.layers import ROOT
from infra.constructs.watch import SERVICE
from infra.constructs.workflow import DEFINITION
from tests.infra.template import Template, text

STATES = json.loads(DEFINITION.read_text())["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def _door_of(state: dict[str, Any]) -> str:
    placeholder: str = state["Parameters"]["FunctionName"]
    return placeholder.removeprefix("${").removesuffix("Function}").lower()


def test_there_is_a_function_for_each_file_and_a_file_for_each_function(engine: Template) -> None:
    files = {path.stem for path in (ROOT / "functions").glob("*.py")}
    assert files == {door.name for door in DOORS} == set(engine.functions())
    for name, function in engine.functions().items():
        assert function["Handler"] == f"{name}.handler"


def test_every_placeholder_is_put_in_and_each_is_a_door_the_workflow_may_call(engine: Template) -> None:
    [machine] = engine.properties("AWS::StepFunctions::StateMachine")
    assert {_door_of(state) for state in TASKS.values()} == set(WORKFLOW_DOORS)
    assert set(machine["DefinitionSubstitutions"]) == {f"{door.capitalize()}Function" for door in WORKFLOW_DOORS}


def test_the_workflow_is_standard_traced_and_logged_without_what_it_carries(engine: Template) -> None:
    """The input of the state that asks holds the task token, which may stand in no log (I23)."""
    [machine] = engine.properties("AWS::StepFunctions::StateMachine")
    assert machine["StateMachineName"] == "grace-remediation"
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    logging = machine["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)


@pytest.mark.parametrize("state", TASKS)
def test_each_rung_of_the_ladder_is_longer_than_the_one_below(engine: Template, state: str) -> None:
    function = engine.functions()[_door_of(TASKS[state])]
    assert CONNECT_SECONDS < READ_SECONDS < CONNECT_SECONDS + READ_SECONDS < function["Timeout"]
    assert function["Timeout"] < TASKS[state]["TimeoutSeconds"]


def test_the_last_call_of_a_benchmark_ends_before_its_door(engine: Template) -> None:
    longest = max(CONNECT_SECONDS + READ_SECONDS, fetch.TOTAL_SECONDS)
    assert CALLS_SECONDS + longest < engine.functions()["benchmark"]["Timeout"]


def test_a_caller_over_the_api_hears_of_a_timeout_from_us_and_not_from_the_gateway(engine: Template) -> None:
    assert all(engine.functions()[door]["Timeout"] < 30 for door in ("answer", "operate"))


def test_a_message_is_not_delivered_again_while_it_is_worked_on(engine: Template) -> None:
    [alerts] = [each for each in engine.properties("AWS::SQS::Queue") if each["QueueName"] == "grace-alerts"]
    assert alerts["VisibilityTimeout"] >= 6 * engine.functions()["triage"]["Timeout"]
    assert alerts["RedrivePolicy"]["maxReceiveCount"] == 5


def test_alerts_come_in_batches_with_partial_answers(engine: Template) -> None:
    [alerts] = [each for each in _mappings(engine) if "StartingPosition" not in each]
    assert 10 <= alerts["BatchSize"] <= 100
    assert alerts["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert alerts["ScalingConfig"]["MaximumConcurrency"] >= 2


def test_changes_wake_resolve_only_where_somebody_may_wait(engine: Template) -> None:
    """A contract's own head changes at every step: that must wake nobody."""
    [changes] = [each for each in _mappings(engine) if "FunctionResponseTypes" in each and "StartingPosition" in each]
    assert changes["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert changes["BisectBatchOnFunctionError"] is True
    assert 0 < changes["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert 0 < changes["MaximumRetryAttempts"] < 10000
    assert changes["DestinationConfig"]["OnFailure"]["Destination"]
    wanted = [json.loads(each["Pattern"])["dynamodb"]["Keys"] for each in changes["FilterCriteria"]["Filters"]]
    prefixes = {(each[keys.PARTITION]["S"][0]["prefix"], each[keys.SORT]["S"][0]["prefix"]) for each in wanted}
    assert prefixes == {keys.members(kind, ("",)) for kind in (Approval, StopOrder)}


def test_the_sweep_runs_as_often_as_configured(engine: Template, synth: Any) -> None:
    def rate(template: Template) -> str:
        [rule] = [each for each in _schedules(template) if "stuck" in each["Description"]]
        return str(rule["ScheduleExpression"])

    assert rate(engine) == "rate(5 minutes)"
    assert rate(synth(reap_minutes=1)["engine"]) == "rate(1 minute)"


def test_entries_ring_and_a_minute_passes_whatever_rings(engine: Template) -> None:
    """F10: the stream only rings; what it never told of is taken in by the minute's run."""
    [ring] = [each for each in _mappings(engine) if "StartingPosition" in each and "FunctionResponseTypes" not in each]
    [wanted] = [json.loads(each["Pattern"]) for each in ring["FilterCriteria"]["Filters"]]
    assert wanted["eventName"] == ["INSERT"]
    first, last = keys.entry(0, 1), keys.entry(15, 10**11)
    for key, rings in ((first, True), (last, True), (keys.lane_head(3), False), (keys.tree_head(), False)):
        told = {"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": key.pk}, "sk": {"S": key.sk}}}}
        assert matches(wanted, told) is rings
    assert ring["MaximumBatchingWindowInSeconds"] == 5
    rates = {each["Description"]: each["ScheduleExpression"] for each in _schedules(engine)}
    assert sorted(rates.values()) == ["rate(1 day)", "rate(1 minute)", "rate(15 minutes)", "rate(5 minutes)"]


def _schedules(template: Template) -> list[dict[str, Any]]:
    return [each for each in template.properties("AWS::Events::Rule") if "ScheduleExpression" in each]


def test_every_log_is_structured_kept_for_a_time_and_encrypted(engine: Template, vault: Template) -> None:
    groups = {text(each["LogGroupName"]): each for each in engine.properties("AWS::Logs::LogGroup")}
    for door, function in engine.functions().items():
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert function["LoggingConfig"]["LogGroup"]
        assert f"/aws/lambda/grace-{door}" in groups
        assert function["TracingConfig"] == {"Mode": "Active"}
    assert len(groups) == len(DOORS) + 2  # the workflow's, the API's
    assert all(each["RetentionInDays"] == 90 and each["KmsKeyId"] for each in groups.values())
    assert not vault.of_type("AWS::Logs::LogGroup")


def test_functions_run_on_the_platform_that_the_layer_is_built_for(engine: Template) -> None:
    extra = {door.name: len(door.layers) for door in DOORS}
    for name, function in engine.functions().items():
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert len(function["Layers"]) == 3 + extra[name]


def test_metrics_are_ten_series_at_most_whatever_the_number_of_playbooks() -> None:
    """One namespace, one dimension with one value, so a metric is one series."""
    assert len(Metric) <= 10
    assert metrics().namespace == NAMESPACE
    assert metrics().service == SERVICE


def _mappings(engine: Template) -> list[dict[str, Any]]:
    return engine.properties("AWS::Lambda::EventSourceMapping")
