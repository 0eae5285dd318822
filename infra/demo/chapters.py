"""What Grace wrote about a contract, entry by entry, as lines for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grace.model.entry import Entry
from infra.cli.dossier import Dossier
from infra.demo.telling import Telling

Ask = Callable[[str, int, Telling], None]
"""Has somebody decide a contract within so many minutes, and says how in the telling."""


class Chapters:
    """Tells the entries of one contract."""

    def __init__(self, telling: Telling, ask: Ask) -> None:
        """Keep who listens, and who is asked when a person must decide."""
        self._telling = telling
        self._ask = ask
        self._seen: set[str] = set()
        self._tellers: dict[str, Callable[[dict[str, Any], Dossier], None]] = {
            "contract.drafted": self._drafted,
            "approval.requested": self._asked,
            "approval.vote": self._voted,
            "approval.approved": self._voted,
            "approval.rejected": self._voted,
            "contract.snapshotted": self._snapshotted,
            "contract.executing": self._executing,
            "contract.executed": self._executed,
            "contract.measured": self._measured,
            "contract.extended": self._extended,
            "contract.judged": self._judged,
            "contract.rolling_back": self._rolling_back,
            "contract.rolled_back": self._rolled_back,
            "contract.refused": self._troubled,
            "contract.safe_hold": self._troubled,
        }

    def tell(self, entry: Entry, found: Dossier) -> None:
        """Tell one entry; those that say nothing to a person are left out."""
        teller = self._tellers.get(entry.type)
        if teller:
            teller(entry.body, found)

    def _drafted(self, _body: dict[str, Any], found: Dossier) -> None:
        contract = found.contract
        self._telling.say(f"{contract.diagnosis.value}: {contract.playbook}, {len(contract.expect)} promises")
        self._telling.wait("for the preflight" if contract.tier > 1 else "for the snapshot")

    def _asked(self, body: dict[str, Any], found: Dossier) -> None:
        self._telling.say("preflight: it can run, so people may be disturbed")
        self._telling.say(f"asked {' and '.join(body['approvers'])}; {body['need']} must approve", "person")
        approval = found.approval
        minutes = int((approval.expires_at - approval.asked_at).total_seconds()) // 60 if approval else 0
        self._ask(found.head.contract_id, minutes, self._telling)

    def _voted(self, body: dict[str, Any], _found: Dossier) -> None:
        self._telling.say(f"{body['person']}: {body['decision']}, on digest {str(body['digest'])[:12]}", "person")

    def _snapshotted(self, body: dict[str, Any], _found: Dossier) -> None:
        self._telling.say(f"snapshot kept, SHA-256 {str(body['snapshot'])[:12]}…")

    def _executing(self, body: dict[str, Any], _found: Dossier) -> None:
        self._telling.say(str(body["what"]))

    def _executed(self, _body: dict[str, Any], found: Dossier) -> None:
        self._telling.wait(f"{found.contract.settle} s until the alarm can have judged the new state")

    def _measured(self, body: dict[str, Any], found: Dossier) -> None:
        phase = str(body.get("phase", ""))
        if phase in self._seen or not found.deciding:
            return
        self._seen.add(phase)
        for seen in found.deciding.observations:
            mark = "done" if seen.result == "passed" else "bad"
            was = found.before_action.get(seen.id)
            then = f", before the action {was.observed}" if was and was.samples else ""
            self._telling.say(f"{seen.predicate}: {seen.observed}{then}", mark)

    def _judged(self, body: dict[str, Any], _found: Dossier) -> None:
        self._telling.say(f"verdict: {body['verdict']}", "done" if body["verdict"] == "verified" else "bad")

    def _extended(self, _body: dict[str, Any], found: Dossier) -> None:
        self._telling.say("too little data to judge: measured once more", "note")
        self._telling.wait(f"{found.contract.settle} s for more data")

    def _rolling_back(self, _body: dict[str, Any], _found: Dossier) -> None:
        self._telling.say("the promise does not hold: putting it back", "bad")

    def _rolled_back(self, _body: dict[str, Any], found: Dossier) -> None:
        for seen in found.evidence["rollback"].observations:
            how = (
                f"{seen.supporting} of {seen.samples}"
                if seen.kind == "state"
                else f"{seen.expected}, now {seen.observed}"
            )
            self._telling.say(f"measured: {seen.predicate} ({how})")

    def _troubled(self, body: dict[str, Any], _found: Dossier) -> None:
        self._telling.say(str(body.get("reason", "it did not go as planned")), "bad")
