"""P5, P6 and P11 counted: AWS calls, write units and bytes of one remediation, lived in memory and written to DynamoDB.

A scene is lived with the real verbs and state machine. What it read and wrote is then done again on `DynamoStore` over
moto, each step with a store of its own as in a Lambda that has just started, and counted where botocore sends it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from grace.model.base import canonical
from grace.model.contract import Contract, ContractHead, Mode
from grace.model.entry import ref
from grace.model.mission import Mission
from grace.probes.invoke import InvokeProbe
from grace.stores import keys
from grace.stores.calling import client
from grace.stores.dynamo import DynamoStore
from grace.stores.memory import MemoryStore
from grace.stores.rows import row_of
from tests.stores.conftest import LOG, REGION, STATE, make_tables
from tests.support.life import Life, items_of
from tests.support.scenes import Scene, playbooks
from tests.support.taps import Site, Tap

LANES = 16
ACTION, PROBE = "action", "probe"
CALLS = {"permissions.missing": 2, "workflow.stop": 2}
"""Ports whose one call is more than one of AWS: both roles are asked, and a status is read before a stop."""


P5 = {1: 36, 2: 50 + 2}
"""Budgets of calls by tier. Each approver costs one proof and one letter: the scene has one more than the one it needs."""
P6 = {1: 96, 2: 130}
"""Budgets of write units by tier."""
CONTRACT_BYTES, TICKET_BYTES, HEAD_BYTES = 4096, 2048, 1024


@dataclass(frozen=True)
class Counts:
    """What one remediation costs, by step and name. `probes` and `own` are those of `calls` that P5 leaves out.

    The action's own are the calls that action and resource type make of the service acted on: what it takes to look at
    the resource, to change it and to look again. `strict` counts all of them but those of the Execute step and of the
    action's own class.
    """

    playbook: str
    tier: int
    status: str
    calls: dict[tuple[str, str], int]
    probes: int
    own: int
    acting: int
    units: dict[str, int]
    index_units: int
    contract_bytes: int
    ticket_bytes: int
    head_bytes: int

    @property
    def p5(self) -> int:
        """AWS calls but the action's own and the probes' calls of functions and URLs."""
        return sum(self.calls.values()) - self.probes - self.own

    @property
    def strict(self) -> int:
        """The same, with all looking at the resource outside the Execute step counted."""
        return sum(self.calls.values()) - self.probes - self.acting

    @property
    def p6(self) -> int:
        """Write units, those of the index included."""
        return sum(self.units.values()) + self.index_units

    def breakdown(self) -> str:
        """Return calls and write units step by step."""
        steps = list(dict.fromkeys(step for step, _ in self.calls))
        lines = []
        for step in steps:
            made = {name: n for (s, name), n in self.calls.items() if s == step}
            told = ", ".join(f"{name} {n}" for name, n in made.items())
            lines.append(f"{step}: {sum(made.values())} calls, {self.units.get(step, 0)} units ({told})")
        return "\n".join(lines)


class Recorder:
    """Stands before a store and remembers, step by step, what the verbs ask of it."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.done: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = []
        self.step = ""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            if self.step:
                self.done.append((self.step, name, arguments, named))
            return getattr(self.store, name)(*arguments, **named)

        return noted


class CountedScene(Scene):
    """A scene whose store is recorded, and whose action and probes are marked as what P5 leaves out."""

    def __init__(self, playbook: str, *, works: bool = True, mode: Mode = Mode.AUTONOMOUS) -> None:
        super().__init__(playbook, works=works, mode=mode)
        self.recorded = Recorder(self.state)
        self.store = Tap("store", self.recorded, self.wire)
        steps = self.wire.step

        @contextmanager
        def step(name: str) -> Iterator[None]:
            with steps(name):
                self.recorded.step = name
                try:
                    yield
                finally:
                    self.recorded.step = ""

        self.wire.step = step  # type: ignore[method-assign]

    def lived(self) -> Scene:
        """Live it to its end."""
        with ExitStack() as stack:
            for name in ("plan", "check", "run", "happened"):
                mine = self.wire.marked(ACTION, getattr(type(self.act), name))
                stack.enter_context(patch.object(type(self.act), name, mine))
            for name in ("prove", "observe"):
                mine = self.wire.marked(PROBE, getattr(InvokeProbe, name))
                stack.enter_context(patch.object(InvokeProbe, name, mine))
            return Life(self).run()


def count(playbook: str, *, works: bool = True, mode: Mode = Mode.AUTONOMOUS) -> Counts:
    """Return what one remediation by a built-in playbook costs, from the alert to its end."""
    scene = CountedScene(playbook, works=works, mode=mode)
    scene.lived()
    [key] = scene.contracts()
    head = scene.head(key)
    sites = list(scene.wire.sites)
    asked = [site for site in sites if site.call.startswith("aws.") and site.whose != PROBE]
    dynamo, units, index_units = _on_dynamo(scene.recorded)
    contract = scene.state.read(where := ref(Contract, key)).need(where)
    execution = scene.workflow.executions[key]
    heads = [*items_of(scene, ContractHead), *items_of(scene, Mission)]
    rows = [_row_bytes(each) for each in heads]
    calls = _calls(sites)
    asks = any(step == "ask" for step, _ in calls)
    return Counts(
        playbook=playbook,
        tier=max(playbooks()[playbook].spec.tier, 2 if asks else 1),
        status=head.status.value,
        calls=calls | dynamo,
        probes=sum(site.whose == PROBE for site in sites),
        own=len(asked),
        acting=sum(site.whose == ACTION or site.step == "execute" for site in asked),
        units=units,
        index_units=index_units,
        contract_bytes=len(canonical(contract.model_dump(mode="json"))),
        ticket_bytes=len(canonical(execution.document)),
        head_bytes=max(rows),
    )


def repeated(playbook: str) -> tuple[int, bool]:
    """Return how many AWS calls the same alert makes once more, and whether anything changed by it."""
    scene = CountedScene(playbook)
    scene.lived()
    before, entries = len(scene.wire.sites), len(scene.state._entries)
    with scene.wire.step("triage"):
        assert scene.fire(scene.body) == []
    calls = sum(CALLS.get(site.call, 1) for site in scene.wire.sites[before:])
    return calls, bool(scene.messages.drafts) or len(scene.state._entries) != entries


def _calls(sites: Sequence[Site]) -> dict[tuple[str, str], int]:
    """Return the calls by step and name, but those of the store, which are counted on DynamoDB."""
    calls: Counter[tuple[str, str]] = Counter()
    for site in sites:
        if not site.call.startswith("store."):
            calls[site.step, site.call] += CALLS.get(site.call, 1)
    return dict(calls)


def _on_dynamo(recorded: Recorder) -> tuple[dict[tuple[str, str], int], dict[str, int], int]:
    """Do it again on DynamoDB; return calls by step and operation, write units by step, and those of the index."""
    calls: Counter[tuple[str, str]] = Counter()
    spent = _Spent()
    step = ""
    with mock_aws():
        dynamodb = client(boto3.Session(region_name=REGION), "dynamodb")
        make_tables(dynamodb)

        def called(model: Any, **_: Any) -> None:
            calls[step, f"dynamodb.{model.name}"] += 1

        dynamodb.meta.events.register("before-call.dynamodb", called)
        dynamodb.meta.events.register(
            "provide-client-params.dynamodb.TransactWriteItems", lambda params, **_: spent.add(step, params)
        )
        store = DynamoStore(dynamodb, STATE, LOG, LANES)
        for at, name, arguments, named in recorded.done:
            if at != step:
                step, store = at, DynamoStore(dynamodb, STATE, LOG, LANES)
            getattr(store, name)(*arguments, **named)
    return dict(calls), dict(spent.units), spent.index


class _Spent:
    """Write units as DynamoDB charges them: two a started kilobyte in a transaction, checked items included.

    A changed place in the index costs a unit for the old and one for the new (developer guide, "Read and write capacity
    for global secondary indexes").
    """

    def __init__(self) -> None:
        self.units: Counter[str] = Counter()
        self.index = 0
        self._stored: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, step: str, params: dict[str, Any]) -> None:
        """Count one transaction."""
        for action in params["TransactItems"]:
            if "Put" not in action:
                check = action["ConditionCheck"]["Key"]
                self.units[step] += _units(self._stored.get(_address(check), check))
                continue
            item = action["Put"]["Item"]
            before = self._stored.get(_address(item), {})
            self.units[step] += max(_units(item), _units(before))
            places = [{name: row[name] for name in _INDEX if name in row} for row in (before, item)]
            if places[0] != places[1]:
                self.index += sum(bool(place) for place in places)
            self._stored[_address(item)] = item


_INDEX = (keys.OPEN_PARTITION, keys.OPEN_SORT)


def _address(item: dict[str, Any]) -> tuple[str, str]:
    return item[keys.PARTITION]["S"], item[keys.SORT]["S"]


def _units(item: dict[str, Any]) -> int:
    return 2 * max(1, math.ceil(_size(item) / 1024))


def _size(item: dict[str, Any]) -> int:
    """Return DynamoDB's size of a row: names and values in UTF-8, a number a byte for two digits and one more."""

    def of(value: dict[str, Any]) -> int:
        ((kind, content),) = value.items()
        return math.ceil(len(content) / 2) + 1 if kind == "N" else len(content.encode() if kind == "S" else content)

    return sum(len(name) + of(value) for name, value in item.items())


def _row_bytes(head: ContractHead | Mission) -> int:
    """Return what a head takes in the table."""
    store = DynamoStore(None, STATE, LOG, LANES)
    row: dict[str, Any] = store._put_row(row_of(head), head.version)["Put"]["Item"]
    return _size(row)


def every() -> list[Counts]:
    """Return the counts of every built-in playbook in tier 1, where it may act by itself, and asked."""
    return [
        count(name, mode=mode)
        for name, playbook in playbooks().items()
        for mode in (Mode.AUTONOMOUS, Mode.APPROVAL)[playbook.spec.tier > 1 :]
    ]
