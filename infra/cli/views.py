"""How a contract, missions and checks look on a terminal; plain text where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grace.flow.autonomy import Autonomy
from grace.flow.explain import Check, Explanation
from grace.model.contract import ContractHead, Mode, Window
from grace.model.entry import Entry
from grace.model.mission import Mission
from grace.model.records import KillSwitch, Observation
from grace.model.wording import alarm_name, promise
from infra.cli import wording
from infra.cli.dossier import Dossier

_MODES = (Mode.AUTONOMOUS, Mode.APPROVAL, Mode.SHADOW)
_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "worse": ("✗", "red"), "inconclusive": ("?", "yellow")}
_UNDONE = {
    "verified": "yes, measured: the fields are back and the alarm is no worse",
    "failed": "no: see what failed above",
    "inconclusive": "not shown: see what could not be measured above",
}
_QUIET = frozenset({"digest", "key", "snapshot", "state", "before", "after", "fence", "set", "resource", "mission"})
"""What an entry holds that the rest of the page says already, or that only a program reads."""


def contract_view(found: Dossier) -> RenderableType:
    """Return everything a person asks about a contract: what happened, to what, is it safe, what next; then the proof."""
    parts: list[RenderableType] = [_first_screen(found), *_section("What was promised", _promises(found))]
    if found.guards:
        parts += _section("What must not get worse", _guards(found))
    if found.approval:
        parts += _section("Who was asked", _approval(found))
    parts += _section("Snapshot and steps", _steps(found))
    parts += _section(f"What happened ({len(found.story)} entries)", _story(found.story))
    return Group(*parts)


def missions_view(
    missions: Sequence[Mission], heads: dict[str, ContractHead], switch: KillSwitch | None
) -> RenderableType:
    """Return the open missions: what happened, how far it is, and what to do about it.

    A kill switch that is on comes first: it is why nothing else moves.
    """
    parts: list[RenderableType] = []
    if switch and switch.on:
        parts.append(
            Text.assemble(
                ("The kill switch is on", "bold red"),
                f": {switch.reason}  ({switch.by}, since {wording.clock(switch.at)})\n",
                "  Nothing new is done; rollbacks still run.  what next: grace resume",
            )
        )
    if not missions:
        parts.append(Text("No mission is open" + (": nothing needs you." if not parts else ".")))
    for mission in missions:
        head = heads.get(mission.contract_id or "")
        status = head.status.value if head else mission.status.value
        colour = wording.colour(head.status) if head else "yellow"
        subject = alarm_name(mission.alarm) if mission.alarm else mission.group
        parts.append(
            Text.assemble(
                (status, f"bold {colour}"),
                f"  {subject}: {mission.diagnosis.value}, {mission.severity.value}",
                (f"  since {wording.clock(mission.opened_at)}  {mission.mission_id}", "dim"),
            )
        )
        reason = head.reason if head else mission.reason
        if reason:
            parts.append(Padding(Text(reason), (0, 0, 0, 2)))
        then = wording.next_for_mission(mission, head)
        parts.append(Text(f"  what next: {then}", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def autonomy_view(found: Sequence[Autonomy]) -> RenderableType:
    """Return each playbook's mode, record and reason: first those that may less than configured, then who may most."""
    parts: list[RenderableType] = []
    wide = max((len(each.playbook) for each in found), default=0)
    for each in sorted(found, key=lambda one: (one.mode is one.configured, _MODES.index(one.mode), one.playbook)):
        lowered = each.mode is not each.configured
        colour = "red" if lowered else "green" if each.mode is Mode.AUTONOMOUS else "yellow"
        line = Text.assemble((f"{each.mode.value:<12}", colour), (f"{each.playbook:<{wide}}", "bold"))
        line.append(f"  tier {each.tier}  {wording.acted(each)}")
        line.append("" if lowered else f"; {each.because}", "dim")
        parts.append(line)
        if each.speaks:
            parts.append(Padding(Text(f"in shadow: {wording.in_shadow(each)}"), (0, 0, 0, 12)))
        if lowered:
            parts.append(Padding(Text(each.because, "red"), (0, 0, 0, 12)))
    told = [
        "At least: of the acts to come, the share that is verified and lasts, with 95 % certainty (Wilson).",
        "In shadow nothing is done; what became of it speaks for or against acting.",
        "To raise a mode: `modes` in cdk.json, reviewed and deployed. To lower one: grace demote PLAYBOOK --reason '…'",
    ]
    return Group(*parts, Text(), Text("\n".join(told), style="dim"))


def checks_view(subject: str, checks: Sequence[Check]) -> RenderableType:
    """Return what decides whether Grace acts on a subject, and the first thing that stands in the way."""
    table = Table.grid(padding=(0, 2))
    for check in checks:
        mark, colour = _MARKS["passed" if check.ok else "failed"]
        table.add_row(Text(mark, style=colour), check.name, check.says)
    stopped = next((check for check in checks if not check.ok), None)
    told = f"Grace would act on {subject}." if stopped is None else f"Grace would not act: {stopped.says}."
    return Group(table, Text(), Text(told, style="bold"))


def explanation_view(said: Explanation) -> RenderableType:
    """Return what an alert would lead to."""
    table = _facts()
    signal = said.signal
    table.add_row("alert", f"{signal.name} is {signal.state.value} ({signal.source}, {signal.severity.value})")
    table.add_row("diagnosis", f"{said.diagnosis.code.value}, {said.diagnosis.likelihood:.0%}: {said.diagnosis.reason}")
    for match in said.diagnosis.matches[1:]:
        table.add_row("", f"also {match.code.value}, {match.likelihood:.0%}: {match.reason}")
    table.add_row("considered", ", ".join(said.considered) or "no playbook")
    if said.playbook:
        table.add_row("playbook", f"{said.playbook} (tier {said.tier}, {said.mode.value})")
        table.add_row("resource", said.resource.arn if said.resource else "")
        table.add_row("action", _plain(said.action))
        for number, line in enumerate(said.promises):
            table.add_row("" if number else "promises", _plain(line))
        for number, line in enumerate(said.guards):
            table.add_row("" if number else "guards", _plain(line))
    table.add_row("so", Text(said.verdict, style="bold"))
    return table


def print_json(console: Console, document: Any) -> None:
    """Write a document as JSON, and nothing else."""
    console.print_json(data=document, indent=2, highlight=False)


def _first_screen(found: Dossier) -> RenderableType:
    head, contract = found.head, found.contract
    title = Text.assemble((head.status.value, f"bold {wording.colour(head.status)}"), "  ", (head.contract_id, "bold"))
    table = _facts()
    table.add_row("what happened", f"{contract.diagnosis.value} ({contract.likelihood:.0%}): {contract.reason}")
    if contract.alarm:
        table.add_row("alarm", alarm_name(contract.alarm))
    resource = contract.resource
    table.add_row("to what", f"{resource.path}  ({resource.type}, {resource.region}, account {resource.account})")
    if contract.owner.kind != "none":
        table.add_row("declared by", f"{contract.owner.kind} {contract.owner.name}".rstrip())
    table.add_row("done", _done(found))
    table.add_row("undo", contract.undo_text)
    if contract.cost_per_hour is not None:
        table.add_row("cost", f"{contract.cost_per_hour:+.4f} US dollars per hour")
    if head.verdict:
        sure = f", confidence {head.confidence}" if head.status in wording.KEPT else ""
        table.add_row("verdict", f"{head.verdict}{sure}")
    if head.reason:
        table.add_row("note" if head.status in wording.KEPT else "because", head.reason)
    if found.shadow:
        table.add_row("judged", wording.judged(found.shadow))
    table.add_row("safe now?", Text(wording.safe(found), style="bold"))
    # Outside the table and never folded, so that a command can be copied as it stands.
    steps = [Text(f"  {step}", no_wrap=True, overflow="ignore") for step in wording.next_steps(found)]
    return Group(title, Text(), table, Text("what next", style="dim"), *steps)


def _done(found: Dossier) -> str:
    contract, head = found.contract, found.head
    what = f"{contract.action.use} {_plain(contract.action.parameters)}"
    tier = f"{contract.playbook}, tier {contract.tier}, {contract.mode.value}"
    if head.acted_at:
        return f"{what} at {wording.clock(head.acted_at)}  ({tier})"
    return f"{what}: not done  ({tier})"


def _promises(found: Dossier) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for line in found.contract.expect:
        seen = found.observed.get(line.id)
        mark, colour = _MARKS[seen.result] if seen else ("·", "dim")
        must = "" if line.must else "  (should)"
        table.add_row(Text(mark, style=colour), Text(f"{seen.predicate if seen else promise(line)}{must}"))
        if seen is None:
            table.add_row("", Text("not measured yet", style="dim"))
            continue
        kept = f"  ({seen.supporting} of {seen.samples} samples kept it)" if seen.samples else ""
        was = found.before_action.get(line.id)
        then = f"directly before the action {was.observed}; " if was and was.samples else ""
        table.add_row("", f"expected {seen.expected}; {then}observed {seen.observed}{kept}")
        table.add_row("", Text(f"asked: {seen.source}", style="dim"))
        if seen.note:
            table.add_row("", Text(seen.note, style="yellow"))
    return Group(table, Text(_windows(found), style="dim"))


def _windows(found: Dossier) -> str:
    def span(window: Window) -> str:
        start, end = (datetime.fromtimestamp(at, UTC) for at in (window.start, window.end))
        return f"{wording.clock(start)} to {wording.clock(end)}"

    before = found.contract.before
    healthy = f"healthy window {span(before)}" if before else "no healthy window was known"
    return f"{healthy}; settled for {found.contract.settle} s after the action"


def _guards(found: Dossier) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for guard in found.guards:
        mark, colour = _MARKS[guard.result]
        numbers = f"before {_number(guard.before)}, after {_number(guard.after)}"
        table.add_row(Text(mark, style=colour), f"{guard.source}: {numbers}")
        if guard.note:
            table.add_row("", Text(guard.note, style="dim"))
    return table


def _approval(found: Dossier) -> RenderableType:
    approval = found.approval
    assert approval is not None
    table = _facts()
    table.add_row(
        "asked", f"{', '.join(approval.approvers)} ({approval.need} needed), on digest {approval.digest[:12]}"
    )
    table.add_row("status", approval.status.value)
    if approval.unreached:
        table.add_row("not reached", f"{', '.join(approval.unreached)}: their mail was refused or came back")
    for vote in found.votes:
        table.add_row("vote", f"{vote.person}: {vote.decision} at {wording.clock(vote.at)} ({vote.via})")
    return table


def _steps(found: Dossier) -> RenderableType:
    table = _facts()
    snapshot = found.head.snapshot
    table.add_row("snapshot", f"{snapshot.key}, SHA-256 {snapshot.sha256}" if snapshot else "none was taken")
    for step in found.steps:
        state = f"{step.before_digest[:12]} → {(step.after_digest or step.expected_digest)[:12]}"
        table.add_row(step.name, f"{step.status.value}, class {step.effect.value}, fence {step.fence}, state {state}")
    if undone := found.evidence.get("rollback"):
        for seen in undone.observations:
            table.add_row("measured", f"{seen.predicate}: {seen.result}, {_compared(seen)}")
        table.add_row("undone?", _UNDONE.get(undone.verdict, "not judged"))
    if found.lease and found.lease.hold:
        table.add_row("held", f"since {found.lease.hold}")
    return table


def _compared(seen: Observation) -> str:
    """Return what was measured of one half of the restoration: how many fields are back, or how the alarm stands."""
    if seen.kind == "state":
        return f"{seen.supporting} of {seen.samples} fields" + (f" ({seen.note})" if seen.note else "")
    return f"then {seen.expected}, now {seen.observed}" + (f" ({seen.note})" if seen.note else "")


def _story(story: Sequence[Entry]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for entry in story:
        at = datetime.fromtimestamp(entry.ts / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
        told = {key: value for key, value in entry.body.items() if key not in _QUIET}
        table.add_row(Text(at, style="dim"), entry.type, entry.actor, Text(_plain(told), style="dim"))
    return table


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [Text(), Text(title, style="bold"), Padding(body, (0, 0, 0, 2))]


def _facts() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _plain(fields: dict[str, Any]) -> str:
    said = {key: value for key, value in fields.items() if value not in (None, "", [], (), {})}
    return ", ".join(f"{key} {_word(value)}" for key, value in said.items())


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return f"({_plain(value)})"
    return ", ".join(map(_word, value)) if isinstance(value, (list, tuple)) else str(value)
