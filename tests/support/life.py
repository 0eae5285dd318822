"""What AWS and people do around the verbs: deliver again, retry, stream, sweep, decide. A scene is lived to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from grace.errors import GraceError
from grace.flow.answer import answer
from grace.flow.contract import draft
from grace.flow.reap import FAR, reap
from grace.flow.resolve import react
from grace.model.approval import Approval, ApprovalStatus, Decision
from grace.model.contract import ContractHead
from grace.model.entry import Ref, ref
from grace.model.mission import Mission, MissionStatus
from grace.model.records import Expiry, StopOrder
from grace.stores.keys import parse
from tests.support.machine import WorkerDied
from tests.support.scenes import Scene
from tests.support.world import PEOPLE

RECEIVES, VISIBILITY = 5, 120
"""The queue delivers so often before the dead-letter queue, and again after so many seconds."""
ASYNC_TRIES, ASYNC_PAUSE = 3, 60
STREAM_TRIES = 5
ANSWER_TRIES = 3
SWEEP_SECONDS, SWEEPS = 300, 24
WAITING = "waiting"
"""Stop the remediation while it waits for people."""


@dataclass
class Life:
    """One scene from its alert to its end. `decision` is what the people asked decide; at the state `stop_at` somebody stops
    the remediation, as an abort, a timeout of the whole execution or a deleted state machine would. At the state
    `guard_at` the scene's guard alarm goes off. With `outlives` it goes on until what was kept for a time is put back.
    """

    scene: Scene
    decision: str = "approve"
    stop_at: str = ""
    guard_at: str = ""
    outlives: bool = False
    sweeps: int = 0
    _told: set[tuple[type[Any], str, int]] = field(default_factory=set)

    def run(self) -> Scene:
        """Deliver the alert, and let everything happen that would happen by itself, until nothing is left to do."""
        self._deliver(self.scene.body)
        self._everything()
        while self.open() and self.sweeps < SWEEPS:
            self._pass(SWEEP_SECONDS)
            self.sweeps += 1
            self._works("reap", partial(reap, self.scene, lambda: self.scene.rulebook))
            self._everything()
        return self.scene

    def open(self) -> list[str]:
        """Return what has not come to its end."""
        store = self.scene.state
        later = self.scene.clock.now() + FAR + timedelta(days=1)
        missions = [m.mission_id for m in store.open(Mission, later) if m.status is MissionStatus.OPEN]
        return [
            *(head.contract_id for head in store.open(ContractHead, later)),
            *missions,
            *(f"approval of {approval.contract_id}" for approval in store.open(Approval, later)),
            *(f"time to live of {x.contract_id}" for x in store.open(Expiry, later) if self.outlives),
        ]

    def _deliver(self, body: str | dict[str, Any]) -> None:
        """The queue: at least once, and again after the visibility time while the worker dies or gives it back."""
        for _ in range(RECEIVES):
            if self._works("triage", partial(self.scene.fire, body)):
                return
            self._pass(VISIBILITY)

    def _everything(self) -> None:
        moved = True
        while moved:
            moved = self._drafts() | self._executions() | self._people() | self._stream()

    def _drafts(self) -> bool:
        asked, self.scene.messages.drafts[:] = list(self.scene.messages.drafts), []
        for request in asked:
            work = partial(draft, request, self.scene, self.scene.rulebook)
            for _ in range(ASYNC_TRIES):
                if self._works("draft", work):
                    break
                self._pass(ASYNC_PAUSE)
        return bool(asked)

    def _executions(self) -> bool:
        moved = False
        for execution in list(self.scene.workflow.executions.values()):
            while execution.status == "RUNNING" and not execution.token:
                if execution.state == self.guard_at and execution.document["mode"] == "remediate":
                    self._guard()
                    if execution.status != "RUNNING":
                        break
                if execution.state == self.stop_at and execution.document["mode"] == "remediate":
                    execution.status = "ABORTED"
                    break
                self.scene.machine.step(execution)
                moved = True
            if self.stop_at == WAITING and execution.token:
                execution.status, execution.token = "ABORTED", ""
            if self.guard_at == WAITING and execution.token:
                self._guard()
        return moved

    def _guard(self) -> None:
        """The guard alarm goes off, and whoever it wakes acts at once."""
        if self.scene.breach is None:
            self._deliver(self.scene.breached())
            self._stream()

    def _people(self) -> bool:
        """Whoever is asked decides soon after, and tries again when it does not work."""
        waiting = [a for a in self._approvals() if a.status is ApprovalStatus.PENDING and self._waits(a.contract_id)]
        for approval in waiting:
            decision = Decision.model_validate(
                {"contract_id": approval.contract_id, "decision": self.decision, "digest": approval.digest}
            )
            for _ in range(ANSWER_TRIES):
                self._pass(10)
                if self._works("answer", partial(answer, decision, PEOPLE.people[0].principals[0], self.scene)):
                    break
        return bool(waiting)

    def _stream(self) -> bool:
        """The table's stream tells of approvals that were decided and of orders to stop; a batch that fails comes again."""
        decided = [a for a in self._approvals() if a.status is not ApprovalStatus.PENDING]
        changed = [*decided, *items_of(self.scene, StopOrder)]
        fresh = [x for x in changed if (type(x), x.contract_id, x.version) not in self._told]
        for each in fresh:
            self._told.add((type(each), each.contract_id, each.version))
            what: Ref[Any] = ref(type(each), *each.ids)
            for _ in range(STREAM_TRIES):
                if self._works("resolve", partial(react, [("1", what)], self.scene)):
                    break
                self._pass(1)
            for execution in self.scene.workflow.executions.values():
                if getattr(execution, "woken", False):
                    execution.woken = False
                    self.scene.machine.wake(execution)
        return bool(fresh)

    def _approvals(self) -> list[Approval]:
        return items_of(self.scene, Approval)

    def contracts(self) -> list[str]:
        """Return the ids of all contracts, started or not."""
        return [where.ids[0] for where in refs_of(self.scene, ContractHead)]

    def _waits(self, contract: str) -> bool:
        execution = self.scene.workflow.executions.get(contract)
        return bool(execution and execution.status == "RUNNING" and execution.token)

    def _works(self, step: str, work: Callable[[], Any]) -> bool:
        """Let a door work. False when it failed, gave something back, or its worker died: its caller sees them alike."""
        try:
            with self.scene.wire.step(step):
                return not (isinstance(given_back := work(), list) and given_back)
        except (WorkerDied, GraceError):
            return False

    def _pass(self, seconds: float) -> None:
        self.scene.clock.advance(seconds)


def refs_of(scene: Scene, kind: type[Any]) -> list[Ref[Any]]:
    """Return where every item of a class is kept, found by looking at each row: what only a test may do."""
    rows = ((pk, sk) for pk, below in scene.state._partitions.items() for sk in below)
    return [where for pk, sk in rows if (where := parse(pk, sk)) and where.kind is kind]


def items_of(scene: Scene, kind: type[Any]) -> list[Any]:
    """Return every item of a class."""
    found = refs_of(scene, kind)
    view = scene.state.read(*found)
    return [view.need(where) for where in found]
