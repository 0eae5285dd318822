"""What the page says when there is nothing (more) to decide: one sentence what is so, one what to do now."""

from __future__ import annotations

from grace.flow.link import Opened, Standing
from grace.model.approval import ApprovalStatus
from grace.web.pages import Notice
from grace.web.views import Facts, Voter, barred_for

MISSING = Notice(
    "There is nothing here",
    ("This address leads nowhere. If it came from a mail, open it again from there: a link is long, and easily cut.",),
)
TRY_AGAIN = Notice(
    "Please try again", ("Something did not answer in time. Nothing was decided. Try once more in a minute.",)
)
UNKNOWN = Notice(
    "Please look again",
    ("Something did not answer in time, and your decision may have been recorded. Open the link again: it says so.",),
    mark="wait",
)
NOT_SIGNED_IN = Notice(
    "You are not signed in",
    ("The sign-in did not succeed, or took too long. Nothing was decided. Open the link in your mail again.",),
)
OTHER_PERSON = Notice(
    "This link is not yours",
    ("You signed in as somebody else than the person this link was sent to. It was noted, and nothing was decided.",),
    mark="bad",
)

STATUS = {
    Standing.OPEN: 200,
    Standing.VOTED: 200,
    Standing.DECIDED: 409,
    Standing.EXPIRED: 410,
    Standing.SUPERSEDED: 410,
    Standing.REISSUED: 410,
    Standing.VOID: 410,
    Standing.NOT_YOURS: 403,
}
"""The HTTP status of each standing."""


def notice(opened: Opened, facts: Facts, *, recorded: bool = False, otherwise: bool = False) -> Notice:
    """Return what to say of a link that does not stand open.

    `recorded`: the vote was written just now. `otherwise`: the opposite was tried after an earlier vote.
    """
    title, lines, mark = _said(opened, facts, recorded=recorded, otherwise=otherwise)
    about = (
        ("Proposal", facts.question),
        ("Target", facts.arn),
        ("Decided", _who(facts.voters)),
        ("Contract", facts.contract_id),
    )
    needs_command = opened.standing in {Standing.VOID, Standing.SUPERSEDED}
    return Notice(title, lines, mark, f"grace show {facts.contract_id}" if needs_command else "", about)


def _said(opened: Opened, facts: Facts, *, recorded: bool, otherwise: bool) -> tuple[str, tuple[str, ...], str]:
    if opened.standing is Standing.VOTED:
        return _voted(opened, facts, recorded=recorded, otherwise=otherwise)
    if opened.standing is Standing.DECIDED and opened.approval.status is ApprovalStatus.APPROVED:
        return "Already approved", ("Others have decided, and that is enough. Your decision is not needed.",), "good"
    if opened.standing is Standing.EXPIRED:
        return "Too late", (f"The time to decide ended on {facts.until}. Nothing was done.",), "wait"
    if opened.standing is Standing.NOT_YOURS:
        why = _BARRED[barred_for(opened.contract, opened.person.id)]
        return "You may not decide this", (f"{why} Somebody else decides.",), "bad"
    if opened.standing in _FIXED:
        return _FIXED[opened.standing]
    reason = opened.loaded.head.reason
    lines = ("There is nothing to decide any more, and nothing was done.", *((_sentence(reason),) if reason else ()))
    return "No longer needed", lines, "good"


_FIXED: dict[Standing, tuple[str, tuple[str, ...], str]] = {
    Standing.DECIDED: ("Already rejected", ("Somebody has rejected this. Nothing will be done.",), "bad"),
    Standing.REISSUED: (
        "There is a newer mail",
        ("You were asked again, and this link was closed. Use the newest mail.",),
        "wait",
    ),
    Standing.VOID: (
        "This link is closed",
        ("It was answered wrongly ten times. You can still decide with grace decide; if it was not you, say so.",),
        "bad",
    ),
}
_BARRED = {
    "asked for it": "You asked for this change.",
    "made the change before it": "You made the change that this one answers to.",
    "policy says so": "Policy does not let you decide it.",
}


def _voted(opened: Opened, facts: Facts, *, recorded: bool, otherwise: bool) -> tuple[str, tuple[str, ...], str]:
    approves = bool(opened.mine and opened.mine.decision == "approve")
    word = "approved" if approves else "rejected"
    if otherwise:
        return f"You have {word} this already", ("A decision is final. Nothing was changed.",), "wait"
    title = f"You {word} this" if recorded else f"Already recorded: you {word} this"
    return title, (_what_next(opened, facts, approves=approves),), "good" if approves else "bad"


def _what_next(opened: Opened, facts: Facts, *, approves: bool) -> str:
    if opened.approval.status is ApprovalStatus.PENDING:
        missing = facts.need - facts.have
        return f"{missing} more {'person has' if missing == 1 else 'people have'} to approve before anything is done."
    if opened.approval.status is ApprovalStatus.REJECTED:
        return "Nothing will be done." if not approves else "Somebody else has rejected it, so nothing will be done."
    return "It is checked once more, done, and measured. You can close this page."


def _who(voters: tuple[Voter, ...]) -> str:
    said = [f"{voter.name} {voter.said}" for voter in voters if voter.when]
    return ", ".join(said) or "nobody yet"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
