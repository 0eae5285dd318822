"""What must be so when a scene has come to its end, whatever went wrong on the way. Each breach is one sentence."""

from __future__ import annotations

from typing import Any

from grace.errors import GraceError
from grace.flow.gate import read_snapshot
from grace.ledger.lanes import check_lane
from grace.ledger.replay import replay
from grace.model.contract import ContractHead, ContractStatus, Undo
from grace.model.entry import ref
from grace.model.mission import Mission, MissionStatus
from grace.model.records import Evidence, Expiry, InFlight, Lease
from grace.stores.keys import entry
from tests.support.life import Life, items_of
from tests.support.scenes import Scene

KEPT = {ContractStatus.VERIFIED, ContractStatus.PARTIAL}


def broken(life: Life) -> list[str]:
    """Return every breach: orphans, doubled or naked effects, holes in the log, a success that nobody measured."""
    scene = life.scene
    found = [f"{what} is left open after {life.sweeps} sweeps" for what in life.open()]
    found += [f"{each} is left to be drafted" for each in scene.messages.drafts]
    found += [
        f"the lease of {x.resource} is left with {x.owner}" for x in items_of(scene, Lease) if x.owner and not x.hold
    ]
    found += [f"{x.contracts} are left in flight" for x in items_of(scene, InFlight) if x.contracts]
    found += _log(scene) + scene.naked
    heads: list[ContractHead] = items_of(scene, ContractHead)
    if len(heads) > 1:
        found.append(f"{len(heads)} contracts were drafted for one alert")
    for head in heads:
        found += _ended(scene, head) + _effects(scene, head) + _measured(scene, head)
    if not heads and scene.effects.made:
        found.append(f"{scene.effects.made} happened without a contract")
    return found


def _log(scene: Scene) -> list[str]:
    """I1, I3, I10: every lane whole, every head as its entries say."""
    found: list[str] = []
    state = scene.state
    for lane, head in state._lane_heads.items():
        found += check_lane(head, [state._entries[entry(lane, n + 1)] for n in range(head.n)])
    for kind in (ContractHead, Mission):
        for stored in items_of(scene, kind):
            try:
                replayed = replay(kind, state.story(stored.stream))
            except GraceError as exc:
                found.append(str(exc))
                continue
            if replayed != stored:
                found.append(f"the entries of {stored.stream} do not lead to its head")
    return found


def _ended(scene: Scene, head: ContractHead) -> list[str]:
    found = []
    if not (head.terminal and head.closed):
        found.append(f"the contract is {head.status.value}, closed {head.closed}")
    mission = scene.state.read(where := ref(Mission, head.mission_id)).need(where)
    if mission.status is MissionStatus.OPEN:
        found.append("its mission is open")
    if head.status is not ContractStatus.VERIFIED and not _told(scene, head):
        found.append(f"nobody was told that it is {head.status.value}")
    return found


def _told(scene: Scene, head: ContractHead) -> bool:
    return any(
        head.contract_id in text and head.status.value in subject for _, subject, text in scene.messages.notified
    )


def _effects(scene: Scene, head: ContractHead) -> list[str]:
    """I27, I29, I31: once at most, and either kept on measured grounds, or put back, or left for a person."""
    made, now, status = len(scene.effects.made), scene.capture().digest, head.status
    if status in KEPT:
        back = _put_back(scene, head)
        left = scene.before.digest if back else head.after_digest
        wrong = {"once": made != 1 + back, "as the action left it": now != left}
    elif status is ContractStatus.ROLLED_BACK:
        wrong = {"done and undone, or neither": made not in {0, 2}, "as it was": now != scene.before.digest}
    elif status is ContractStatus.SAFE_HOLD:
        most = 1 if scene.act.undo is Undo.NONE else 2
        wrong = {"once at most": made > most, "held": _holder(scene, head) != head.contract_id} | _undoable(scene, head)
    else:
        wrong = {"untouched": made > 0}
    return [
        f"it is {status.value}, and the resource is not {what} ({made} effects)" for what, so in wrong.items() if so
    ]


def _put_back(scene: Scene, head: ContractHead) -> bool:
    """Whether what was kept for a time is said to be as before again."""
    expiry = scene.state.read(where := ref(Expiry, head.contract_id)).get(where)
    return bool(expiry and expiry.done and not expiry.says)


def _holder(scene: Scene, head: ContractHead) -> str:
    lease = scene.state.read(where := ref(Lease, head.resource)).get(where)
    return lease.hold if lease else ""


def _undoable(scene: Scene, head: ContractHead) -> dict[str, bool]:
    try:
        read_snapshot(head, scene)
    except GraceError as exc:
        return {f"to be undone any more ({exc})": True}
    return {}


def _measured(scene: Scene, head: ContractHead) -> list[str]:
    """I30: verified only on values that were measured after the effect, each promise of them kept."""
    if head.status is not ContractStatus.VERIFIED:
        return []
    refs = [ref(Evidence, head.contract_id, phase) for phase in ("outcome", "extended")]
    view = scene.state.read(*refs)
    evidence = view.get(refs[1]) or view.get(refs[0])
    if evidence is None:
        return ["it is verified, and nothing was measured"]
    story: list[Any] = [each.type for each in scene.state.story(head.contract_id)]
    ordered = ["contract.executing", "contract.executed", "contract.measured", "contract.judged", "contract.closed"]
    places = [len(story) - 1 - story[::-1].index(each) for each in ordered if each in story]
    if len(places) < len(ordered) or places != sorted(places):
        return [f"its story is out of order: {story}"]
    short = [o.id for o in evidence.observations if o.must and (o.result != "passed" or not o.samples)]
    return [f"it is verified, and {short} were not measured as kept"] if short or not evidence.observations else []
