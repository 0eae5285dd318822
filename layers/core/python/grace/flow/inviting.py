"""Write to approvers: one link and one letter for each who may decide, and no way to decide without the link's page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from grace.errors import PermanentError
from grace.model.approval import Approval, Person
from grace.model.asked import Asked
from grace.model.contract import Contract
from grace.model.entry import ref
from grace.model.link import encode, link_of, message
from grace.model.log import AuditPin
from grace.model.shown import shown
from grace.model.wording import promise
from grace.ports import Letter, Services, View

NAME, SENTENCE = 120, 400
"""How much of a name and of a sentence is shown; what is cut is cut visibly, and the page has the whole ARN."""
DIGEST_SHOWN = 16
MOST_VALUES = 12


class Invited(NamedTuple):
    """Who was written to, with links that which key proves; and whose letter was refused."""

    mailed: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    key_id: str = ""

    def and_(self, other: Invited) -> Invited:
        """Return both together."""
        return Invited(self.mailed + other.mailed, self.unreached + other.unreached, other.key_id or self.key_id)


def may_decide(approval: Approval, services: Services) -> tuple[Person, ...]:
    """Return the people of the approval who are in the directory and not excluded, in the approval's order."""
    found = (services.catalogue.directory.by_id(name) for name in approval.approvers)
    return tuple(person for person in found if person and person.id not in approval.excluded)


def checkpoint_in(view: View) -> str:
    """Return the checkpoint that the verifier checked last, read with everything else; nothing before its first run."""
    pin = view.get(ref(AuditPin))
    return pin.note if pin else ""


def invite(
    contract: Contract,
    approval: Approval,
    people: Iterable[Person],
    services: Services,
    *,
    at: datetime,
    again: str = "",
    checkpoint: str = "",
) -> Invited | None:
    """Send each of the people who has an address one letter with one link of their own.

    Each letter carries `checkpoint`. A letter that is refused stops no other; whom it was for is told to the caller. Without a configured sender nobody
    is written to. Nothing of a link is kept, logged or told to anybody but its person.

    Returns:
        Who was written to and who was not reached; None when the key makes no links: then nobody was written to, and
        nothing is known of anybody's mailbox.

    Raises:
        TransientError: mail or key could not answer; done again, some people have two letters with equal links.
    """
    addressed = [person for person in people if person.mail]
    if not services.mail.base_url or not addressed:
        return Invited()
    mailed: list[str] = []
    unreached: list[str] = []
    try:
        links, key_id = _links(contract, approval, addressed, services)
    except PermanentError as exc:
        services.telemetry.trouble("the key makes no links", exc)
        return None
    for person in addressed:
        try:
            asked = _asked(contract, approval, person, services, at)
            asked = asked.model_copy(update={"link": links[person.id], "again": again, "checkpoint": checkpoint})
            subject, text, html = services.letters.approval(asked)
            tags = {"contract": contract.contract_id, "person": person.id}
            services.mail.send(Letter(person.mail, subject, text, html, tags))
        except PermanentError as exc:
            services.telemetry.trouble("mail", exc, person=person.id)
            unreached.append(person.id)
        else:
            mailed.append(person.id)
    return Invited(tuple(mailed), tuple(unreached), key_id)


def _links(
    contract: Contract, approval: Approval, people: Iterable[Person], services: Services
) -> tuple[dict[str, str], str]:
    """Return each person's link, and the key that proves them; all are made before the first letter goes."""
    links: dict[str, str] = {}
    key_id = ""
    for person in people:
        link = link_of(contract.contract_id, person.id, approval.digest, approval.expires_at)
        mac, key_id = services.macs.generate(message(link, approval.generation))
        links[person.id] = f"{services.mail.base_url}/a/{encode(link, mac)}"
    return links, key_id


def _asked(contract: Contract, approval: Approval, person: Person, services: Services, at: datetime) -> Asked:
    owner = contract.owner
    names = [each.name for each in may_decide(approval, services) if each.id != person.id]
    parameters = list(contract.action.parameters.items())[:MOST_VALUES]
    return Asked(
        person=shown(person.name, NAME),
        link="",
        contract=contract.contract_id,
        digest=approval.digest[:DIGEST_SHOWN],
        tier=approval.tier,
        need=approval.need,
        playbook=contract.playbook,
        target=shown(contract.resource.path, NAME),
        arn=contract.resource.arn,
        owner="" if owner.kind == "none" else shown(f"{owner.kind} {owner.name}", NAME),
        reason=shown(contract.reason, SENTENCE),
        action=shown(contract.action.use.replace("_", " "), NAME),
        values=tuple((shown(str(key), NAME), shown(str(value), NAME)) for key, value in parameters),
        promises=tuple(shown(promise(line), SENTENCE) for line in contract.expect),
        undo=shown(contract.undo_text, SENTENCE),
        cost="" if contract.cost_per_hour is None else f"{contract.cost_per_hour:+.4f} USD an hour",
        expires=approval.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
        minutes=max(0, round((approval.expires_at - at).total_seconds() / 60)),
        others=tuple(shown(name, NAME) for name in names),
    )
