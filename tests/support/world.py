"""A whole deployment in memory: the real verbs, the real state machine, stores and gateways in memory, a small Lambda.

`World.fire` delivers an alert; `World.settle` runs everything that can run; nothing sleeps and nothing opens a socket.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from grace.actions.base import actions
from grace.diagnoses.loader import built_in
from grace.flow.ask import ask
from grace.flow.benchmark import baseline, outcome
from grace.flow.close import close
from grace.flow.contract import draft
from grace.flow.execute import execute
from grace.flow.resolve import react
from grace.flow.rollback import rollback
from grace.flow.snapshot import preflight, snapshot
from grace.flow.triage import Message, triage
from grace.flow.verify import verify
from grace.gateways.cedar import CedarPolicy
from grace.gateways.memory import (
    MemoryAlarms,
    MemoryAws,
    MemoryClock,
    MemoryFetch,
    MemoryIssuer,
    MemoryMacs,
    MemoryMail,
    MemoryMessages,
    MemoryMetrics,
    MemoryPermissions,
    MemorySealer,
)
from grace.gateways.sessions import MacSessions
from grace.model.approval import Approval, Directory, Person
from grace.model.catalogue import Catalogue, CataloguedPlaybook
from grace.model.contract import Call, ContractHead, Mode, Ticket
from grace.model.entry import Ref, ref
from grace.model.metric import Metric
from grace.model.policy import PolicyFile
from grace.model.signal import MetricRef
from grace.policy import sources
from grace.ports import AlarmFacts
from grace.stores.memory import MemoryStore, MemoryVault
from grace.stores.memory_log import MemoryArchive, MemoryLog, MemorySignerRecord, MemoryWitness
from grace.web.letters import TemplateLetters
from tests.support.lambdas import Lambdas
from tests.support.ledger import DirectNotary, LocalSigning
from tests.support.machine import Execution, Machine

ACCOUNT, REGION = "123456789012", "eu-west-1"
START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class Counter:
    """`ports.Telemetry` that keeps what it is told."""

    def __init__(self) -> None:
        self.counts: dict[Metric, int] = {}
        self.troubles: list[tuple[str, str]] = []
        self.named: list[dict[str, str]] = []
        """What the lines were about, one after another."""
        self.dones: list[str] = []

    def count(self, metric: Metric, value: int = 1) -> None:
        self.counts[metric] = self.counts.get(metric, 0) + value

    def trouble(self, what: str, error: Exception, **facts: str) -> None:
        self.troubles.append((what, f"{type(error).__name__}: {error}"))

    def about(self, **ids: str) -> None:
        self.named.append(ids)

    def done(self, what: str) -> None:
        self.dones.append(what)


class RunningWorkflow:
    """`ports.Workflow` that runs the real definition when the world settles."""

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}

    def start(self, name: str, ticket: Ticket) -> None:
        self.executions.setdefault(name, Execution(name, ticket.model_dump(mode="json")))

    def status(self, name: str) -> str | None:
        found = self.executions.get(name)
        return found.status if found else None

    def stop(self, name: str, reason: str) -> None:
        found = self.executions.get(name)
        if found and found.status == "RUNNING":
            found.status, found.token = "ABORTED", ""

    def wake(self, task_token: str, contract_id: str) -> bool:
        found = next((e for e in self.executions.values() if e.token == task_token), None)
        if found is None or found.status != "RUNNING":
            return False
        found.woken = True  # type: ignore[attr-defined]
        return True


class World:
    """Services in memory, and what happens in them. It is itself `ports.Services`."""

    def __init__(
        self, playbooks: tuple[CataloguedPlaybook, ...], mode: Mode = Mode.AUTONOMOUS, **catalogue: Any
    ) -> None:
        self.clock = MemoryClock(START)
        self.store: Any = MemoryStore()
        self.vault: Any = MemoryVault()
        self.log: Any = MemoryLog(self.store)
        self.archive: Any = MemoryArchive(self.clock.now)
        self.record: Any = MemorySignerRecord()
        self.signing: Any = LocalSigning()
        self.notary: Any = DirectNotary(self)
        self.witness: Any = MemoryWitness()
        self.lambdas = Lambdas(ACCOUNT, REGION)
        self.aws: Any = MemoryAws(self.lambdas.handlers())
        self.metrics: Any = MemoryMetrics()
        self.alarms: Any = MemoryAlarms()
        self.workflow: Any = RunningWorkflow()
        self.messages: Any = MemoryMessages()
        self.sealer: Any = MemorySealer()
        self.macs: Any = MemoryMacs()
        self.mail: Any = MemoryMail("https://grace.example")
        self.letters: Any = TemplateLetters()
        self.sessions: Any = MacSessions(MemoryMacs(), "key-1")
        self.issuer: Any = MemoryIssuer()
        self.permissions: Any = MemoryPermissions()
        self.fetch: Any = MemoryFetch(())
        self.telemetry: Any = Counter()
        self.policy: Any = policies()
        self.catalogue = Catalogue(
            playbooks=playbooks,
            rules=built_in().rules,
            directory=PEOPLE,
            modes={p.spec.name: mode for p in playbooks},
            **catalogue,
        )
        self.rulebook = built_in()
        self.machine = Machine(self._doors(), self.clock.advance)
        self.between: Callable[[World, Execution], None] = lambda _world, _execution: None
        """Called before each state: tests change the world here."""
        self.streamed: set[tuple[tuple[str, ...], int]] = set()
        """The changes of approvals that `resolve` has taken from the stream."""

    def _doors(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        def door(*verbs: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
            def run(event: dict[str, Any]) -> dict[str, Any]:
                call = Call.model_validate(event)
                verb = verbs[0] if len(verbs) == 1 or call.step in {"preflight", "baseline"} else verbs[1]
                return verb(call, self).model_dump(mode="json")  # type: ignore[no-any-return]

            return run

        return {
            "ask": door(ask),
            "snapshot": door(preflight, snapshot),
            "benchmark": door(baseline, outcome),
            "execute": door(execute),
            "verify": door(verify),
            "rollback": door(rollback),
            "close": door(close),
        }

    def fire(self, *bodies: str | dict[str, Any]) -> list[str]:
        """Deliver messages to triage as one batch; return the ids given back."""
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        return triage([Message(str(n), text) for n, text in enumerate(texts)], self, self.rulebook)

    def draft(self) -> list[str | None]:
        """Run the `contract` door for every draft that was asked for."""
        asked, self.messages.drafts[:] = list(self.messages.drafts), []
        return [draft(request, self, self.rulebook) for request in asked]

    def settle(self) -> None:
        """Run drafts and executions until nothing moves any more."""
        self.draft()
        moved = True
        while moved:
            moved = False
            for execution in list(self.workflow.executions.values()):
                if execution.status == "RUNNING" and not execution.token:
                    self.between(self, execution)
                    if execution.status == "RUNNING":
                        self.machine.step(execution)
                    moved = True

    def decided(self, contract_id: str, generation: int = 1) -> bool:
        """Let the stream tell `resolve` that an approval changed, and let the woken execution go on; whether it is done."""
        what: Ref[Any] = ref(Approval, contract_id, str(generation))
        again = react([("1", what)], self)
        for execution in self.workflow.executions.values():
            if getattr(execution, "woken", False):
                execution.woken = False
                self.machine.wake(execution)
        return not again

    def head(self, contract_id: str) -> ContractHead:
        """Return the contract's head."""
        where = ref(ContractHead, contract_id)
        found: ContractHead = self.store.read(where).need(where)
        return found

    def contracts(self) -> list[str]:
        """Return the ids of all contracts for which a workflow was started."""
        return [name for name in self.workflow.executions if "-rb-" not in name]

    # -- the demo-like scene: a shop behind an alias, and its alarm

    def shop(self, *, bad: bool = True) -> str:
        """Make `shop:live` with two versions, the newer one bad, thirty healthy minutes, and its alarm; its ARN."""
        arn = self.lambdas.function("shop", tags={"grace:managed": "true"}, versions=2)
        self.lambdas.alias("shop", "live", "2")
        self.lambdas.broken = {"2"} if bad else set()
        self.traffic(START - timedelta(minutes=40), START - timedelta(minutes=3), errors=0.0)
        self.traffic(START - timedelta(minutes=3), START, errors=20.0 if bad else 0.0)
        self.alarm("ALARM" if bad else "OK", START)
        return f"{arn}:live"

    def traffic(self, since: datetime, until: datetime, *, errors: float) -> None:
        """Publish the shop's minutes: 100 calls each, `errors` of them failing, and a latency around 100 ms."""
        minutes = range(int(since.timestamp()) // 60 * 60, int(until.timestamp()) // 60 * 60, 60)
        for name, stat, value in (
            ("Invocations", "Sum", 100.0),
            ("Errors", "Sum", errors),
            ("Duration", "Average", 100.0),
        ):
            self.metrics.put(shop_metric(name, stat), [(at, value) for at in minutes])
        self.metrics.put(shop_metric("Duration", "p95"), [(at, 150.0 + at // 60 % 7) for at in minutes])

    def alarm(self, state: str, at: datetime) -> AlarmFacts:
        """Set the shop's error alarm."""
        facts = AlarmFacts(
            arn=ALARM,
            name="shop-errors",
            state=state,
            changed_at=at,
            metric=shop_metric("Errors", "Sum"),
            threshold=5.0,
            comparison="GreaterThanThreshold",
            evaluation_periods=2,
            datapoints_to_alarm=2,
            treat_missing="missing",
        )
        self.alarms.put(facts)
        return facts

    def heal(self) -> None:
        """What reality does after a good fix: the calls since now succeed, the alarm goes back to OK."""
        now = self.clock.now()
        self.traffic(now - timedelta(minutes=20), now + timedelta(minutes=1), errors=0.0)
        self.alarm("OK", now)


ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:shop-errors"
PEOPLE = Directory(
    people=(
        Person(
            id="ada",
            name="Ada",
            mail="ada@example.org",
            groups=("approvers", "operators"),
            principals=(f"arn:aws:iam::{ACCOUNT}:role/ada",),
        ),
        Person(
            id="bob",
            name="Bob",
            mail="bob@example.org",
            groups=("approvers", "operators"),
            principals=(f"arn:aws:iam::{ACCOUNT}:role/bob",),
        ),
        Person(
            id="eve", name="Eve", mail="eve@example.org", groups=(), principals=(f"arn:aws:iam::{ACCOUNT}:role/eve",)
        ),
    )
)


def policies(*own: PolicyFile, account: str = ACCOUNT, region: str = REGION) -> CedarPolicy:
    """Return the policies that come with Grace, and one's own."""
    files, text = (*sources.built_in(), *own), sources.schema(actions())
    return CedarPolicy(
        (sources.constitution(), *files), text, sources.digest(files, text), account=account, region=region
    )


def shop_metric(name: str, stat: str) -> MetricRef:
    """Return one series of the alias `shop:live`."""
    return MetricRef(
        namespace="AWS/Lambda",
        name=name,
        stat=stat,
        period=60,
        dimensions={"FunctionName": "shop", "Resource": "shop:live"},
    )


def alarm_event(
    state: str = "ALARM", at: datetime = START, *, name: str = "shop-errors", metric: MetricRef | None = None
) -> dict[str, Any]:
    """Return the EventBridge event of an alarm's state change."""
    metric = metric or shop_metric("Errors", "Sum")
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "state": {"value": state, "reason": "Threshold Crossed", "timestamp": stamp},
            "previousState": {"value": "OK" if state == "ALARM" else "ALARM", "timestamp": stamp},
            "configuration": {
                "metrics": [
                    {
                        "id": "m1",
                        "metricStat": {
                            "metric": {
                                "namespace": metric.namespace,
                                "name": metric.name,
                                "dimensions": dict(metric.dimensions),
                            },
                            "period": metric.period,
                            "stat": metric.stat,
                        },
                        "returnData": True,
                    }
                ]
            },
        },
    }


EVENTS = Path(__file__).parents[1] / "events"
