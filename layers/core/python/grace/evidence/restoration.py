"""The rollback's own verdict: every field is back, and the alarm stands no worse than when the action was decided."""

from __future__ import annotations

from typing import Literal

Result = Literal["passed", "failed", "inconclusive"]
Restoration = Literal["verified", "failed", "inconclusive"]


def no_worse(before: str, after: str) -> tuple[Result, str]:
    """Judge an alarm's state after the restoration against the one when the action was decided, with a reason.

    Both are CloudWatch's words (OK, ALARM, INSUFFICIENT_DATA), or empty when the alarm could not be read. What is OK
    now is no worse than anything. ALARM now is the same where it was ALARM before, worse where CloudWatch said
    otherwise, and nobody knows where it said nothing. Anything else now is no measurement, so it shows nothing: not
    even that an alarm which was in ALARM got no worse.
    """
    if after == "OK":
        return "passed", ""
    if after == "ALARM" and before == "ALARM":
        return "passed", ""
    if after == "ALARM" and before:
        return "failed", f"it is in ALARM and was {before} when the action was decided"
    if after == "ALARM":
        return "inconclusive", "it is in ALARM, and how it stood when the action was decided is not known"
    return "inconclusive", "it has too little data to be in any state" if after else "it could not be read"


def judge(fields: Result, alarm: Result | None) -> Restoration:
    """Return the verdict over both; `alarm` is None where the contract has none, and the fields decide alone."""
    results = {fields, alarm} - {None}
    if "failed" in results:
        return "failed"
    return "verified" if results == {"passed"} else "inconclusive"
