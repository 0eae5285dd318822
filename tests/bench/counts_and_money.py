"""P4 to P7 and P11: what one remediation takes of every service, counted; and what that costs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from grace.model.metric import Metric
from infra.config import deployment
from infra.constructs.names import Names
from infra.constructs.watch import alarm_names
from tests.bench.counts import CONTRACT_BYTES, HEAD_BYTES, P5, P6, TICKET_BYTES, Counts, every, repeated
from tests.bench.incident import Incident, account
from tests.bench.money import PRICES, Usage, idle
from tests.bench.report import Row
from tests.bench.wire import Send
from tests.support.scenes import playbooks

TRANSITIONS = {1: 10, 2: 13}
MONEY = {1: 0.40, 2: 0.55}
LOG_BYTES = 10 * 1024
IDLE, SERIES = 6.0, 10
READS = frozenset({"batch_get_item", "query"})
NOT_TARGETS = frozenset({"dynamodb", "s3", "kms", "sns", "events", "stepfunctions", "cloudwatch", "iam"})


def measure() -> list[Row]:
    """Live every built-in playbook, with and without success."""
    counted = every()
    lived = {name: _lived(name, works=True) for name in playbooks()}
    undone = {name: _lived(name, works=False) for name in playbooks()}
    return [
        *_transitions(lived, undone),
        *_calls(counted),
        *_state(counted, lived),
        *_money(counted, lived),
        _rollback(undone),
    ]


def _lived(playbook: str, *, works: bool) -> Incident:
    with account():
        incident = Incident(playbook, works=works)
        incident.run()
    return incident


def _tier(playbook: str) -> int:
    return min(2, playbooks()[playbook].spec.tier)


def _transitions(lived: dict[str, Incident], undone: dict[str, Incident]) -> list[Row]:
    rows = []
    for tier, what in ((1, "tier 1"), (2, "tier 2 and 3")):
        most = max(len(each.visited) for name, each in lived.items() if _tier(name) == tier)
        rows.append(
            Row(
                "P4",
                f"transitions, {what}",
                f"≤ {TRANSITIONS[tier]}",
                str(most),
                most <= TRANSITIONS[tier],
                f"states entered, most of {sum(_tier(n) == tier for n in lived)} playbooks; the engine's own history: P12",
            )
        )
    more = max(len(undone[name].visited) - len(lived[name].visited) for name in lived)
    how = "states entered when the promise does not hold, against when it does"
    return [*rows, Row("P4", "transitions a rollback adds", "≤ 3", str(more), more <= 3, how)]


def _calls(counted: Sequence[Counts]) -> list[Row]:
    rows = []
    for tier, what in ((1, "tier 1"), (2, "tier 2 and 3")):
        worst = max((each for each in counted if each.tier == tier), key=lambda each: each.p5)
        strict = max(each.strict for each in counted if each.tier == tier)
        rows.append(
            Row(
                "P5",
                f"AWS calls, {what}",
                f"≤ {P5[tier]}",
                f"{worst.p5} ({worst.playbook})",
                worst.p5 <= P5[tier],
                "counted at botocore; without the calls that action and resource type make of the service acted on,"
                f" and the probes' invocations (looks at the resource outside Execute counted too: {strict})",
                {each.playbook: each.p5 for each in counted if each.tier == tier},
            )
        )
    names = {name for each in counted for _, name in each.calls}
    bad = sorted(name for name in names if "Scan" in name or "put_metric_data" in name)
    rows.append(
        Row("P5", "Scan or PutMetricData", "none", ", ".join(bad) or "none", not bad, "every call of every playbook")
    )
    again = [repeated(name) for name in playbooks()]
    most, changed = max(calls for calls, _ in again), any(changed for _, changed in again)
    told = f"{most} calls, {'a change' if changed else 'no change'}"
    return [
        *rows,
        Row("P5", "a repeated alert", "≤ 2, no change", told, most <= 2 and not changed, "delivered once more"),
    ]


def _state(counted: Sequence[Counts], lived: dict[str, Incident]) -> list[Row]:
    rows = []
    for tier, what in ((1, "tier 1"), (2, "tier 2 and 3")):
        worst = max((each for each in counted if each.tier == tier), key=lambda each: each.p6)
        rows.append(
            Row(
                "P6",
                f"write units, {what}",
                f"≤ {P6[tier]}",
                f"{worst.p6} ({worst.playbook})",
                worst.p6 <= P6[tier],
                f"DynamoDB's prices over what was sent: two a kilobyte in a transaction, {worst.index_units} for the index",
                {each.playbook: each.p6 for each in counted if each.tier == tier},
            )
        )
    sizes = (
        ("contract body", CONTRACT_BYTES, max(each.contract_bytes for each in counted)),
        ("ticket", TICKET_BYTES, max(each.ticket_bytes for each in counted)),
        ("head", HEAD_BYTES, max(each.head_bytes for each in counted)),
        ("logs", LOG_BYTES, max(_log_bytes(each) for each in lived.values())),
    )
    how = {"logs": "what the doors print, metrics included", "head": "the item in the table, contract's or mission's"}
    for what, budget, most in sizes:
        told = f"{budget // 1024} KB"
        about = f"largest of all playbooks: {how.get(what, 'canonical JSON')}"
        rows.append(Row("P6", f"bytes of {what}", f"≤ {told}", f"{most} B", most <= budget, about))
    return rows


def _money(counted: Sequence[Counts], lived: dict[str, Incident]) -> list[Row]:
    units = {each.playbook: each.p6 for each in counted if (each.tier == 1) == (_tier(each.playbook) == 1)}
    usage = {name: _usage(incident, units[name]) for name, incident in lived.items()}
    rows = []
    for tier, what in ((1, "tier 1"), (2, "tier 2 and 3")):
        worst = max((name for name in usage if _tier(name) == tier), key=lambda name: usage[name].per_thousand())
        cost = usage[worst].per_thousand()
        parts = {part: round(1000 * dollars, 4) for part, dollars in usage[worst].lines().items()}
        largest = ", ".join(f"{part} {parts[part]:.2f}" for part in sorted(parts, key=lambda p: -parts[p])[:4])
        how = f"counts at list prices of {PRICES['at']}, {worst}: {largest}"
        told = f"${cost:.2f}"
        rows.append(
            Row("P7", f"1,000 remediations, {what}", f"≤ ${MONEY[tier]:.2f}", told, cost <= MONEY[tier], how, parts)
        )
    alarms = len(alarm_names(Names("grace")))
    month = idle(alarms=alarms, sweep_minutes=deployment({}).reap_minutes, sweep=_sweep())
    total = sum(month.values())
    told = ", ".join(f"{part} {dollars:.2f}" for part, dollars in month.items())
    rows.append(Row("P7", "idle for a month", "≤ $6", f"${total:.2f}", total <= IDLE, told, month))
    rows.append(
        Row(
            "P7",
            "custom metric series",
            f"≤ {SERIES}",
            str(len(Metric)),
            len(Metric) <= SERIES,
            "whatever the playbooks",
        )
    )
    return rows


def _usage(incident: Incident, write_units: int) -> Usage:
    sends = incident.wire.sends
    return Usage(
        transitions=len(incident.visited),
        invocations=incident.invocations,
        sends=Counter(send.name for send in sends),
        metrics_requested=sum(
            len(send.params["MetricDataQueries"]) for send in sends if "MetricDataQueries" in send.params
        ),
        write_units=write_units,
        read_units=sum(_read_units(send) for send in sends),
        log_bytes=_log_bytes(incident),
    )


@cache
def _sweep() -> Usage:
    """One sweep in which there is nothing to do."""
    with account():
        incident = Incident("roll_back_lambda_alias")
        incident.scene.reality.alarm = None
        incident.sweep()
    return _usage(incident, 0)


def _read_units(send: Send) -> int:
    """A unit a started 4 KB, strongly consistent; our items are below that, and a query reads few."""
    if send.service != "dynamodb" or send.operation not in READS:
        return 0
    wanted: dict[str, Any] = send.params.get("RequestItems", {"": {"Keys": [""]}})
    return math.ceil(sum(len(of_table["Keys"]) for of_table in wanted.values()))


def _log_bytes(incident: Incident) -> int:
    return len(incident.log.getvalue().encode())


def _rollback(undone: dict[str, Incident]) -> Row:
    """P11: the Rollback state against the Execute state."""
    worst, most = "", -99
    reads: set[str] = set()
    for name, incident in undone.items():
        forward = [send for send in incident.wire.sends if send.step == "execute"]
        back = [send for send in incident.wire.sends if send.step == "rollback"]
        if back and (more := len(back) - len(forward)) > most:
            worst, most = name, more
        reads |= {f"{send.service}.{send.operation}" for send in back if send.service in NOT_TARGETS}
    allowed = {
        "dynamodb.batch_get_item",
        "dynamodb.transact_write_items",
        "s3.get_object",
        "cloudwatch.describe_alarms",
    }
    beyond = sorted(reads - allowed)
    return Row(
        "P11",
        "calls of a rollback beyond the action's",
        "≤ 3",
        f"{most:+d} ({worst})" + (f"; reads {', '.join(beyond)}" if beyond else ""),
        most <= 3 and not beyond,
        "Rollback against Execute; beside its own record it reads the snapshot, the resource and the source alarm",
    )
