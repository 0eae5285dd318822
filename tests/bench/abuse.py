"""P14 in process: duplicates at once, a worker dead at every call, an undo that changes nothing. Peers beside it."""

from __future__ import annotations

import sys
from typing import Any

from grace.model.contract import ContractStatus
from tests.bench import peers
from tests.bench.cycle import Street, playbook
from tests.bench.report import NotMeasured, Row
from tests.support.matrix import HELD, NOT_HELD, clean, lives
from tests.support.taps import DEATHS
from tests.support.world import alarm_event

ALERTS, TIMES = 5, 3
PLAYBOOK = "roll_back_lambda_alias"


def measure() -> list[Row]:
    """Abuse it; and its peers beside it, installed in environments of their own."""
    for line in peers.install():
        print(line, file=sys.stderr)
    return [_duplicates(), _deaths(), _lazy_undo()]


def beside(key: str) -> str:
    """What the peers did under the same, as recorded."""
    told = [f"{name} {peer['version']}: {peer[key]}" for name, peer in peers.RECORDED["peers"].items() if key in peer]
    return f"recorded {peers.RECORDED['peers']['keep']['at']}: {', '.join(told)}{_here(key)}" if told else ""


def _here(key: str) -> str:
    """The same as measured on this machine, as far as a peer is installed here and came to an end."""
    told = []
    for name in peers.SCRIPTS:
        try:
            found = peers.measured(name)
        except NotMeasured as exc:
            told.append(str(exc))
            continue
        if found and key in found:
            told.append(f"{name} {found['version']}: {found[key]}")
    return f"; here: {', '.join(told)}" if told else ""


def _duplicates() -> Row:
    street = Street((playbook(),))
    events = [alarm_event(name=f"shop{n}-errors", metric=street.open_shop(n)) for n in range(ALERTS)]
    street.fire(*events * TIMES)
    street.settle()
    made = len(street.workflow.executions)
    return Row(
        "P14",
        f"{ALERTS} alerts posted {TIMES} times at once",
        f"{ALERTS} executions",
        f"{made} executions",
        made == ALERTS,
        f"one batch, in process; {beside('executions_of_5_posted_3_times')}",
    )


def _deaths() -> Row:
    """The worker dies before and after every call; what is counted is that the change was made once, and it ended."""
    sites = clean(PLAYBOOK, HELD).sites
    right = runs = 0
    for site in sites:
        for fault in DEATHS:
            life = lives(PLAYBOOK, HELD)
            life.scene.wire.at, life.scene.wire.fault = site, fault
            scene = life.run()
            runs += 1
            right += len(scene.effects.made) == 1 and _ended(scene, ContractStatus.VERIFIED)
    told = f"{right} of {runs}"
    how = "tier 1, in process: changed once, and verified in the end; every playbook: tests/integration"
    return Row("P14", "a worker killed before and after every call", "all done, once", told, right == runs, how)


def _lazy_undo() -> Row:
    """The promise does not hold, and putting back is answered with success and changes nothing."""
    life = lives(PLAYBOOK, NOT_HELD)
    scene = life.scene
    handlers = scene.aws._port.handlers
    update = handlers["lambda", "update_alias"]
    calls: list[Any] = []

    def lazy(**arguments: Any) -> dict[str, Any]:
        calls.append(arguments)
        if len(calls) > 1:
            return dict(handlers["lambda", "get_alias"](FunctionName=arguments["FunctionName"], Name=arguments["Name"]))
        return dict(update(**arguments))

    handlers["lambda", "update_alias"] = lazy
    life.run()
    [name] = scene.contracts()
    status = scene.head(name).status
    recorded = peers.RECORDED["peers"]["chaostoolkit"]
    return Row(
        "P14",
        "an undo that changes nothing",
        "reported failed",
        status.value,
        status is ContractStatus.SAFE_HOLD and len(calls) > 1,
        f"the resource is captured again and compared; Chaos Toolkit {recorded['version']}: {recorded['noop_undo']}{_here('noop_undo')}",
    )


def _ended(scene: Any, status: ContractStatus) -> bool:
    return [scene.head(name).status for name in scene.contracts()] == [status]
