"""The breaker per service: one that does not answer is left alone, and one contract at a time asks whether it is back."""

from __future__ import annotations

from datetime import datetime, timedelta

from grace.errors import Refused
from grace.model.records import Breaker

THRESHOLD = 5
"""So many failures in a row open it; a success in between starts the count again."""
RECOVERY = timedelta(seconds=30)
PROBE = timedelta(seconds=120)
"""How long one contract may probe before another may."""


def may_call(breaker: Breaker, contract: str, at: datetime, *, begun: bool) -> None:
    """Refuse a call while the service is left alone, or while another contract probes it.

    A contract that has `begun` does not probe: it may go on only while the breaker is closed, or as the probe it is.

    Raises:
        Refused: `breaker_open`.
    """
    if breaker.opened_at is None or breaker.probing == contract:
        return
    ready = breaker.opened_at + RECOVERY
    if at < ready or begun:
        raise Refused(
            "breaker_open", f"{breaker.service} has not answered; it is left alone, at least until {ready.isoformat()}"
        )
    if breaker.probing and breaker.probing_until and at < breaker.probing_until:
        raise Refused(
            "breaker_open", f"{breaker.service} has not answered; {breaker.probing} is finding out whether it is back"
        )


def probing(breaker: Breaker, contract: str, at: datetime) -> Breaker | None:
    """Return the breaker with this contract as its probe, to be written with the intent; None while it is closed."""
    if breaker.opened_at is None or breaker.probing == contract:
        return None
    return breaker.model_copy(update={"probing": contract, "probing_until": at + PROBE})


def failed(breaker: Breaker, contract: str, at: datetime) -> Breaker:
    """Return the breaker after one more failure; the threshold opens it, and so does a probe that failed."""
    failures = breaker.failures + 1
    opens = failures >= THRESHOLD or breaker.probing == contract
    update = {
        "failures": failures,
        "opened_at": at if opens else breaker.opened_at,
        "probing": "",
        "probing_until": None,
    }
    return breaker.model_copy(update=update)


def answered(breaker: Breaker) -> Breaker | None:
    """Return the closed breaker after a success, or None when it was closed and counted nothing."""
    if breaker.failures == 0 and breaker.opened_at is None:
        return None
    return breaker.model_copy(update={"failures": 0, "opened_at": None, "probing": "", "probing_until": None})
