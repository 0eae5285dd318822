"""Any built-in playbook as a scene: its example alert, the resource that alert names, and a reality that follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from grace.actions.base import action
from grace.gateways.memory import MemoryAws
from grace.model.base import Model
from grace.model.catalogue import CataloguedPlaybook
from grace.model.contract import ContractHead, Mode, Undo
from grace.model.entry import ref
from grace.model.expectation import Expectation, Guard
from grace.model.records import Lease, Step, StepStatus
from grace.model.resource import ResourceRef
from grace.model.signal import MetricRef, Signal
from grace.playbooks.loader import BUILT_IN, load_playbooks
from grace.ports import AlarmFacts
from grace.probes.measure import PromiseContext, compile_promises
from grace.resources.base import Captured, resource_type
from grace.signals import parse
from grace.stores.memory import MemoryStore
from tests.support.containers import Containers
from tests.support.effects import Effect, Effects
from tests.support.groups import Groups
from tests.support.lambdas import Lambdas
from tests.support.machine import Machine
from tests.support.machines import Machines
from tests.support.reality import Reality
from tests.support.taps import PORTS, Tap, Wire
from tests.support.world import EVENTS, START, World, alarm_event, policies

_COMPILED: dict[str, tuple[tuple[Expectation, ...], tuple[Guard, ...]]] = {}
TAGS = {"grace:managed": "true"}
GUARD = "checkout-orders"
"""The alarm that the owner of a guarded resource wants watched."""
GUARD_METRIC = MetricRef(namespace="Checkout", name="Orders", stat="Sum", period=60, dimensions={"Shop": "one"})


@cache
def playbooks() -> dict[str, CataloguedPlaybook]:
    """Return the built-in playbooks by name."""
    return {each.spec.name: each for each in load_playbooks([BUILT_IN])}


@cache
def example(name: str) -> tuple[str, Signal]:
    """Return a playbook's example alert as it is delivered, and as it is read."""
    body = (EVENTS / playbooks()[name].spec.example).read_text()
    return body, parse(body)


class Scene(World):
    """One incident. With `works` the action mends what is wrong; without, it changes the resource and nothing else.

    `period` is the alarm's, in seconds, where it is not that of the example. The resource of one that is `guarded`
    names an alarm that stops whatever is under way, once it goes off.
    """

    def __init__(
        self,
        playbook: str,
        *,
        works: bool = True,
        mode: Mode = Mode.AUTONOMOUS,
        period: int | None = None,
        guarded: bool = False,
    ) -> None:
        self.tags = TAGS | ({"grace:guards": GUARD} if guarded else {})
        self.breach: dict[str, Any] | None = None
        self.body, self.signal = example(playbook)
        if period and self.signal.metric:
            metric = self.signal.metric.model_copy(update={"period": period})
            self.signal = self.signal.model_copy(update={"metric": metric})
        self.playbook = playbooks()[playbook]
        super().__init__((self.playbook,), mode)
        self.policy = policies(account=self.signal.account, region=self.signal.region)
        self.works = works
        self.naked: list[str] = []
        """Effects that happened without what must be there before one."""
        self.clock.advance((self.signal.at - START).total_seconds() + 4)
        self.effects = Effects(watch=self._happened)
        services = (self.signal.account, self.signal.region, self.clock.now, self.effects)
        self.lambdas = Lambdas(*services)
        self.groups, self.containers, self.machines = Groups(*services), Containers(*services), Machines(*services)
        self.aws = MemoryAws(
            self.lambdas.handlers() | self.groups.handlers() | self.containers.handlers() | self.machines.handlers()
        )
        self.kind = resource_type(self.playbook.spec.resource)
        self.act = action(str(self.playbook.spec.action["use"]))
        self.resource = self._make()
        self.before = self.capture()
        self.reality = self._reality()
        self.metrics = self.alarms = self.reality
        self.wire = Wire()
        self.state: MemoryStore = self.store
        """State and log past the wire, for the test to look at."""
        for port in PORTS:
            setattr(self, port, Tap(port, getattr(self, port), self.wire))
        self.machine = Machine({name: self._stepped(door) for name, door in self._doors().items()}, self.clock.advance)

    def capture(self) -> Captured[Model]:
        """Read the resource as it stands, past every wire."""
        return self.kind.capture(self.resource, MemoryAws(self.aws.handlers))

    def breached(self) -> dict[str, Any]:
        """Let the guard alarm go off now; return the event that says so."""
        at = self.clock.now()
        self.reality.guard = self._guard("ALARM", at)
        self.breach = alarm_event("ALARM", at, name=GUARD, metric=GUARD_METRIC) | {
            "account": self.signal.account,
            "region": self.signal.region,
            "resources": [self.reality.guard.arn],
        }
        return self.breach

    def _guard(self, state: str, at: datetime) -> AlarmFacts:
        return AlarmFacts(
            arn=f"arn:aws:cloudwatch:{self.signal.region}:{self.signal.account}:alarm:{GUARD}",
            name=GUARD,
            state=state,
            changed_at=at,
            metric=GUARD_METRIC,
            threshold=1.0,
            comparison="LessThanThreshold",
            evaluation_periods=1,
            datapoints_to_alarm=1,
            treat_missing="missing",
        )

    def _stepped(self, door: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def run(event: dict[str, Any]) -> dict[str, Any]:
            with self.wire.step(str(event["step"])):
                return door(event)

        return run

    def _make(self) -> ResourceRef:
        """Make what the alert names."""
        ref = self.kind.from_signal(self.signal)
        assert ref, f"{self.playbook.spec.name}: its example names no {self.playbook.spec.resource}"
        match ref.type:
            case "AWS::Lambda::Alias":
                _, function, alias = ref.path.split(":")
                self.lambdas.function(function, tags=dict(self.tags), versions=3)
                self.lambdas.alias(function, alias, "3")
            case "AWS::Lambda::Function":
                self.lambdas.function(ref.path.split(":")[1], tags=dict(self.tags), versions=1, reserved=100)
            case "AWS::AutoScaling::AutoScalingGroup":
                self.groups.group(ref.path.rsplit("/", 1)[1], tags=dict(self.tags), sizes=(1, 2, 5))
            case "AWS::ECS::Service":
                _, cluster, service = ref.path.split("/")
                self.containers.service(cluster, service, tags=dict(self.tags), revisions=3, desired=2)
            case "AWS::EC2::Instance":
                self.machines.instance(ref.path.split("/")[1], tags=dict(self.tags))
            case other:
                raise AssertionError(f"nobody here knows how to make a {other}")
        return self.kind.locate(ref, self.aws)

    def _reality(self) -> Reality:
        """Let CloudWatch show what the playbook's own promises ask for."""
        signal = self.signal
        period = signal.metric.period if signal.metric else 60
        alarm = None
        if signal.is_alarm:
            alarm = AlarmFacts(
                arn=signal.subject,
                name=signal.name,
                state="ALARM",
                changed_at=signal.at,
                metric=signal.metric,
                threshold=signal.threshold if signal.threshold is not None else 100.0,
                comparison=signal.comparison or "GreaterThanThreshold",
                evaluation_periods=2,
                datapoints_to_alarm=2,
                treat_missing="missing",
            )
        found = Reality(self.clock, signal.at - timedelta(seconds=3 * max(period, 60)), alarm)
        found.promise(*self._promises(alarm))
        found.guard = self._guard("OK", signal.at - timedelta(days=1))
        return found

    def _promises(self, alarm: AlarmFacts | None) -> tuple[tuple[Expectation, ...], tuple[Guard, ...]]:
        """Compile the playbook's promises, once for all scenes of it: they are the same in each."""
        spec, key = self.playbook.spec, f"{self.playbook.digest} {self.signal.metric}"
        if key in _COMPILED:
            return _COMPILED[key]
        ask = self.act.ask.model_validate({key: value for key, value in spec.action.items() if key != "use"})
        parameters = self.act.plan(self.resource, self.before, ask, self.aws)
        context = PromiseContext(
            resource=self.resource,
            kind=self.kind,
            before=self.before.state.model_dump(mode="json"),
            predicted=self.act.predict(self.before.state, parameters).model_dump(mode="json"),
            parameters=parameters.model_dump(mode="json"),
            signal=self.signal,
            alarm=alarm,
        )
        return _COMPILED.setdefault(key, compile_promises(spec, context))

    def _happened(self, effect: Effect) -> None:
        """A change took effect: when it is the fix, all is well from now on; when it is the undo, no longer."""
        self.naked += self._unguarded(effect)
        changed = self.act.undo is Undo.NONE or self.capture().digest != self.before.digest
        self.reality.fixed_at = self.clock.now() if self.works and changed else None

    def _unguarded(self, effect: Effect) -> list[str]:
        """I28: return what is missing at the moment of an effect: its written intent, its lease, time left, a snapshot."""
        lease = self.state.read(where := ref(Lease, self.resource.arn)).get(where)
        if lease is None or not lease.owner or self.clock.now() >= lease.until:
            return [f"{effect} happened without a lease"]
        refs = ref(ContractHead, lease.owner), ref(Step, lease.owner, "execute"), ref(Step, lease.owner, "restore")
        view = self.state.read(*refs)
        head, steps = view.get(refs[0]), [step for where in refs[1:] if (step := view.get(where))]
        if head and head.terminal:
            return self._unannounced(effect, head, lease)
        found = []
        if not any(step.status is StepStatus.INTENT and step.fence == lease.fence for step in steps):
            found.append(f"{effect} happened without an intent of the lease's holder")
        if head is None or head.fence != lease.fence or head.snapshot is None:
            found.append(f"{effect} happened without a snapshot under the lease")
        return found

    def _unannounced(self, effect: Effect, head: ContractHead, lease: Lease) -> list[str]:
        """What was kept for a time is put back under a fence of its own, which the entry before it announces."""
        last = self.state.story(head.contract_id)[-1]
        announced = last.type == "contract.expiring" and last.body["fence"] == lease.fence > head.fence
        return [] if announced and head.snapshot else [f"{effect} happened after the end, and nothing announced it"]
