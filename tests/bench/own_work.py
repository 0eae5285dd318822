"""P10: our own CPU of a whole remediation, in units of one stubbed AWS call."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.config import Config

from tests.bench.incident import SETTINGS, Incident, account
from tests.bench.report import NotMeasured, Row
from tests.bench.wire import Answer, Wire

PLAYBOOK = "roll_back_lambda_alias"
ROUNDS, CALLS = 9, 200
ONCE = ("aws", "policy", "rulebook")
"""Parts that a worker makes once: the clients, the policies as parsed, the rules as indexed."""


def measure() -> list[Row]:
    """Live it once, then again and again with AWS's answers played back: what is left is ours and botocore's."""
    with account():
        first = Incident(PLAYBOOK)
        first.live()
    answers = list(first.wire.answers)
    ours = theirs = fresh = float("inf")
    for _ in range(ROUNDS):
        ours = min(ours, _replayed(first, answers))
        fresh = min(fresh, _replayed(first, answers, once=()))
        theirs = min(theirs, _put_item())
    unit = len(answers) * theirs
    ratio, anew = ours / unit, fresh / unit
    sdk = _inside_botocore(first, answers) / unit
    return [
        Row(
            "P10",
            "own CPU of a tier 1 remediation",
            "≤ 1.5",
            f"{ratio:.2f}",
            ratio <= 1.5,
            f"all doors, warm, {len(answers)} calls answered from memory, against as many small put_item through the same"
            f" client; smallest of {ROUNDS}; {sdk:.2f} of it is botocore's own for these calls; {anew:.2f} where policies"
            " and rules are read anew",
            {"botocore": round(sdk, 3), "anew": round(anew, 3)},
        )
    ]


def _replayed(first: Incident, answers: list[Answer], once: tuple[str, ...] = ONCE) -> float:
    """The same once more, with what is there in a warm worker: the clients, and the parts named by `once`."""
    first.wire.replay(answers)
    incident = Incident(PLAYBOOK, wire=first.wire)
    incident.services.__dict__.update({part: getattr(first.services, part) for part in once})
    began = time.process_time()
    ends = incident.live()
    taken = time.process_time() - began
    left = len(first.wire.canned)
    if ends != ["SUCCEEDED"] or left:
        raise NotMeasured(f"played back it ends {ends} with {left} answers left: it is not deterministic")
    return taken


def _inside_botocore(first: Incident, answers: list[Answer]) -> float:
    """Return the CPU seconds of one run that pass inside botocore, whoever writes the code around it."""
    inside: list[float] = []
    call = BaseClient._make_api_call

    def timed(self: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        began = time.process_time()
        try:
            return call(self, operation, arguments)
        finally:
            inside.append(time.process_time() - began)

    sums = []
    with patch.object(BaseClient, "_make_api_call", timed):
        for _ in range(ROUNDS):
            inside.clear()
            _replayed(first, answers)
            sums.append(sum(inside))
    return min(sums)


def _put_item() -> float:
    """Return the CPU seconds of one stubbed call, serialised, signed, sent and parsed by botocore."""
    wire = Wire()
    client = wire.client("dynamodb", config=Config(retries={"total_max_attempts": 1, "mode": "standard"}))
    answer = Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, b"{}")
    wire.replay([answer] * (CALLS + 1))
    item = {"pk": {"S": "C#c-bench"}, "sk": {"S": "head"}, "doc": {"S": "x" * 500}}
    client.put_item(TableName=SETTINGS.state_table, Item=item)
    began = time.process_time()
    for _ in range(CALLS):
        client.put_item(TableName=SETTINGS.state_table, Item=item)
    return (time.process_time() - began) / CALLS
