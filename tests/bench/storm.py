"""P12 on the embedded engine, and P14's kill: many alerts on many aliases through the whole deployed system.

An engine of its own, with its own ports and folder; everything is deployed by the real CDK CLI. Each alert is an event
on our bus about an alias of its own; what is counted is what the engine's state machine, trail and tables say afterwards.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from infra.constructs.floor_plan import DOORS
from infra.local import processes
from infra.local.deploy import deploy
from infra.local.engine import Engine, EngineState
from tests.bench.abuse import beside
from tests.bench.report import NotMeasured, Row, median, percentile
from tests.local.rig import isolated_root

WARM_UP, ALERTS, KILLED = 40, 180, 10
EVERY_SECONDS, CALM_SECONDS = 0.04, 0.25
"""An alert so often in the storm: more than two cores take in, so that work piles up. While warming up it is calmer."""
WORKERS = 8
PATIENCE = 240.0
FUNCTION = "storm"
PLAYBOOKS = "tests/bench/playbooks"
WORKER = re.compile(r"ministack-lambda-(grace-[a-z]+)-")
CONTEXT = {
    "playbooks": json.dumps([PLAYBOOKS]),
    "modes": json.dumps({"storm_alias": "autonomous"}),
    "global_in_flight": "500",
    "group_window": "10",
}


class WatchedEngine(Engine):
    """An engine whose trail is on, so that what was done to an alias is counted by the engine and not by Grace."""

    def _environment(self, port: int, secret: str) -> dict[str, str]:
        return super()._environment(port, secret) | {"CLOUDTRAIL_RECORDING": "1", "CLOUDTRAIL_MAX_EVENTS": "200000"}


@dataclass
class Storm:
    """The deployed system, and what was sent into it."""

    state: EngineState
    outputs: dict[str, str]
    sent: dict[str, float] = field(default_factory=dict)
    most_workers: Counter[str] = field(default_factory=Counter)

    def client(self, service: str) -> Any:
        """Return a client of the engine's root."""
        return boto3.client(service, **self.state.client_arguments())

    def aliases(self, names: Sequence[str]) -> None:
        """Point so many new aliases at the newest version."""
        lambda_ = self.client("lambda")
        for name in names:
            lambda_.create_alias(FunctionName=FUNCTION, Name=name, FunctionVersion="2")

    def alert(self, names: Sequence[str], every: float) -> None:
        """Put one event for each alias on our bus, one after another."""
        events = self.client("events")
        for name in names:
            arn = f"arn:aws:lambda:{self.state.region}:{self.state.account}:function:{FUNCTION}:{name}"
            detail = {"service": f"storm-{name}", "code": "DeploymentFailed", "severity": "high", "resources": [arn]}
            entry = {
                "EventBusName": self.outputs["BusName"],
                "Source": "bench.storm",
                "DetailType": "error.detected",
                "Detail": json.dumps(detail),
            }
            answer = events.put_events(Entries=[entry])
            if answer["FailedEntryCount"]:
                raise NotMeasured(f"the bus refused an alert: {answer['Entries'][0]}")
            self.sent[name] = time.time()
            time.sleep(every)

    def wait(self, how_many: int) -> list[dict[str, Any]]:
        """Return the executions when so many have ended, or what there is when patience is at its end."""
        machines = self.client("stepfunctions")
        deadline = time.monotonic() + PATIENCE
        while True:
            pages = machines.get_paginator("list_executions").paginate(stateMachineArn=self.outputs["StateMachineArn"])
            found = [each for page in pages for each in page["executions"]]
            if sum(each["status"] != "RUNNING" for each in found) >= how_many or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def verified(self, executions: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the executions whose contracts ended verified, by the alias they were about."""
        machines = self.client("stepfunctions")
        found = {}
        for each in executions:
            told = machines.describe_execution(executionArn=each["executionArn"])
            ticket = json.loads(told.get("output") or "{}")
            if each["status"] == "SUCCEEDED" and ticket.get("verdict") == "verified" and not ticket.get("error"):
                found[ticket["resource"].rpartition(":")[2]] = each
        return found

    def changes(self) -> Counter[str]:
        """How often each alias was changed, as the engine's trail has it."""
        found: Counter[str] = Counter()
        pages = (
            self.client("cloudtrail")
            .get_paginator("lookup_events")
            .paginate(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "UpdateAlias"}])
        )
        for page in pages:
            for event in page["Events"]:
                if name := re.search(rf"{FUNCTION}/aliases/([a-z0-9]+)", event["CloudTrailEvent"]):
                    found[name[1]] += 1
        return found

    def back(self, names: Sequence[str]) -> list[str]:
        """Return the aliases that point where they were sent."""
        lambda_ = self.client("lambda")
        return [n for n in names if lambda_.get_alias(FunctionName=FUNCTION, Name=n)["FunctionVersion"] == "1"]

    def workers(self) -> list[tuple[int, str]]:
        """Return process and function of every worker of a door."""
        found = processes.ours([self.state.pid], ["ministack-lambda-grace-"])
        return [(each.pid, name[1]) for each in found if (name := WORKER.search(each.command))]

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Look at the workers of each door all the while."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(1):
                for name, count in Counter(name for _, name in self.workers()).items():
                    self.most_workers[name] = max(self.most_workers[name], count)

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def measure() -> list[Row]:
    """Start, deploy, warm up, storm, kill; and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="grace-bench-") as work:
        engine = WatchedEngine(isolated_root(Path(work)))
        try:
            state = engine.start()
            result = deploy(state, root=Path(work), context=CONTEXT)
            storm = Storm(state, {key: value for stack in result.outputs.values() for key, value in stack.items()})
            _prepare(storm)
            warm = _names("w", WARM_UP)
            _storm(storm, warm, 0, CALM_SECONDS)
            rows = _p12(storm)
            return [*rows, _kill(storm)]
        finally:
            engine.stop()


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def _prepare(storm: Storm) -> None:
    """One function with two versions, whose aliases all stand at the newer one; and eight workers a door at most."""
    lambda_, iam = storm.client("lambda"), storm.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=FUNCTION, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    lambda_.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.13",
        Handler="storm.handler",
        Role=role,
        Code={"ZipFile": _code(1)},
        Tags={"grace:managed": "true"},
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName=FUNCTION)
    lambda_.publish_version(FunctionName=FUNCTION)
    lambda_.update_function_code(FunctionName=FUNCTION, ZipFile=_code(2))
    lambda_.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)
    lambda_.publish_version(FunctionName=FUNCTION)
    for door in DOORS:
        lambda_.put_function_concurrency(FunctionName=f"grace-{door.name}", ReservedConcurrentExecutions=WORKERS)


def _code(release: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "storm.py", f"def handler(event, context):\n    return {{'statusCode': 200, 'r': {release}}}\n"
        )
    return packed.getvalue()


def _storm(storm: Storm, names: Sequence[str], before: int, every: float) -> list[dict[str, Any]]:
    """Alert on every alias and wait for the ends; the executions of these alerts alone."""
    storm.aliases(names)
    known = {each["name"] for each in storm.wait(before)} if before else set()
    storm.alert(names, every)
    return [each for each in storm.wait(before + len(names)) if each["name"] not in known]


def _p12(storm: Storm) -> list[Row]:
    names = _names("a", ALERTS)
    with storm.counting():
        executions = _storm(storm, names, WARM_UP, EVERY_SECONDS)
    verified = storm.verified(executions)
    if not verified:
        raise NotMeasured(f"no contract was verified: {Counter(each['status'] for each in executions)}")
    done, changes = storm.back(names), storm.changes()
    doubled = [name for name in names if changes[name] > 1]
    lost = [name for name in names if name not in verified or name not in done]
    spans = [(each["startDate"].timestamp(), each["stopDate"].timestamp()) for each in verified.values()]
    began, last = min(storm.sent[name] for name in names), max(end for _, end in spans)
    rate, flight = 60 * len(verified) / (last - began), _most_at_once(spans)
    reported = [each["stopDate"].timestamp() - storm.sent[name] for name, each in verified.items()]
    transitions = _transitions(storm, next(iter(verified.values()))["executionArn"])
    workers = ", ".join(f"{name.removeprefix('grace-')} {count}" for name, count in sorted(storm.most_workers.items()))
    widest = max(storm.most_workers.values(), default=0)
    how = f"{ALERTS} alerts, one each {EVERY_SECONDS} s, after {WARM_UP} to warm up; settle 1 s; {storm.state.name}"
    return [
        Row("P12", "complete tier 1 remediations", "≥ 100/min", f"{rate:.0f}/min", rate >= 100, how),
        Row("P12", "executions in flight at once", "≥ 50", str(flight), flight >= 50, "from the executions' own times"),
        Row("P12", "workers of a door", "(told)", f"most {widest}", None, f"each held to {WORKERS}; seen: {workers}"),
        Row(
            "P12",
            "lost or done twice",
            "0",
            f"{len(lost)} lost, {len(doubled)} twice",
            not lost and not doubled,
            "verified by Grace, the alias back, and its changes counted in the engine's own trail",
        ),
        Row(
            "P12",
            "alert to contract reported",
            "(told)",
            f"median {median(reported):.1f} s",
            None,
            f"p95 {percentile(reported, 0.95):.1f} s, in the storm",
        ),
        Row(
            "P4", "transitions, tier 1, on the engine", "≤ 10", str(transitions), transitions <= 10, "execution history"
        ),
    ]


def _most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    steps = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def _transitions(storm: Storm, execution: str) -> int:
    pages = storm.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    return sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])


def _kill(storm: Storm) -> Row:
    """Ten alerts are in; then every worker of every door is killed, three times over. The queue and the workflow go on."""
    names = _names("k", KILLED)
    killed = 0

    def kill() -> None:
        nonlocal killed
        for _ in range(3):
            time.sleep(0.7)
            for pid, _ in storm.workers():
                killed += _ended(partial(os.kill, pid, signal.SIGKILL))

    killer = threading.Thread(target=kill)
    storm.aliases(names)
    storm.alert(names, 0)
    killer.start()
    executions = storm.wait(WARM_UP + ALERTS + KILLED)
    killer.join()
    deadline = time.monotonic() + PATIENCE
    while len(done := storm.back(names)) < KILLED and time.monotonic() < deadline:
        time.sleep(1)
    changes = storm.changes()
    twice = [name for name in names if changes[name] > 1]
    running = sum(each["status"] == "RUNNING" for each in executions)
    return Row(
        "P14",
        f"{KILLED} acknowledged alerts, workers killed with -9",
        f"{KILLED} done, none twice",
        f"{len(done)} done, {len(twice)} twice",
        len(done) == KILLED and not twice,
        f"{killed} workers killed in three rounds, {running} executions left running; {beside('done_of_10_after_kill')}",
    )


def _ended(kill: Callable[[], None]) -> int:
    try:
        kill()
    except ProcessLookupError:
        return 0
    return 1
