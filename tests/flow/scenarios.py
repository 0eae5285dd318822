"""Every path through the definition, by name: the script, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grace.model.contract import Ticket
from grace.model.diagnosis import DiagnosisCode
from tests.flow.scripts import Fails, Gives, Line, Script, Silence

TICKET = Ticket(
    contract_id="c-abcdefghijklmnopqrstuvwxyz",
    mission_id="m-1",
    digest="0" * 64,
    corr="corr-1",
    resource="arn:aws:lambda:eu-central-1:123456789012:function:shop:live",
    playbook="roll_back_lambda_alias",
    diagnosis=DiagnosisCode.ELEVATED_ERRORS,
    mode="remediate",
    needs_approval=False,
    settle=0,
)
ASKING = TICKET.model_copy(update={"needs_approval": True})
UNDOING = TICKET.model_copy(update={"mode": "rollback", "attempt": 1})

START = ("Mode", "NeedsApproval")
ASK = (*START, "Preflight", "Ask", "Decided")
ACT = ("Snapshot", "Baseline", "Execute")
JUDGE = ("Settle", "Benchmark", "Verify", "Verdict")
UNDO = ("Rollback", "Close")


@dataclass(frozen=True)
class Scenario:
    """A script, the states it must enter, and what is left: status, verdict, caught error, calls of a step."""

    script: Script
    visited: tuple[str, ...]
    verdict: str = ""
    error: str | None = None
    status: str = "SUCCEEDED"
    calls: Mapping[str, int] = field(default_factory=dict)


def scripted(ticket: Ticket = TICKET, **lines: Line | tuple[Line, ...]) -> Script:
    """A script from lines by step; one line stands for all calls."""
    return Script(ticket, {step: each if isinstance(each, tuple) else (each,) for step, each in lines.items()})


# What each Task repeats when it meets it once: nothing happened, or a step can look before it acts again. A step's own
# timeout is repeated too, but no script can play one: `test_definition.py` reads that.
PASSING = (
    "Throttled",
    "Unavailable",
    "Conflict",
    "Busy",
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "AnswerLost",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
)

SCENARIOS: Mapping[str, Scenario] = {
    "verified": Scenario(scripted(), (*START, *ACT, *JUDGE, "Close"), verdict="verified"),
    "verified after approval": Scenario(scripted(ASKING), (*ASK, *ACT, *JUDGE, "Close"), verdict="verified"),
    "partial": Scenario(scripted(verify=Gives("partial")), (*START, *ACT, *JUDGE, "Close"), verdict="partial"),
    "worse": Scenario(scripted(verify=Gives("failed")), (*START, *ACT, *JUDGE, *UNDO), verdict="failed"),
    "worse after approval": Scenario(
        scripted(ASKING, verify=Gives("failed")), (*ASK, *ACT, *JUDGE, *UNDO), verdict="failed"
    ),
    "too little data": Scenario(
        scripted(verify=Gives("inconclusive")), (*START, *ACT, *JUDGE, *UNDO), verdict="inconclusive"
    ),
    "extended, then verified": Scenario(
        scripted(verify=(Gives("extend"), Gives("verified"))),
        (*START, *ACT, *JUDGE, *JUDGE, "Close"),
        verdict="verified",
    ),
    "extended, then failed": Scenario(
        scripted(verify=(Gives("extend"), Gives("failed"))), (*START, *ACT, *JUDGE, *JUDGE, *UNDO), verdict="failed"
    ),
    "preflight refuses": Scenario(
        scripted(ASKING, preflight=Fails("Refused")), (*START, "Preflight", "Close"), error="Refused"
    ),
    "nobody to ask": Scenario(
        scripted(ASKING, ask=Fails("Refused")), (*START, "Preflight", "Ask", "Close"), error="Refused"
    ),
    # A no, an expiry, a recovery meanwhile: whoever woke the workflow, the record says it.
    "denied": Scenario(scripted(ASKING, decided=Fails("Refused")), (*ASK, "Close"), error="Refused", calls={"ask": 1}),
    "expired, and nobody woke us": Scenario(
        scripted(ASKING, ask=Silence(), decided=Fails("Refused")), (*ASK, "Close"), error="Refused", calls={"ask": 1}
    ),
    "approved, and the wake-up was lost": Scenario(
        scripted(ASKING, ask=Silence()), (*ASK, *ACT, *JUDGE, "Close"), verdict="verified", error="States.Timeout"
    ),
    "ask repeats what passes": Scenario(
        scripted(ASKING, ask=(Fails("Conflict"), Gives())),
        (*ASK, *ACT, *JUDGE, "Close"),
        verdict="verified",
        calls={"ask": 2},
    ),
    "snapshot fails": Scenario(
        scripted(snapshot=Fails("IntegrityError")), (*START, "Snapshot", *UNDO), error="IntegrityError"
    ),
    "baseline fails": Scenario(
        scripted(baseline=Fails("AccessDenied")), (*START, "Snapshot", "Baseline", *UNDO), error="AccessDenied"
    ),
    "execute refuses": Scenario(
        scripted(execute=Fails("Refused")), (*START, *ACT, *UNDO), error="Refused", calls={"execute": 1}
    ),
    "execute fails for good": Scenario(
        scripted(execute=Fails("BadRequest")), (*START, *ACT, *UNDO), error="BadRequest", calls={"execute": 1}
    ),
    "execute fails with what nobody named": Scenario(
        scripted(execute=Fails("ZeroDivisionError")),
        (*START, *ACT, *UNDO),
        error="ZeroDivisionError",
        calls={"execute": 1},
    ),
    "execute fails twice, then succeeds": Scenario(
        scripted(execute=(Fails("Throttled"), Fails("Unavailable"), Gives())),
        (*START, *ACT, *JUDGE, "Close"),
        verdict="verified",
        calls={"execute": 3},
    ),
    "execute loses its answer for ever": Scenario(
        scripted(execute=Fails("AnswerLost")), (*START, *ACT, *UNDO), error="AnswerLost", calls={"execute": 3}
    ),
    # Each rule counts for itself: two lost answers leave the throttling its own four.
    "execute meets both kinds of trouble": Scenario(
        scripted(execute=(*[Fails("AnswerLost"), Fails("Throttled")] * 2, Gives())),
        (*START, *ACT, *JUDGE, "Close"),
        verdict="verified",
        calls={"execute": 5},
    ),
    "benchmark fails": Scenario(
        scripted(outcome=Fails("AccessDenied")),
        (*START, *ACT, "Settle", "Benchmark", *UNDO),
        error="AccessDenied",
    ),
    "verify fails": Scenario(
        scripted(verify=Fails("IntegrityError")),
        (*START, *ACT, "Settle", "Benchmark", "Verify", *UNDO),
        error="IntegrityError",
    ),
    "rollback fails twice, then succeeds": Scenario(
        scripted(verify=Gives("failed"), rollback=(Fails("Throttled"), Fails("AnswerLost"), Gives())),
        (*START, *ACT, *JUDGE, *UNDO),
        verdict="failed",
        calls={"rollback": 3},
    ),
    "rollback fails for ever": Scenario(
        scripted(verify=Gives("failed"), rollback=Fails("AnswerLost")),
        (*START, *ACT, *JUDGE, *UNDO),
        verdict="failed",
        error="AnswerLost",
        calls={"rollback": 7, "close": 1},
    ),
    "rollback fails after an error: the last word is the rollback's": Scenario(
        scripted(execute=Fails("BadRequest"), rollback=Fails("ThirdPartyChange")),
        (*START, *ACT, *UNDO),
        error="ThirdPartyChange",
        calls={"rollback": 1, "close": 1},
    ),
    "close fails": Scenario(
        scripted(close=Fails("AccessDenied")),
        (*START, *ACT, *JUDGE, "Close", "Unclosed"),
        status="FAILED",
        calls={"close": 1},
    ),
    "close fails for ever": Scenario(
        scripted(close=Fails("Lambda.Unknown")),
        (*START, *ACT, *JUDGE, "Close", "Unclosed"),
        status="FAILED",
        calls={"close": 7},
    ),
    "rolling back only": Scenario(scripted(UNDOING), ("Mode", *UNDO)),
    "rolling back only, and it fails": Scenario(
        scripted(UNDOING, rollback=Fails("StaleFence")), ("Mode", *UNDO), error="StaleFence"
    ),
} | {
    f"execute meets {error} once": Scenario(
        scripted(execute=(Fails(error), Gives())),
        (*START, *ACT, *JUDGE, "Close"),
        verdict="verified",
        calls={"execute": 2},
    )
    for error in PASSING
}
