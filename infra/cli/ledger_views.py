"""How the log looks to a person: a check's outcome, proofs, and what happened, in sentences."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grace.ledger.finding import Found
from grace.ledger.fsck import Report
from grace.ledger.note import Checkpoint
from grace.model.entry import Entry
from infra.cli.replaying import Replayed

_TOLD: dict[str, str] = {
    "mission.opened": "{name} raised an alarm: {diagnosis} ({likelihood}), because: {reason}",
    "mission.signals_attached": "{count} more alerts of the same kind joined it",
    "mission.contracted": "the contract {contract} was drafted for it",
    "mission.needs_attention": "it needs a person: {reason}",
    "mission.unattended": "nobody attended to it in {days} days: it is closed",
    "mission.closed": "the mission ended: {status}",
    "contract.drafted": "{playbook} promised {action} on {resource} (mode {mode}, digest {digest})",
    "contract.shadowed": "nothing was done: the playbook is in {mode}",
    "approval.requested": "{approvers} were asked, {need} needed, until {expires}",
    "approval.vote": "{person} decided: {decision}",
    "approval.approved": "approved by {by}",
    "approval.rejected": "rejected by {by}",
    "approval.expired": "nobody decided in time",
    "approval.escalated": "asked again ({why}), generation {generation}; not reached: {unreached}",
    "approval.reissued": "what people were sent was made anew ({why}), generation {generation}",
    "approval.challenge_failed": "the link of {person} was used with a wrong challenge, {failures} times by now",
    "approval.wrong_person": "the link of {person} was used by somebody else, signed in as {signed_in}",
    "contract.snapshotted": "the resource's state was kept (SHA-256 {snapshot})",
    "contract.measured": "measured, {phase}: {lines}",
    "contract.executing": "about to act: {what}",
    "contract.executed": "done",
    "contract.action_refused": "the service refused {action}",
    "contract.effect_unknown": "whether {action} took effect was not known",
    "contract.unanswered": "no answer came: {error}",
    "contract.extended": "too little was measured yet; it was looked at for longer",
    "contract.judged": "the verdict: {verdict} (confidence {confidence})",
    "contract.superseded": "the alarm recovered by itself: nothing was done",
    "contract.guard_breached": "what must not get worse got worse: {alarm}",
    "contract.refused": "refused: {reason}",
    "contract.rollback_started": "putting it back began: {reason}",
    "contract.rolling_back": "it is put back, because: {reason}",
    "contract.rolled_back": "it was put back and measured: every field as before, the alarm no worse",
    "contract.safe_hold": "it could not be proved to be as before, and is left for a person",
    "contract.expiry_waits": "its time to live is over, and it waits for {by}",
    "contract.expiring": "its time to live is over: {resource} is put back",
    "contract.expired_back": "what its time to live ended is as it was before: {restored} {says}",
    "contract.closed": "the contract ended: {status}",
    "playbook.breaker_opened": "{playbook} was undone too often and acts no more: {because_of}",
    "signal.quarantined": "an alert could not be read ({field}) and is kept whole under {key}",
    "operator.stop": "all automation was stopped: {reason}",
    "operator.resume": "automation was allowed again: {reason}",
    "operator.rollback": "a person had it put back: {reason}",
    "operator.release": "a person released {resource}: {reason}",
    "operator.retry": "a person had it drafted again: {reason}",
    "operator.dismiss": "a person closed it: {reason}",
    "operator.demote": "a person lowered {playbook} from {was} to {to}: {reason}",
    "operator.close_breaker": "a person let {playbook} act again: {reason}",
    "log.verified": "the log of {size} entries was checked and is sound; new since the last time: {entries}",
    "log.doubted": "the log of {size} entries was checked and is NOT sound: {issues} findings, {gaps} silent parts",
    "log.integrity_issue": "{check} {where}: {what}",
    "log.subsystem_gap": "{part} has not run for {seconds} s",
}
"""What an entry of a type says to a person; one that is not here is shown with its fields."""

_SHORT = 16
"""Characters of a digest that are shown."""


@dataclass(frozen=True)
class Checked:
    """One proof file: the entry and the checkpoint it was proved under, or what is wrong."""

    file: str
    found: Found | None
    head: Checkpoint | None
    fault: str | None

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        known = self.found is not None and self.head is not None
        return {
            "file": self.file,
            "verified": self.fault is None,
            "fault": self.fault,
            "entry": self.found.entry.model_dump(mode="json") if self.found else None,
            "index": self.found.index if self.found else None,
            "size": self.head.size if known and self.head else None,
        }


def report_view(
    report: Report, place: str, pinned: Checkpoint | None, kept: Mapping[Path, Checkpoint]
) -> RenderableType:
    """Return what a check of the log found."""
    head = report.checkpoint
    if report.sound:
        title = Text.assemble(("sound", "bold green"), f"  {head.size} entries of {head.origin}, in {place}")
    else:
        title = Text.assemble(("NOT SOUND", "bold red"), f"  {head.origin}, in {place}")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("root", base64.b64encode(head.root).decode())
    since = "all entries" if not report.first else f"entries from {report.first} on"
    table.add_row("checked", f"{since}, {report.objects} objects, {report.lanes} lanes, {report.kept} checkpoints kept")
    if pinned is None:
        table.add_row("pin", "this checkpoint is now pinned here" if report.sound else "nothing was pinned here before")
    else:
        table.add_row("pin", f"compared with the checkpoint of {pinned.size} entries that was pinned here")
    for file, point in kept.items():
        table.add_row("against", f"compared with the checkpoint of {point.size} entries in {file}")
    for finding in report.findings:
        table.add_row(Text("wrong", style="red"), str(finding))
    return Group(title, table)


def report_document(report: Report, pinned: Checkpoint | None, kept: Mapping[Path, Checkpoint]) -> dict[str, Any]:
    """Return what a check of the log found, as JSON."""
    return {
        "sound": report.sound,
        "origin": report.checkpoint.origin,
        "size": report.checkpoint.size,
        "root": base64.b64encode(report.checkpoint.root).decode(),
        "first": report.first,
        "objects": report.objects,
        "lanes": report.lanes,
        "kept": report.kept,
        "pinned": pinned.size if pinned else None,
        "against": {str(file): point.size for file, point in kept.items()},
        "findings": [{"where": finding.where, "what": finding.what} for finding in report.findings],
    }


def pin_view(head: Checkpoint, vkey: str, before: Checkpoint | None) -> RenderableType:
    """Return what is now remembered."""
    extends = f"it extends the {before.size} that were pinned before" if before else "nothing was pinned here before"
    return Group(
        Text(f"Pinned: {head.size} entries of {head.origin}; {extends}."),
        Text(f"  {vkey}", no_wrap=True, overflow="ignore"),
        Text(
            "Compare this key with one that you have from somebody else: it is all that a check rests on.", style="dim"
        ),
    )


def checked_view(checked: Sequence[Checked]) -> RenderableType:
    """Return what became of each proof file."""
    table = Table.grid(padding=(0, 2))
    for each in checked:
        if each.found is None or each.head is None:
            table.add_row(Text("✗", style="red"), each.file, Text(str(each.fault), style="red"))
            continue
        table.add_row(Text("✓", style="green"), f"entry {each.found.index} of {each.head.size}", line(each.found))
    good = sum(each.fault is None for each in checked)
    told = f"{good} of {len(checked)} proved" + ("." if good == len(checked) else ": believe none of the others.")
    return Group(table, Text(told, style="bold"))


def story_view(entries: Sequence[Entry]) -> RenderableType:
    """Return what happened, a line for each entry."""
    table = Table.grid(padding=(0, 2))
    for entry in entries:
        who = entry.actor.removeprefix("person:")
        table.add_row(Text(_clock(entry), style="dim"), Text(who, style="dim"), told(entry))
    return table


def replayed_view(replayed: Replayed, head: Checkpoint) -> RenderableType:
    """Return what the log alone leads to, and in what the tables are not so."""
    counts = ", ".join(f"{count} {kind}" for kind, count in replayed.counts.items()) or "nothing"
    parts: list[RenderableType] = [Text(f"The log of {head.size} entries leads to {counts}.")]
    if replayed.compared:
        late = f" ({replayed.late} entries are not in the log yet)" if replayed.late else ""
        said = "is not what the log says" if replayed.faults else "is the same, field by field"
        colour = "bold red" if replayed.faults else "bold green"
        parts.append(Text(f"What the tables hold {said}{late}.", style=colour))
    parts += [Text(fault, style="red") for fault in replayed.faults]
    return Group(*parts)


def activity_view(counted: Mapping[str, Mapping[str, Mapping[str, int]]], entries: int, hours: int) -> RenderableType:
    """Return how many entries there are by actor, type and part, and how many of them tell of a failure."""
    parts: list[RenderableType] = [Text(f"{entries} entries in the last {hours} hours.", style="bold")]
    failed = counted["failures"]
    for by, title in (("actor", "by whom"), ("type", "what"), ("subsystem", "by which part")):
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right")
        for name, count in counted["activity"].get(by, {}).items():
            bad = failed.get(by, {}).get(name, 0)
            table.add_row(str(count), name, Text(f"{bad} failed", style="red") if bad else "")
        if table.row_count:
            parts += [Text(f"\n{title}", style="dim"), table]
    return Group(*parts)


def line(found: Found) -> Text:
    """Return one entry on a line."""
    entry = found.entry
    return Text.assemble((f"{_clock(entry)}  ", "dim"), f"{entry.stream}  ", (f"{entry.type}  ", "bold"), told(entry))


def told(entry: Entry) -> str:
    """Return what an entry says to a person."""
    facts = {key: _plain(value) for key, value in entry.body.items() if key != "set"}
    try:
        changed = {key: _plain(value) for key, value in entry.body.get("set", {}).items()}
        return _TOLD[entry.type].format_map(changed | facts)
    except KeyError:
        return f"{entry.type}: " + ", ".join(f"{key} {value}" for key, value in facts.items())


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items()) or "nothing"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "nobody"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f"{text[:_SHORT]}…" if len(text) == 64 and text.isalnum() else text


def _clock(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.ts / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
