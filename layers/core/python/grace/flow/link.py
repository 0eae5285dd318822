"""An approval link: what it opens, how it stands, and a decision made through it. Opening one never changes anything."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from grace.errors import NotFound
from grace.flow.answer import Answer, cast
from grace.flow.loading import Loaded, advance, contended, load, ticket_for
from grace.model.approval import Approval, ApprovalStatus, Decision, LinkTries, Person, Via, Vote
from grace.model.contract import Contract, ContractHead, ContractStatus
from grace.model.entry import EntryDraft, Ref, ref
from grace.model.link import InvalidLink, Link, approver_bytes, decode, message
from grace.model.preview import Preview
from grace.model.records import Evidence, PlaybookStats
from grace.model.resource import ResourceRef
from grace.ports import Services

MOST_FAILURES = 10
"""So many wrong challenges make a link void."""
CODE_LENGTH = 4


class Standing(StrEnum):
    """How a link stands. Only `open` takes a decision."""

    OPEN = "open"
    VOTED = "voted"
    """Its person has decided."""
    DECIDED = "decided"
    """Others have decided."""
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    """What it asked about is over: the alarm recovered, or the contract was refused."""
    REISSUED = "reissued"
    """A newer mail took its place."""
    VOID = "void"
    """Too many wrong challenges."""
    NOT_YOURS = "not_yours"
    """Its person asked for the change or caused it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What an authentic link opens, as read at one moment."""

    link: Link
    person: Person
    standing: Standing
    loaded: Loaded
    approval: Approval
    votes: tuple[Vote, ...]
    tries_left: int
    preview: Preview | None = None
    stats: PlaybookStats | None = None
    preflight: Evidence | None = None
    names: dict[str, str] = field(default_factory=dict)
    """What the people who may decide are called, by id."""

    @property
    def contract(self) -> Contract:
        """The contract as it stands on the server."""
        return self.loaded.contract

    @property
    def at(self) -> datetime:
        """When it was read."""
        return self.loaded.at

    @property
    def mine(self) -> Vote | None:
        """The vote of the link's person."""
        return next((vote for vote in self.votes if vote.person == self.person.id), None)

    @property
    def signs_in(self) -> bool:
        """Whether the link alone is not enough: at tier 3 the person signs in as well."""
        return self.approval.tier == 3


class Challenge(NamedTuple):
    """What a person types, so that no machine that follows links can decide."""

    code: str
    target: str

    def answered(self, code: str, target: str) -> bool:
        """Return whether both were typed; case and outer blanks do not matter."""
        return (code.strip().casefold(), target.strip().casefold()) == (self.code.casefold(), self.target.casefold())


def challenge_of(contract: Contract) -> Challenge:
    """Return the end of the contract's id and the name of its target."""
    return Challenge(contract.contract_id[-CODE_LENGTH:], target_name(contract.resource))


def target_name(resource: ResourceRef) -> str:
    """Return what people call the resource: the end of its path, for example `shop:live`."""
    return resource.path.rsplit("/", 1)[-1] if "/" in resource.path else resource.path.partition(":")[2]


def open_link(token: str, services: Services) -> Opened:
    """Prove that a link is ours and say how it stands. Reads only.

    The form is checked first, then the record is read, then the proof is checked, then the times: only what is proved
    is told apart, so a link of ours that has expired is `EXPIRED`, and a forged one is nothing, whatever time it says.

    Raises:
        NotFound: always in the same words: malformed, unknown, forged, or for other people or another digest.
    """
    try:
        link, mac = decode(token)
    except InvalidLink:
        raise _unknown() from None
    loaded, approvals = _read(link, services)
    approval = next((each for each in approvals if _proved(link, mac, each, services)), None)
    person = _approver(link, approval, services) if approval else None
    if approval is None or person is None or bytes.fromhex(approval.digest)[: len(link.digest)] != link.digest:
        raise _unknown()
    tries_ref = ref(LinkTries, link.contract_id, person.id)
    tries = services.store.read(tries_ref).get(tries_ref)
    used = tries.failures if tries and tries.generation == approval.generation else 0
    votes = tuple(services.store.members(Vote, link.contract_id))
    opened = Opened(
        link=link,
        person=person,
        standing=Standing.OPEN,
        loaded=loaded,
        approval=approval,
        votes=votes,
        tries_left=max(0, MOST_FAILURES - used),
        preview=loaded.view.get(ref(Preview, link.contract_id)),
        stats=loaded.view.get(_record(loaded.contract)),
        preflight=loaded.view.get(ref(Evidence, link.contract_id, "preflight")),
        names={p.id: p.name for p in services.catalogue.directory.people if p.id in approval.approvers},
    )
    return replace(opened, standing=_standing(opened))


def _unknown() -> NotFound:
    return NotFound("there is no such link")


def _read(link: Link, services: Services) -> tuple[Loaded, list[Approval]]:
    """Return the contract a link names, its approvals from the newest generation back, and what is shown beside it."""
    key = link.contract_id
    head_ref, body_ref = ref(ContractHead, key), ref(Contract, key)
    first = services.store.read(head_ref, body_ref)
    head, contract = first.get(head_ref), first.get(body_ref)
    if head is None or contract is None:
        raise _unknown()
    approval_refs = [ref(Approval, key, str(generation)) for generation in range(head.generation, 0, -1)]
    ticket = ticket_for(contract, needs_approval=True)
    shown = (ref(Preview, key), ref(Evidence, key, "preflight"), _record(contract))
    loaded = load(ticket, services, *approval_refs, *shown)
    return loaded, [found for where in approval_refs if (found := loaded.view.get(where))]


def _record(contract: Contract) -> Ref[PlaybookStats]:
    return ref(PlaybookStats, contract.playbook, contract.diagnosis.value)


def _proved(link: Link, mac: bytes, approval: Approval, services: Services) -> bool:
    """Whether the MAC is that of this link for this generation; a generation without links has no key."""
    if not approval.key_id:
        return False
    return services.macs.verify(message(link, approval.generation), mac, approval.key_id)


def _approver(link: Link, approval: Approval, services: Services) -> Person | None:
    people = (services.catalogue.directory.by_id(name) for name in approval.approvers)
    return next((person for person in people if person and approver_bytes(person.id) == link.approver), None)


def _standing(opened: Opened) -> Standing:  # noqa: PLR0911  a table of what takes precedence, read from above
    approval, head = opened.approval, opened.loaded.head
    if opened.mine:
        return Standing.VOTED
    if approval.status in {ApprovalStatus.APPROVED, ApprovalStatus.REJECTED}:
        return Standing.DECIDED
    if approval.generation < head.generation:
        return Standing.REISSUED
    if approval.status is ApprovalStatus.EXPIRED or head.status is ContractStatus.EXPIRED:
        return Standing.EXPIRED
    if approval.status is not ApprovalStatus.PENDING or head.status is not ContractStatus.AWAITING_APPROVAL:
        return Standing.SUPERSEDED
    if opened.at >= min(approval.expires_at, opened.link.expires_at):
        return Standing.EXPIRED
    if opened.person.id in approval.excluded:
        return Standing.NOT_YOURS
    return Standing.OPEN if opened.tries_left else Standing.VOID


def decide_by_link(opened: Opened, decision: Literal["approve", "reject"], services: Services, *, via: Via) -> Answer:
    """Record the decision of the link's person, on the digest and the generation that the link is for.

    Raises:
        Refused: as `answer`, also when the link did not stand open any more at the moment of writing.
        Conflict: the record stayed contended; nothing was recorded.
    """
    wanted = Decision(contract_id=opened.contract.contract_id, decision=decision, digest=opened.approval.digest)
    return cast(wanted, opened.person, services, via=via, generation=opened.approval.generation)


def voted(opened: Opened, answer: Answer) -> Opened:
    """Return the link as it stands after its person's vote, from what was written: nothing is read that could fail."""
    approval = opened.approval.model_copy(update={"status": answer.status})
    return replace(opened, standing=Standing.VOTED, approval=approval, votes=answer.votes)


def fail(opened: Opened, services: Services, *, entry: str = "approval.challenge_failed", **said: str) -> int:
    """Count a wrong challenge in the record, with an entry, and return how many are left. The tenth voids the link."""

    def count() -> int:
        key, person, generation = opened.contract.contract_id, opened.person.id, opened.approval.generation
        where = ref(LinkTries, key, person)
        loaded = load(ticket_for(opened.contract, needs_approval=True), services, where)
        tries = loaded.view.get(where) or LinkTries(contract_id=key, person=person, generation=generation)
        used = tries.failures if tries.generation == generation else 0
        if used >= MOST_FAILURES or loaded.head.status is not ContractStatus.AWAITING_APPROVAL:
            return MOST_FAILURES - min(used, MOST_FAILURES)
        after = tries.model_copy(update={"generation": generation, "failures": used + 1})
        body = {"person": person, "generation": generation, "failures": used + 1, **said}
        advance(
            services,
            loaded,
            loaded.head,
            door="answer",
            command=("failed", person, str(generation), str(used + 1)),
            entries=[EntryDraft(type=entry, body=body)],
            items=[after],
            actor=f"link:{person}",
        )
        return MOST_FAILURES - used - 1

    return contended(count, services)
