"""All that is kept about one contract, read together: what `grace show` tells and the demo reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grace.errors import NotFound
from grace.model.approval import Approval, Vote
from grace.model.base import Item
from grace.model.contract import BeforeLine, Contract, ContractHead
from grace.model.entry import Entry, ref
from grace.model.mission import Mission
from grace.model.records import Evidence, GuardReading, Lease, Observation, Outcome, ShadowJudgement, Step
from grace.ports import Services
from infra.cli.errors import CommandError

AFTER_THE_ACTION = ("extended", "outcome")
"""The phases that decide, the later one first."""


@dataclass(frozen=True)
class Dossier:
    """A contract with its evidence, approval, steps, outcome and story."""

    head: ContractHead
    contract: Contract
    evidence: dict[str, Evidence]
    approval: Approval | None
    votes: tuple[Vote, ...]
    steps: tuple[Step, ...]
    outcome: Outcome | None
    shadow: ShadowJudgement | None
    lease: Lease | None
    story: tuple[Entry, ...]

    @property
    def deciding(self) -> Evidence | None:
        """The evidence the verdict was decided on, or will be."""
        return next((self.evidence[phase] for phase in AFTER_THE_ACTION if phase in self.evidence), None)

    @property
    def observed(self) -> dict[str, Observation]:
        """What was measured after the action, by the expectation's id."""
        return {seen.id: seen for seen in self.deciding.observations} if self.deciding else {}

    @property
    def before_action(self) -> dict[str, BeforeLine]:
        """What each promised series said directly before the action, by the expectation's id."""
        acted = next((step.baseline for step in self.steps if step.baseline), None)
        return {line.id: line for line in acted.lines} if acted else {}

    @property
    def guards(self) -> tuple[GuardReading, ...]:
        """The guards as they were judged."""
        return self.deciding.guards if self.deciding else ()

    def document(self) -> dict[str, Any]:
        """Return it as JSON; the sealed task token stays where it is."""

        def plain(item: Item | Entry | None, **options: Any) -> Any:
            return None if item is None else item.model_dump(mode="json", **options)

        return {
            "contract": plain(self.contract),
            "head": plain(self.head),
            "evidence": {phase: plain(found) for phase, found in self.evidence.items()},
            "approval": plain(self.approval, exclude={"task_token"}),
            "votes": [plain(vote) for vote in self.votes],
            "steps": [plain(step) for step in self.steps],
            "outcome": plain(self.outcome),
            "shadow": plain(self.shadow),
            "lease": plain(self.lease),
            "story": [plain(entry) for entry in self.story],
        }


def dossier(name: str, services: Services) -> Dossier:
    """Return everything about a contract, named by its id or by its mission's.

    Raises:
        CommandError: there is no such contract, or the mission has none.
    """
    key = _contract_of(name, services)
    head_ref, body_ref, outcome_ref = ref(ContractHead, key), ref(Contract, key), ref(Outcome, key)
    shadow_ref = ref(ShadowJudgement, key)
    view = services.store.read(head_ref, body_ref, outcome_ref, shadow_ref)
    head, contract = view.get(head_ref), view.get(body_ref)
    if head is None or contract is None:
        raise CommandError(f"There is no contract {name}: `grace missions` lists what is open.")
    lease_ref = ref(Lease, head.resource)
    approval = None
    if head.generation:
        approval_ref = ref(Approval, key, str(head.generation))
        approval = services.store.read(approval_ref).get(approval_ref)
    return Dossier(
        head=head,
        contract=contract,
        evidence={found.phase: found for found in services.store.members(Evidence, key)},
        approval=approval,
        votes=tuple(services.store.members(Vote, key)),
        steps=tuple(services.store.members(Step, key)),
        outcome=view.get(outcome_ref),
        shadow=view.get(shadow_ref),
        lease=services.store.read(lease_ref).get(lease_ref),
        story=tuple(services.store.story(key)),
    )


def _contract_of(name: str, services: Services) -> str:
    if name.startswith("c-"):
        return name
    if not name.startswith("m-"):
        raise CommandError(f"{name!r} is no contract: one begins with c-, and `grace missions` lists what is open.")
    mission_ref = ref(Mission, name)
    try:
        mission = services.store.read(mission_ref).need(mission_ref)
    except NotFound as exc:
        raise CommandError(f"There is no mission {name}: `grace missions` lists what is open.") from exc
    if mission.contract_id is None:
        why = f": {mission.reason}" if mission.reason else ""
        raise CommandError(f"Mission {name} is {mission.status.value} and has no contract{why}.")
    return mission.contract_id
