"""How far each playbook may go, and what it has shown: the record on which people raise or lower its mode."""

from __future__ import annotations

from collections import Counter

from grace.evidence.confidence import confidence
from grace.flow.standing import effective
from grace.model.base import Model
from grace.model.contract import Mode
from grace.model.entry import ref
from grace.model.records import PlaybookStats, ShadowResult, Standing
from grace.ports import Services


class Autonomy(Model):
    """One playbook. Counts are of contracts that acted; `bound` is None without any, which is not the same as 0."""

    playbook: str
    tier: int
    configured: Mode
    mode: Mode
    because: str
    acted: int
    verified: int
    lasted: int
    partial: int
    rolled_back: int
    safe_hold: int
    bound: float | None
    """The one-sided 95 % lower bound (Wilson) of the share of acts that were verified and lasted, in [0, 1]."""
    shadow: dict[ShadowResult, int]
    speaks: dict[str, int]
    """How many of those judged in shadow speak `for` acting, `against` it, and `neither`."""


def autonomy(services: Services) -> tuple[Autonomy, ...]:
    """Return every playbook of the catalogue, by name."""
    return tuple(_of(name, tier, services) for name, tier in sorted(_tiers(services).items()))


def _tiers(services: Services) -> dict[str, int]:
    return {each.spec.name: each.spec.tier for each in services.catalogue.playbooks}


def _of(name: str, tier: int, services: Services) -> Autonomy:
    where = ref(Standing, name)
    now = effective(name, services.store.read(where).get(where), services.catalogue)
    found = services.store.members(PlaybookStats, name)
    acted, lasted = sum(each.acted for each in found), sum(each.lasted for each in found)
    shadow: Counter[ShadowResult] = Counter()
    speaks: Counter[str] = Counter()
    for each in found:
        shadow.update(each.shadow)
    for result, count in shadow.items():
        speaks[result.speaks] += count
    return Autonomy(
        playbook=name,
        tier=tier,
        configured=now.configured,
        mode=now.mode,
        because=now.why or _as_configured(name, services),
        acted=acted,
        verified=sum(each.verified for each in found),
        lasted=lasted,
        partial=sum(each.partial for each in found),
        rolled_back=sum(each.rolled_back for each in found),
        safe_hold=sum(each.safe_hold for each in found),
        bound=confidence(lasted, acted) if acted else None,
        shadow=dict(shadow),
        speaks=dict(speaks),
    )


def _as_configured(name: str, services: Services) -> str:
    return "as configured" if name in services.catalogue.modes else "nobody has configured more"
