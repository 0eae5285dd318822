"""Whole remediations in this process, one after another, in memory: what `cycles.py` starts and reads.

    python -m tests.bench.cycle HOW_MANY
Each is an alert of its own on an alias of its own: triage, contract, snapshot, measuring, action, measuring again,
verdict, close, with every entry of the log written. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

from grace.model.catalogue import CataloguedPlaybook
from grace.model.contract import ContractStatus
from grace.model.playbook import PlaybookSpec
from grace.model.signal import MetricRef
from grace.ports import AlarmFacts
from tests.support.playbooks import ROLL_BACK_ALIAS, catalogued
from tests.support.world import ACCOUNT, REGION, START, World, alarm_event

WARM_UP = 20


def playbook() -> CataloguedPlaybook:
    """Return the way back from a bad release, allowed as often as it is asked here."""
    spec = ROLL_BACK_ALIAS.spec.model_dump(mode="json") | {"limits": {"per_hour": 10_000, "cooldown": 0}}
    return catalogued(PlaybookSpec.model_validate(spec))


class Street(World):
    """Many shops, each with its alias, its alarm and its own numbers; each is well again as soon as its alias is back."""

    def open_shop(self, number: int) -> MetricRef:
        """Make one shop whose newer version fails; return the series of its alarm."""
        name = f"shop{number}"
        self.lambdas.function(name, tags={"grace:managed": "true"}, versions=2)
        self.lambdas.alias(name, "live", "2")
        errors = self._series(name, "Errors", "Sum")
        began, healthy = START - timedelta(minutes=3), START - timedelta(minutes=40)
        self._minutes(name, healthy, began, errors=0.0)
        self._minutes(name, began, START, errors=20.0)
        self.alarms.put(self._alarm_of(name, errors, "ALARM"))
        return errors

    def mend(self, number: int) -> None:
        """What follows when the alias is back: no errors for ten minutes, and an alarm that is off."""
        name = f"shop{number}"
        now = self.clock.now()
        self._minutes(name, now - timedelta(minutes=10), now + timedelta(minutes=1), errors=0.0)
        self.alarms.put(self._alarm_of(name, self._series(name, "Errors", "Sum"), "OK"))

    def _minutes(self, name: str, since: object, until: object, *, errors: float) -> None:
        minutes = range(int(since.timestamp()) // 60 * 60, int(until.timestamp()) // 60 * 60, 60)  # type: ignore[attr-defined]
        for metric, stat, value in (
            ("Invocations", "Sum", 100.0),
            ("Errors", "Sum", errors),
            ("Duration", "p95", 150.0),
        ):
            self.metrics.put(self._series(name, metric, stat), [(at, value) for at in minutes])

    def _series(self, name: str, metric: str, stat: str) -> MetricRef:
        dimensions = {"FunctionName": name, "Resource": f"{name}:live"}
        return MetricRef(namespace="AWS/Lambda", name=metric, stat=stat, period=60, dimensions=dimensions)

    def _alarm_of(self, name: str, metric: MetricRef, state: str) -> AlarmFacts:
        return AlarmFacts(
            arn=f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}-errors",
            name=f"{name}-errors",
            state=state,
            changed_at=self.clock.now(),
            metric=metric,
            threshold=5.0,
            comparison="GreaterThanThreshold",
            evaluation_periods=2,
            datapoints_to_alarm=2,
            treat_missing="missing",
        )


def held(what: str) -> float:
    """Return the MiB this process holds now (`VmRSS`) or held at most (`VmHWM`).

    Not `ru_maxrss`: over fork and exec it keeps what the process that started this one held, which is no cycle's.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


def main(how_many: int) -> None:
    """Live so many incidents and say how long each took, how all ended, and the most memory that was held."""
    street = Street((playbook(),))
    shop = [0]

    def between(world: World, execution: object) -> None:
        if execution.state == "Benchmark":  # type: ignore[attr-defined]
            street.mend(shop[0])

    street.between = between
    events = {
        n: json.dumps(alarm_event(name=f"shop{n}-errors", metric=street.open_shop(n)))
        for n in range(how_many + WARM_UP)
    }
    taken, ends, warm = [], [], 0.0
    for number, event in events.items():
        shop[0] = number
        if number == WARM_UP:
            warm = held("VmRSS")
        street.clock.advance((START - street.clock.now()).total_seconds())
        began = time.perf_counter()
        street.fire(event)
        street.settle()
        taken.append(time.perf_counter() - began)
        ends += [street.head(name).status for name in street.contracts()]
        # Here a step looks through all executions for those that go on; the ended ones would be the next cycle's time.
        street.workflow.executions.clear()
    print(
        json.dumps(
            {
                "seconds": taken[WARM_UP:],
                "verified": sum(end is ContractStatus.VERIFIED for end in ends),
                "ends": sorted(set(ends)),
                "contracts": len(ends),
                "entries": len(street.store._entries),
                "peak_mib": held("VmHWM"),
                "kept_kib": 1024 * (held("VmRSS") - warm) / how_many,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
