"""One incident through the real doors, stores and gateways, on a wire that counts: from the alert to the contract's end."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

from moto import mock_aws

from grace import telemetry
from grace.bootstrap import AwsServices
from grace.gateways.memory import MemoryClock
from grace.model.approval import Approval
from grace.model.catalogue import Catalogue
from grace.model.contract import Call, ContractHead, Ticket
from grace.model.entry import ref
from grace.model.policy import PolicySource
from grace.model.signal import MetricRef
from grace.ports import AlarmFacts, SeriesRequest
from grace.settings import Settings
from grace.stores import keys
from infra.catalogue import policy_of
from infra.config import deployment
from infra.constructs.floor_plan import DOORS
from infra.constructs.layers import ROOT
from tests.bench.wire import REGION, Wire
from tests.support.machine import Execution, Machine
from tests.support.reality import Reality
from tests.support.scenes import Scene
from tests.support.world import PEOPLE

ACCOUNT = "111122223333"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:grace-remediation"
SETTINGS = Settings(
    state_table="grace-state",
    log_table="grace-log",
    vault_bucket="grace-vault-bench",
    vault_key=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
    notify_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:grace-notify",
    bus="grace",
    state_machine=MACHINE,
    contract_function="grace-contract",
    execute_role=f"arn:aws:iam::{ACCOUNT}:role/grace-execute",
    rollback_role=f"arn:aws:iam::{ACCOUNT}:role/grace-rollback",
    home=f"{ACCOUNT}/{REGION}",
)


class InProcess(AwsServices):
    """The deployed services, but for the clock, which a test moves, and the catalogue, which a scene brings."""

    def __init__(self, wire: Wire, clock: MemoryClock, catalogue: Catalogue) -> None:
        super().__init__(SETTINGS, wire)
        self.__dict__["clock"] = clock
        self.__dict__["catalogue"] = catalogue


@dataclass
class Incident:
    """A scene whose ports are the real ones, over `wire`. Live it with `run` inside `account()`."""

    playbook: str
    works: bool = True
    wire: Wire = field(default_factory=Wire)
    visited: list[str] = field(default_factory=list)
    tickets: list[int] = field(default_factory=list)
    log: io.StringIO = field(default_factory=io.StringIO)
    invocations: int = 0
    _drafts: list[dict[str, Any]] = field(default_factory=list)
    _executions: dict[str, Execution] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scene = Scene(self.playbook, works=self.works)
        self.scene._unguarded = lambda effect: []  # type: ignore[method-assign]
        catalogue = self.scene.catalogue.model_copy(update={"policy": _policy()})
        self.services = InProcess(self.wire, self.scene.clock, catalogue)
        self.onlooker = InProcess(Wire(), self.scene.clock, catalogue)
        self.wire.handlers = self.scene.aws.handlers | self._handlers()
        self.wire.wakes = {
            ("lambda", "invoke"): self._asked,
            ("stepfunctions", "start_execution"): self._started,
            ("stepfunctions", "send_task_success"): self._woken,
        }
        doors = ("ask", "snapshot", "benchmark", "execute", "verify", "rollback", "close")
        self.machine = Machine({name: self._workflow_door(name) for name in doors}, self.scene.clock.advance)

    def deliver(self, times: int = 1) -> dict[str, Any]:
        """Give triage the alert, so often, in one batch."""
        records = [{"messageId": str(n), "body": self.scene.body} for n in range(times)]
        return dict(self._invoke("triage", {"Records": records}))

    def run(self) -> ContractHead:
        """Deliver the alert and let everything happen; the contract's head at its end."""
        self.live()
        [name] = [name for name in self._executions if "-rb-" not in name]
        where = ref(ContractHead, name)
        return self.onlooker.store.read(where).need(where)

    def live(self) -> list[str]:
        """Deliver the alert and let everything happen; how its executions ended."""
        self.deliver()
        moved = True
        while moved:
            moved = self._contracts() | self._steps() | self._people()
        return [each.status for each in self._executions.values()]

    def sweep(self) -> None:
        """Let the five-minute sweep look."""
        self._invoke("reap", {})

    def _contracts(self) -> bool:
        asked, self._drafts = self._drafts, []
        for request in asked:
            self._invoke("contract", request)
        return bool(asked)

    def _steps(self) -> bool:
        moved = False
        for execution in self._executions.values():
            while execution.status == "RUNNING" and not execution.token:
                self.machine.step(execution)
                moved = True
            self.visited = execution.visited
        return moved

    def _people(self) -> bool:
        waiting = [e for e in self._executions.values() if e.token]
        for execution in waiting:
            where = ref(Approval, execution.name, "1")
            approval = self.onlooker.store.read(where).need(where)
            self.scene.clock.advance(10)
            for person in PEOPLE.people[: approval.need]:
                body = {"contract_id": execution.name, "decision": "approve", "digest": approval.digest}
                self._invoke(
                    "answer",
                    {
                        "requestContext": {"authorizer": {"iam": {"userArn": person.principals[0]}}},
                        "body": json.dumps(body),
                    },
                )
            place = keys.key(where)
            changed = {keys.PARTITION: {"S": place.pk}, keys.SORT: {"S": place.sk}}
            self._invoke("resolve", {"Records": [{"dynamodb": {"Keys": changed, "SequenceNumber": "1"}}]})
            assert not execution.token, "the approval did not wake the workflow"
        return bool(waiting)

    def _workflow_door(self, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def run(event: dict[str, Any]) -> dict[str, Any]:
            self.tickets.append(len(json.dumps(event["ticket"], separators=(",", ":"))))
            return dict(self._invoke(name, event, step=Call.model_validate(event).step))

        return run

    def _invoke(self, door: str, event: dict[str, Any], step: str = "") -> Any:
        self.invocations += 1
        module = doors()[door]
        module.services = lambda: self.services  # type: ignore[attr-defined]
        with self.wire.at(step or door), self._logged():
            return module.handler(event, SimpleNamespace(aws_request_id="bench"))

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """What a door writes is its log: kept here, and its length is what CloudWatch bills."""
        handlers = [h for h in telemetry.logger().handlers if isinstance(h, logging.StreamHandler)]
        before = [handler.setStream(self.log) for handler in handlers]
        try:
            with redirect_stdout(self.log):
                yield
        finally:
            for handler, stream in zip(handlers, before, strict=True):
                handler.setStream(stream)

    def _asked(self, params: dict[str, Any]) -> None:
        if params["FunctionName"] == SETTINGS.contract_function:
            self._drafts.append(json.loads(params["Payload"]))

    def _started(self, params: dict[str, Any]) -> None:
        ticket = Ticket.model_validate_json(params["input"])
        self._executions.setdefault(params["name"], Execution(params["name"], ticket.model_dump(mode="json")))

    def _woken(self, params: dict[str, Any]) -> None:
        self.machine.wake(next(each for each in self._executions.values() if each.token == params["taskToken"]))

    def _handlers(self) -> dict[tuple[str, str], Any]:
        scene = self.scene
        invoke = scene.aws.handlers.get(("lambda", "invoke"))

        def invoked(FunctionName: str, **arguments: Any) -> dict[str, Any]:  # noqa: N803  boto3's names
            if FunctionName == SETTINGS.contract_function:
                return {"StatusCode": 202, "Payload": b""}
            assert invoke is not None
            return dict(invoke(FunctionName=FunctionName, **arguments))

        return {
            ("lambda", "invoke"): invoked,
            ("stepfunctions", "start_execution"): lambda name, **_: {
                "executionArn": f"{MACHINE}:{name}",
                "startDate": datetime(2026, 1, 31, tzinfo=UTC),
            },
            ("stepfunctions", "send_task_success"): lambda **_: {},
            ("cloudwatch", "describe_alarms"): lambda AlarmNames=(), **_: _alarms(scene.reality, AlarmNames),  # noqa: N803
            ("cloudwatch", "get_metric_data"): lambda **asked: _metric_data(scene.reality, asked),
            ("iam", "simulate_principal_policy"): lambda ActionNames, **_: {  # noqa: N803
                "EvaluationResults": [{"EvalActionName": n, "EvalDecision": "allowed"} for n in ActionNames],
                "IsTruncated": False,
            },
            ("sns", "publish"): lambda **_: {"MessageId": "11111111-2222-3333-4444-555555555555"},
            ("events", "put_events"): lambda **_: {"FailedEntryCount": 0, "Entries": [{"EventId": "bench"}]},
            ("kms", "encrypt"): lambda Plaintext, **_: {"CiphertextBlob": base64.b64encode(Plaintext)},  # noqa: N803
            ("kms", "decrypt"): lambda CiphertextBlob, **_: {"Plaintext": base64.b64decode(CiphertextBlob)},  # noqa: N803
        }


@contextmanager
def account() -> Iterator[None]:
    """An account with the deployment's tables and bucket and nothing else, for one incident."""
    with mock_aws():
        look = Wire()
        dynamodb, s3 = look.client("dynamodb", config=None), look.client("s3", config=None)
        texts = [keys.PARTITION, keys.SORT, keys.OPEN_PARTITION, keys.OPEN_SORT]
        for table, names in ((SETTINGS.state_table, texts), (SETTINGS.log_table, texts[:2])):
            index = {
                "IndexName": keys.OPEN_INDEX,
                "KeySchema": _schema(keys.OPEN_PARTITION, keys.OPEN_SORT),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            dynamodb.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
                KeySchema=_schema(keys.PARTITION, keys.SORT),
                BillingMode="PAY_PER_REQUEST",
                **({"GlobalSecondaryIndexes": [index]} if keys.OPEN_PARTITION in names else {}),
            )
        s3.create_bucket(Bucket=SETTINGS.vault_bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield


@cache
def doors() -> dict[str, ModuleType]:
    """The handlers of `functions/`, loaded as Lambda does: by file."""
    return {door.name: _module(door.name) for door in DOORS}


@cache
def _policy() -> PolicySource:
    """What a fresh deployment bundles."""
    return policy_of(deployment({}))


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"door_{name}", ROOT / "functions" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _alarms(reality: Reality, names: Any) -> dict[str, Any]:
    found = [facts for name in names if (facts := reality.describe(name))]
    return {"MetricAlarms": [_alarm(facts) for facts in found], "CompositeAlarms": []}


def _alarm(facts: AlarmFacts) -> dict[str, Any]:
    metric = facts.metric
    return {
        "AlarmArn": facts.arn,
        "AlarmName": facts.name,
        "StateValue": facts.state,
        "StateUpdatedTimestamp": facts.changed_at,
        "StateTransitionedTimestamp": facts.changed_at,
        "ComparisonOperator": facts.comparison,
        "Threshold": facts.threshold,
        "EvaluationPeriods": facts.evaluation_periods,
        "DatapointsToAlarm": facts.datapoints_to_alarm,
        "TreatMissingData": facts.treat_missing,
        "AlarmActions": [],
    } | (
        {
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Statistic": metric.stat,
            "Period": metric.period,
            "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
        }
        if metric
        else {}
    )


def _metric_data(reality: Reality, asked: dict[str, Any]) -> dict[str, Any]:
    start, end = (int(asked[key].timestamp()) for key in ("StartTime", "EndTime"))
    requests = [SeriesRequest(_metric(query["MetricStat"]), start, end) for query in asked["MetricDataQueries"]]
    return {
        "MetricDataResults": [
            {
                "Id": query["Id"],
                "StatusCode": "Complete",
                "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in points],
                "Values": [value for _, value in points],
            }
            for query, points in zip(asked["MetricDataQueries"], reality.fetch(requests), strict=True)
        ]
    }


def _metric(stat: dict[str, Any]) -> MetricRef:
    metric = stat["Metric"]
    return MetricRef(
        namespace=metric["Namespace"],
        name=metric["MetricName"],
        stat=stat["Stat"],
        period=stat["Period"],
        dimensions={each["Name"]: each["Value"] for each in metric["Dimensions"]},
    )
