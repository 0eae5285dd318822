"""The crash matrix: every playbook, every way it can go, every outbound call, every fault; each run judged at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from grace.model.contract import ContractStatus, EffectClass, Mode
from tests.support.invariants import broken
from tests.support.life import WAITING, Life
from tests.support.scenes import Scene, playbooks
from tests.support.taps import DEATHS, DOUBLES, ERRORS, Fault, Site


@dataclass(frozen=True)
class Path:
    """One way an incident can go."""

    name: str
    works: bool = True
    mode: Mode = Mode.AUTONOMOUS
    stop_at: str = ""
    guard_at: str = ""
    outlives: bool = False


HELD = Path("held")
NOT_HELD = Path("not held", works=False)
ASKED = Path("asked", mode=Mode.APPROVAL)
STOPPED = Path("stopped", stop_at="Benchmark")
OUTLIVED = Path("kept for a time", outlives=True)
BREACHED = Path("its guard went off", guard_at="Benchmark")
BREACHED_WAITING = Path("its guard went off while people were asked", mode=Mode.APPROVAL, guard_at=WAITING)
PATHS = (HELD, NOT_HELD, ASKED, STOPPED)


def lives(playbook: str, path: Path) -> Life:
    """Return the incident, ready to be lived."""
    scene = Scene(playbook, works=path.works, mode=path.mode, guarded=bool(path.guard_at))
    return Life(scene, stop_at=path.stop_at, guard_at=path.guard_at, outlives=path.outlives)


@dataclass(frozen=True)
class Clean:
    """What happens when nothing goes wrong."""

    sites: tuple[Site, ...]
    status: ContractStatus
    effects: int


@cache
def clean(playbook: str, path: Path) -> Clean:
    """Live it once without a fault."""
    life = lives(playbook, path)
    scene = life.run()
    assert not broken(life), (playbook, path.name, broken(life))
    [contract] = scene.contracts()
    return Clean(tuple(scene.wire.sites), scene.head(contract).status, len(scene.effects.made))


def strike(playbook: str, path: Path, site: Site, fault: Fault) -> list[str]:
    """Live it with one fault, and return what is wrong at the end."""
    life = lives(playbook, path)
    life.scene.wire.at, life.scene.wire.fault = site, fault
    scene = life.run()
    found = broken(life)
    if not scene.wire.struck:
        found.append("the fault did not strike")
    found += _differs(playbook, scene, clean(playbook, path), site, fault)
    return [f"{playbook}, {path.name}, {fault.name} at {site}: {each}" for each in found]


def _differs(playbook: str, scene: Scene, whole: Clean, site: Site, fault: Fault) -> list[str]:
    """What passes by must change nothing: the same end as without it, and the same effects.

    Two things may end otherwise, each still honestly: what is denied for good, and an effect of class E about which
    nobody can say.
    """
    if fault.name == "access denied":
        return []
    [contract] = scene.contracts() or [""]
    if not contract:
        return ["no contract was started"]
    head, made = scene.head(contract), len(scene.effects.made)
    unsure = scene.act.effect is EffectClass.ONCE and site.step == "execute"
    if unsure and head.status is ContractStatus.SAFE_HOLD and made <= whole.effects:
        return []
    if head.status is not whole.status:
        return [f"it is {head.status.value} ({head.reason}) instead of {whole.status.value}"]
    return [] if made == whole.effects else [f"{made} effects instead of {whole.effects}"]


@dataclass(frozen=True)
class Part:
    """Some outbound calls of a path, and what is done to each."""

    path: Path
    steps: tuple[str, ...]
    faults: tuple[Fault, ...]


AFTER_STOP = ("reap", "rollback", "close")
KILLED = (
    Part(HELD, (), DEATHS),
    Part(NOT_HELD, (), DEATHS),
    Part(ASKED, (), DEATHS),
    Part(STOPPED, AFTER_STOP, DEATHS),
)
"""The worker's death before and after every call. Until somebody stops it, a stopped path is the first one."""
HURT = (
    Part(HELD, (), DOUBLES + ERRORS),
    Part(NOT_HELD, ("verify", "rollback", "close"), DOUBLES + ERRORS),
    Part(ASKED, ("preflight", "ask", "answer", "resolve", "decided", "execute"), DOUBLES + ERRORS),
    Part(STOPPED, AFTER_STOP, DOUBLES + ERRORS),
)
"""Dead twice at the same call, and every error, at every call that differs from the paths above it."""
BESIDE = {
    "time to live": ("increase_logging", Part(OUTLIVED, AFTER_STOP, DEATHS)),
    "guard alarm": ("scale_out_group", Part(BREACHED, ("triage", "draft", "resolve", "rollback", "close"), DEATHS)),
    "guard alarm while people are asked": (
        "scale_out_group",
        Part(BREACHED_WAITING, ("triage", "resolve", "rollback", "close"), DEATHS),
    ),
}
"""The roads that lead beside the workflow: by a playbook that has them, each step that is on them."""


@dataclass(frozen=True)
class Figures:
    """So many runs, and what went wrong in those that did."""

    runs: int
    breaches: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return f"{self.runs - len(self.breaches)} of {self.runs}"


def run(playbook: str, parts: Sequence[Part]) -> Figures:
    """Live every run of these parts. A playbook that always asks is asked on its first path already."""
    always = playbooks()[playbook].spec.tier > 1
    work = [
        (part.path, site, fault)
        for part in parts
        if not (always and part.path is ASKED)
        for site in clean(playbook, part.path).sites
        if not part.steps or site.step in part.steps
        for fault in part.faults
    ]
    found = [strike(playbook, *each) for each in work]
    return Figures(len(work), tuple(tuple(each) for each in found if each))
