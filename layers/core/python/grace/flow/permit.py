"""What policy is told when it is asked: at drafting, and again directly before the act."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from grace.errors import GraceError
from grace.evidence.confidence import confidence
from grace.flow.loading import Loaded
from grace.flow.standing import WINDOW
from grace.model.approval import Person
from grace.model.base import Json, Model
from grace.model.contract import Contract, Mode
from grace.model.entry import Ref, ref
from grace.model.records import InFlight, KillSwitch, Lease, PlaybookStats, Standing
from grace.model.ruling import Seen
from grace.policy.calendar import moment
from grace.policy.questions import MANAGED
from grace.policy.ruling import bar, check, rule
from grace.ports import Services, View

if TYPE_CHECKING:
    from grace.actions.base import Action
    from grace.flow.looking import Look
    from grace.model.resource import Reach
    from grace.resources.base import Restorable


class Deed(NamedTuple):
    """What would be done, as its action sees it: the state now, and the absolute values."""

    act: Action[Model, Model, Model]
    state: Model
    parameters: Model


def record(playbook: str, diagnosis: str) -> tuple[Ref[PlaybookStats], Ref[Standing], Ref[InFlight]]:
    """Return the addresses of what policy is told of a playbook: its record, its standing, what acts now."""
    return ref(PlaybookStats, playbook, diagnosis), ref(Standing, playbook), ref(InFlight)


def drafted(
    contract: Contract, deed: Deed, tags: dict[str, str], view: View, services: Services, *, reach: Reach | None
) -> Contract:
    """Return the contract as policy allows it: its tier raised, its mode lowered, people barred; `view` has `record`.

    `reach` is None where it is not known, or no policy asks for it.

    In shadow nothing is asked that could refuse it: it never acts. What may pass before the act (a kill switch, a
    resource in safe-hold) is asked at the gate alone.

    Raises:
        Refused: `policy`.
        PolicyUnreadable: policy could not be asked.
    """
    if contract.mode is Mode.SHADOW:
        return contract
    now = _seen(contract, deed, view, services, contract.created_at).model_copy(update=_told_of(reach))
    ruled = rule(contract, now, tags, services.policy)
    asks = ruled.tier > 1 or ruled.mode is Mode.APPROVAL
    return bar(ruled, services.catalogue.directory.people, tags, services.policy) if asks else ruled


def still(loaded: Loaded, deed: Deed, tags: dict[str, str], services: Services) -> dict[str, Json]:
    """Ask policy again, as things are now; how far it is felt is that of the draft.

    Raises:
        Refused: `policy`, it is no longer allowed.
        PolicyUnreadable: policy could not be asked.
    """
    contract, view = loaded.contract, loaded.view
    lease, kill = view.get(ref(Lease, contract.resource.arn)), view.get(ref(KillSwitch))
    then = contract.policy.seen if contract.policy else Seen()
    standing = {"reach": then.reach, "dependents": then.dependents}
    standing |= {"hold": bool(lease and lease.hold), "kill_switch": bool(kill and kill.on)}
    now = _seen(contract, deed, view, services, loaded.at).model_copy(update=standing)
    by = check(contract, now, tags, services.policy)
    return {"by": list(by), "digest": services.policy.digest}


def asks_reach(contract: Contract, services: Services) -> bool:
    """Return whether policy is going to be asked about a contract, and by what its act is felt."""
    return contract.mode is not Mode.SHADOW and services.policy.looks_at_reach


def felt(contract: Contract, kind: Restorable[Any], look: Look, services: Services) -> Reach | None:
    """Return how far the contract's action is felt, or None when it cannot be read, which the log says."""
    try:
        return kind.reach(contract.resource, look.aws)
    except GraceError as exc:
        services.telemetry.trouble("the reach of a contract could not be read", exc, contract_id=contract.contract_id)
        return None


def _told_of(reach: Reach | None) -> dict[str, int | None]:
    if reach is None:
        return {}
    return {"reach": reach.count, "dependents": None if reach.dependents is None else len(reach.dependents)}


def admitted(people: Iterable[Person], contract: Contract, at: datetime, services: Services) -> tuple[Person, ...]:
    """Return who of these people may be called to decide, asked now: they may be in the people file since a later deploy.

    Who asked for the contract or caused it may not, nor whom policy forbids it, with the tags that the ruling kept. Under
    policies that came after the ruling it is not known which tags they would name, so nobody is called under those.

    Raises:
        PolicyUnreadable: policy could not be asked.
    """
    ruling = contract.policy
    if ruling is None or ruling.digest != services.policy.digest:
        return ()
    now = moment(services.catalogue.calendar, at)
    concerned = contract.concerned(services.catalogue.directory)
    seen = ruling.seen.model_copy(update={"weekday": now.weekday, "hour": now.hour, "minute": now.minute})
    asked = contract.model_copy(
        update={"policy": ruling.model_copy(update={"seen": seen}), "caused_by": tuple(concerned)}
    )
    free = [person for person in people if person.id not in {*concerned, *ruling.barred}]
    tags = {MANAGED: "true"} | ruling.tags
    found = bar(asked, free, tags, services.policy).policy
    return tuple(person for person in free if found and person.id not in found.barred)


def _seen(contract: Contract, deed: Deed, view: View, services: Services, at: datetime) -> Seen:
    stats_ref, standing_ref, flight_ref = record(contract.playbook, contract.diagnosis.value)
    stats, standing, flight = view.get(stats_ref), view.get(standing_ref), view.get(flight_ref)
    good, acted = (stats.lasted, stats.acted) if stats else (0, 0)
    now = moment(services.catalogue.calendar, at)
    others = set(flight.contracts) - {contract.contract_id} if flight else set()
    return Seen(
        confidence=int(1000 * confidence(good, acted)),
        acted=acted,
        failures=sum(at < end.at + WINDOW for end in standing.undone) if standing else 0,
        breaker_open=bool(standing and standing.opened_at),
        in_flight=len(others),
        removes=deed.act.removes(deed.state, deed.parameters),
        erases=deed.act.erases,
        **now.model_dump(),
    )
