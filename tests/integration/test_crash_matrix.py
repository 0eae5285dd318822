"""The crash matrix: the worker dies before and after every outbound call of every step of every built-in playbook.

Whatever happens, in the end there is one side effect at most, no orphan, an undo that is done or still possible, a whole
log, and no success that was not measured (I1, I3, I10, I26 to I33; F47 to F50, F54 to F57). What a crash leaves behind the
state machine's own retries take up, and where those end the sweep does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from grace.errors import AccessDenied, AnswerLost, Throttled
from grace.evidence.verdict import VerdictKind, decide
from grace.flow import close, execute, expiry, gate, grouping, reap, rollback, verify
from grace.model.contract import ContractStatus, EffectClass, Mode, Undo
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.records import Lease, Subsystem
from tests.support import life as living
from tests.support.invariants import broken
from tests.support.life import WAITING, Life
from tests.support.machine import DEFINITION
from tests.support.matrix import (
    ASKED,
    BESIDE,
    HELD,
    HURT,
    KILLED,
    NOT_HELD,
    STOPPED,
    Figures,
    Part,
    Path,
    clean,
    lives,
    run,
)
from tests.support.scenes import Scene, playbooks
from tests.support.taps import DEATHS, Fault

STATES = sorted({name for name, state in DEFINITION["States"].items() if state["Type"] != "Fail"} | {WAITING})
OF_A_KIND = sorted({(each.spec.resource, Scene(name).act.effect): name for name, each in playbooks().items()}.values())
"""One playbook for each resource type and class of effect: by these the flow's own branches and calls differ."""
Publish = Callable[[str, Any], None]


def publish(record: Publish, what: str, playbook: str, figures: Figures) -> None:
    """Print x of y, and have it printed with the others at the end."""
    print(f"{what}: {playbook}: {figures}")
    record("figure", (what, playbook, figures.runs - len(figures.breaches), figures.runs))


@pytest.mark.parametrize("playbook", playbooks())
def test_the_worker_dies_before_and_after_every_call(playbook: str, record_property: Publish) -> None:
    """F47, F48: held and verified, not held and put back, asked and approved, stopped and swept."""
    figures = run(playbook, KILLED)
    publish(record_property, "crash matrix", playbook, figures)
    assert figures.runs > 4 * len(clean(playbook, HELD).sites)
    assert not figures.breaches


@pytest.mark.parametrize("road", BESIDE)
def test_it_dies_on_every_road_beside_the_workflow(road: str, record_property: Publish) -> None:
    """F47, F55: what was kept for a time comes back once; what a guard alarm stops is undone, or never done."""
    playbook, part = BESIDE[road]
    ends = {
        "time to live": (ContractStatus.VERIFIED, 2, {"reap: workflow.start", "rollback: aws.lambda.update"}),
        "guard alarm": (ContractStatus.ROLLED_BACK, 2, {"resolve: workflow.stop", "rollback: aws.autoscaling.update"}),
        "guard alarm while people are asked": (ContractStatus.REFUSED, 0, {"resolve: workflow.stop"}),
    }
    whole, (status, effects, calls) = clean(playbook, part.path), ends[road]
    assert (whole.status, whole.effects) == (status, effects)
    made = [f"{site.step}: {site.call}" for site in whole.sites if site.step in part.steps]
    assert all(any(each.startswith(call) for each in made) for call in calls)
    figures = run(playbook, [part])
    publish(record_property, "beside the workflow", f"{road} ({playbook})", figures)
    assert figures.runs == 2 * len(made)
    assert not figures.breaches


@pytest.mark.parametrize("playbook", OF_A_KIND)
def test_it_dies_twice_and_every_error_strikes(playbook: str, record_property: Publish) -> None:
    """The same call killed twice; an answer lost of a call that was or was not done; throttled, unavailable, denied."""
    figures = run(playbook, HURT)
    publish(record_property, "fault matrix", playbook, figures)
    assert not figures.breaches


@pytest.mark.parametrize("playbook", playbooks())
def test_somebody_stops_it_in_every_state(playbook: str, record_property: Publish) -> None:
    """F55 to F57: abort, execution timeout and a deleted machine run no Catch; the sweep ends what they leave."""
    ran, breaches = 0, []
    for path in (HELD, ASKED):
        for state in STATES:
            life = Life(Scene(playbook, mode=path.mode), stop_at=state)
            life.run()
            ran += 1
            found = [*broken(life), *_wrong_end(life)]
            breaches += [tuple(f"stopped at {state}: {each}" for each in found)] if found else []
    figures = Figures(ran, tuple(breaches))
    publish(record_property, "stopped in every state", playbook, figures)
    assert not figures.breaches


BEFORE_EFFECT = {"Mode", "NeedsApproval", "Preflight", "Ask", WAITING, "Decided", "Snapshot", "Baseline", "Execute"}
ACTED = {"Settle", "Benchmark", "Verify"}


def _wrong_end(life: Life) -> list[str]:
    """Stopped before the effect: refused. After it, before the verdict: undone, or held. Else it had ended well."""
    scene, [contract] = life.scene, life.contracts()
    if scene.catalogue.modes[scene.playbook.spec.name] is Mode.APPROVAL and not life.sweeps:
        return ["nobody stopped it"] if life.stop_at in BEFORE_EFFECT | ACTED else []
    undone = ContractStatus.SAFE_HOLD if scene.act.undo is Undo.NONE else ContractStatus.ROLLED_BACK
    expected = ContractStatus.VERIFIED
    if life.sweeps and life.stop_at in BEFORE_EFFECT:
        expected = ContractStatus.REFUSED
    elif life.stop_at in ACTED:
        expected = undone
    status = scene.head(contract).status
    return [] if status is expected else [f"it is {status.value} instead of {expected.value}"]


@pytest.mark.parametrize("playbook", playbooks())
def test_a_clean_run_ends_as_it_should(playbook: str) -> None:
    """Without a fault: kept when the promise holds; put back when not, or held where nothing can be put back."""
    undo = Scene(playbook).act.undo
    undone = ContractStatus.SAFE_HOLD if undo is Undo.NONE else ContractStatus.ROLLED_BACK
    ends = {path.name: clean(playbook, path).status for path in (HELD, NOT_HELD, ASKED, STOPPED)}
    assert ends == {
        "held": ContractStatus.VERIFIED,
        "not held": undone,
        "asked": ContractStatus.VERIFIED,
        "stopped": undone,
    }
    assert clean(playbook, HELD).effects == 1
    assert clean(playbook, NOT_HELD).effects == (1 if undo is Undo.NONE else 2)


def test_every_port_and_step_is_in_the_matrix() -> None:
    """A port or a step that no run uses would be a hole in the matrix."""
    sites = [
        site for name in playbooks() for path in (HELD, NOT_HELD, ASKED, STOPPED) for site in clean(name, path).sites
    ]
    assert {site.call.split(".")[0] for site in sites} == {
        *("store", "vault", "aws", "metrics", "alarms", "workflow", "messages", "sealer", "permissions", "macs", "mail")
    }
    steps = {"triage", "draft", "answer", "resolve", "reap"}
    tasks = {s["Parameters"]["Payload"]["step"] for s in DEFINITION["States"].values() if s["Type"] == "Task"}
    assert {site.step for site in sites} == steps | tasks


# -- what never works again

FOR_EVER = (
    Fault("denied for ever", lambda: AccessDenied("not allowed"), after=False, times=10**6),
    Fault("throttled for ever", lambda: Throttled("slow down"), after=False, times=10**6),
    Fault("done, and no answer for ever", lambda: AnswerLost("the answer was lost"), after=True, times=10**6),
)
OUTSIDE = ("aws.", "metrics.", "alarms.", "vault.", "permissions.")


@pytest.mark.parametrize("playbook", ["roll_back_lambda_alias", "scale_out_group", "reboot_instance"])
def test_what_is_outside_never_works_again(playbook: str, record_property: Publish) -> None:
    """F49, F52, F54, F59: one call of one step fails for ever. Nothing is left half done and unsaid."""
    ran, breaches = 0, []
    for path, steps in ((HELD, ()), (NOT_HELD, ("rollback",)), (STOPPED, ("reap",))):
        for site in clean(playbook, path).sites:
            if not site.call.startswith(OUTSIDE) or (steps and site.step not in steps):
                continue
            for fault in FOR_EVER:
                life = lives(playbook, path)
                life.scene.wire.at, life.scene.wire.fault = site, fault
                life.run()
                ran += 1
                found = broken(life)
                breaches += [(f"{path.name}, {fault.name} at {site}", *found)] if found else []
    figures = Figures(ran, tuple(breaches))
    publish(record_property, "failing for ever", playbook, figures)
    assert not figures.breaches


# -- what nobody can say, and who acts too late


@pytest.mark.parametrize("playbook", [n for n in OF_A_KIND if Scene(n).act.effect is EffectClass.ONCE])
@pytest.mark.parametrize("fault", DEATHS, ids=lambda fault: fault.name)
def test_what_nobody_can_say_is_left_to_a_person(playbook: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """F48, class E: killed around the call, and nothing tells whether it happened: not repeated, held, a person told."""
    life = Life(Scene(playbook))
    monkeypatch.setattr(type(life.scene.act), "happened", lambda *_: None)
    [site] = [s for s in clean(playbook, HELD).sites if s.step == "execute" and _changes(s.call)]
    life.scene.wire.at, life.scene.wire.fault = site, fault
    life.run()
    assert not broken(life)
    assert len(life.scene.effects.made) == (1 if fault.after else 0)
    assert life.scene.head(life.contracts()[0]).status is ContractStatus.SAFE_HOLD


def _changes(call: str) -> bool:
    return call.startswith("aws.") and not call.split(".")[2].startswith(("describe", "get", "list", "lookup"))


def late(playbook: str) -> Scene:
    """Let another contract take the lease over while a worker sleeps just before it acts; return what it then did."""
    life = Life(Scene(playbook))
    scene = life.scene

    def taken(scene: Scene) -> None:
        where = ref(Lease, scene.resource.arn)
        lease = scene.state.read(where).need(where)
        other = lease.model_copy(update={"owner": "c-other", "fence": lease.fence + 1})
        scene.state.commit(
            Commit(
                command="another contract",
                head=Subsystem(name="another", at=scene.clock.now()),
                entries=(EntryDraft(type="contract.snapshotted"),),
                at=scene.clock.now(),
                actor="grace",
                subsystem="snapshot",
                items=(other,),
            )
        )

    door = scene.machine.doors["execute"]

    def slept(event: dict[str, Any]) -> dict[str, Any]:
        scene.machine.doors["execute"] = door
        taken(scene)
        return door(event)

    scene.machine.doors["execute"] = slept
    life.run()
    return scene


def test_a_worker_whose_lease_was_taken_over_does_nothing() -> None:
    """F50, I26, I32: the fence it holds is no longer the lease's."""
    scene = late("scale_out_group")
    assert not scene.effects.made
    assert not scene.naked


# -- each mechanism taken away is found


def breaches(playbook: str, *parts: Part) -> str:
    """Return everything that is wrong in these runs."""
    return "\n".join(line for each in run(playbook, parts).breaches for line in each)


def only(path: Path, *steps: str) -> Part:
    return Part(path, steps, DEATHS)


@pytest.mark.parametrize("playbook", ["restart_ecs_service", "reboot_instance"])
def test_without_the_intent_an_effect_is_doubled(playbook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clean(playbook, HELD)
    intend, act = execute._intend, type(Scene(playbook).act)
    call = act.run

    def late_intent(loaded: Any, work: Any, passed: Any, baseline: Any, services: Any) -> Any:
        call(work.act, loaded.contract.resource, work.parameters, work.now, services.aws, "")
        return intend(loaded, work, passed, baseline, services)

    monkeypatch.setattr(execute, "_intend", late_intent)
    monkeypatch.setattr(act, "run", lambda *_: None)
    found = breaches(playbook, only(HELD, "execute"))
    assert "2 effects" in found
    assert "without an intent" in found


@pytest.mark.parametrize("playbook", ["roll_back_lambda_alias", "scale_out_group", "reboot_instance"])
def test_without_looking_first_an_effect_is_doubled(playbook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clean(playbook, HELD)
    monkeypatch.setattr(execute, "_happened_before", lambda *_: False)
    assert "2 effects" in breaches(playbook, only(HELD, "execute"))


def test_without_the_fence_two_act_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_lease", lambda lease, *_: lease)
    assert "without an intent" in "".join(late("scale_out_group").naked)


def test_without_the_sweep_what_was_stopped_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "reap", lambda *_: None)
    life = Life(Scene("scale_out_group"), stop_at="Benchmark")
    life.run()
    assert "is left open" in "".join(broken(life))


def test_without_the_sweep_what_was_kept_for_a_time_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reap, "begin", lambda *_: "")
    playbook, part = BESIDE["time to live"]
    life = lives(playbook, part.path)
    life.run()
    assert "time to live of" in "".join(broken(life))


def test_without_announcing_it_a_value_is_put_back_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    playbook, part = BESIDE["time to live"]
    monkeypatch.setattr(expiry, "_leased", lambda loaded, lease, _services: (loaded, lease))
    life = lives(playbook, part.path)
    life.run()
    assert "without a lease" in "".join(life.scene.naked)


def test_without_the_order_a_guard_alarm_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "breached", lambda *_: None)
    playbook, part = BESIDE["guard alarm"]
    life = lives(playbook, part.path)
    life.run()
    assert life.scene.head(life.contracts()[0]).status is ContractStatus.VERIFIED


def test_without_the_sweep_an_order_that_nobody_carried_out_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the stop and the start of the undo: the stream finds it begun, and only the sweep goes on with it."""
    playbook, part = BESIDE["guard alarm"]
    clean(playbook, part.path)
    monkeypatch.setattr(living, "reap", lambda *_: None)
    assert "is left open" in breaches(playbook, only(part.path, "resolve"))


def test_a_verdict_without_a_measurement_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(results: Sequence[Any], guards: Any) -> Any:
        return decide(results, guards)._replace(kind=VerdictKind.VERIFIED)

    monkeypatch.setattr(verify, "decide", always)
    life = Life(Scene("scale_out_group", works=False))
    life.run()
    assert "were not measured as kept" in "".join(broken(life))


def test_an_undo_that_does_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback that does not measure would say it is back."""
    scene = Scene("scale_out_group", works=False)
    monkeypatch.setattr(type(scene.kind), "restore", lambda *_: None)
    life = Life(scene)
    life.run()
    assert life.scene.head(life.contracts()[0]).status is ContractStatus.SAFE_HOLD
    assert not broken(life)

    monkeypatch.setattr(rollback, "_restore", lambda undo, services: rollback._judge(undo, scene.before, (), services))
    life = Life(Scene("scale_out_group", works=False))
    life.run()
    assert "not as it was" in "".join(broken(life))


def test_a_lease_that_is_not_given_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close, "_lease", lambda *_: [])
    life = Life(Scene("scale_out_group"))
    life.run()
    assert "the lease of" in "".join(broken(life))
