"""How far a playbook may go just now: the lowest of its configuration, a person's demotion and its breaker."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from grace.errors import Refused
from grace.model.contract import Contract, ContractStatus, Mode
from grace.model.entry import EntryDraft
from grace.model.records import Demotion, Standing, Undone
from grace.ports import Services

if TYPE_CHECKING:
    from grace.model.catalogue import Catalogue

THRESHOLD = 3
"""So many bad ends inside the window open a playbook's breaker."""
WINDOW = timedelta(hours=24)
"""It slides: a bad end counts until exactly so long after it, whatever the day."""
BAD_ENDS = frozenset({ContractStatus.ROLLED_BACK, ContractStatus.SAFE_HOLD})
"""What counts, once the action was begun; a fix that did not last (a relapse) counts too."""
_ORDER = (Mode.SHADOW, Mode.APPROVAL, Mode.AUTONOMOUS)


class Effective(NamedTuple):
    """The mode that counts, and in a sentence what lowered it; `why` is empty when it is as configured."""

    mode: Mode
    configured: Mode
    code: str = ""
    why: str = ""


def lowest(modes: Iterable[Mode]) -> Mode:
    """Return the mode that may least; `shadow` may less than `approval`, and that less than `autonomous`."""
    return min(modes, key=_ORDER.index)


def in_force(standing: Standing | None, catalogue: Catalogue) -> Demotion | None:
    """Return the demotion that counts: one stays in force until the deployed configuration names it as lifted."""
    if standing is None or standing.demotion is None:
        return None
    lifted = catalogue.lifted.get(standing.playbook) == standing.demotion.id
    return None if lifted else standing.demotion


def effective(playbook: str, standing: Standing | None, catalogue: Catalogue) -> Effective:
    """Return the playbook's mode as it stands: an open breaker is `shadow`, a demotion at most what it says."""
    configured = catalogue.mode(playbook)
    if standing and standing.opened_at and configured is not Mode.SHADOW:
        told = (
            f"the breaker of {playbook} is open since {standing.opened_at.isoformat()}: "
            f"{', '.join(end.contract_id for end in standing.undone)}; a person closes it with grace close-breaker"
        )
        return Effective(Mode.SHADOW, configured, "playbook_breaker", told)
    demotion = in_force(standing, catalogue)
    if demotion and lowest((demotion.to, configured)) is not configured:
        told = f"{demotion.by} demoted {playbook} to {demotion.to.value} ({demotion.id}): {demotion.reason}"
        return Effective(demotion.to, configured, "demoted", told)
    return Effective(configured, configured)


def may_act(contract: Contract, standing: Standing | None, catalogue: Catalogue, *, asked: bool) -> None:
    """Refuse an action whose playbook may less now than when the contract was drafted; `asked`: people approved it.

    Raises:
        Refused: `playbook_breaker`, `demoted`, or `shadow` when a deploy lowered the mode meanwhile.
    """
    now = effective(contract.playbook, standing, catalogue)
    if now.mode is Mode.SHADOW or (now.mode is Mode.APPROVAL and not asked):
        raise Refused(now.code or "shadow", now.why or f"{contract.playbook} is configured {now.mode.value} by now")


def bad_end(standing: Standing | None, playbook: str, contract: str, at: datetime) -> Standing:
    """Return the standing after one more bad end. The same contract never counts twice; three in the window open it."""
    standing = standing or Standing(playbook=playbook)
    others = (end for end in standing.undone if end.contract_id != contract and at < end.at + WINDOW)
    undone = (*others, Undone(contract_id=contract, at=at))
    opens = standing.opened_at is None and len(undone) >= THRESHOLD
    # While it is open nothing new begins: only what was in flight can still be added, so this stays small.
    return standing.model_copy(update={"undone": undone, "opened_at": at if opens else standing.opened_at})


def opened(before: Standing | None, after: Standing) -> bool:
    """Return whether this change opened the breaker."""
    return after.opened_at is not None and (before is None or before.opened_at is None)


def entry_of(after: Standing) -> EntryDraft:
    """Return what the log says when a breaker opens, in the transaction that opens it."""
    return EntryDraft(
        type="playbook.breaker_opened",
        body={"playbook": after.playbook, "because_of": [end.contract_id for end in after.undone]},
    )


def tell(after: Standing, services: Services) -> None:
    """Tell people that a breaker opens; before it is written, so twice rather than never."""
    facts = {"playbook": after.playbook, "contracts": ", ".join(end.contract_id for end in after.undone)}
    services.messages.publish("playbook.breaker_opened", facts)
    services.messages.notify(
        "critical",
        f"breaker open: {after.playbook}"[:100],
        f"What happened: {len(after.undone)} contracts of {after.playbook} ended badly within 24 hours:"
        f" {facts['contracts']}\n"
        "What Grace did: opened the playbook's breaker. It begins nothing new; what is to be undone is still undone.\n"
        f"What next: look at them with grace show, then grace close-breaker {after.playbook} --reason ...",
    )
