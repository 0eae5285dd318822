"""The verifier: every quarter of an hour it looks at the log with eyes of its own, and its result is an entry itself.

It reads everything and changes nothing but its own pin. What it finds is written, published and told, and ends in an
error, so that the alarm on its errors rises; that it is silent raises another.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from grace.errors import IntegrityError
from grace.flow.checks import Findings, check_log
from grace.flow.loading import contended
from grace.flow.nights import check_whole, with_lock
from grace.flow.tables import check_all, check_streams
from grace.ledger.activity import tally
from grace.model.base import Json, Model
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.log import PARTS, AuditPin, Issue, Part
from grace.model.records import Subsystem
from grace.model.signal import MetricRef
from grace.ports import SeriesRequest, Services

NAME = "audit"
WRITTEN = 20
"""So many findings of one run become entries of their own; the result counts them all."""
REMEMBERED = 50
"""So many findings are remembered as told."""
NIGHTLY = ("swept", "seen", "derived", "lock_days", "lock_since")
"""What of the pin says how far the nights have come."""
LATE = timedelta(minutes=3)
"""How long the service may take to count an invocation."""


class Audited(Model):
    """What one run found: the size it checked up to, how many entries were new, and every finding."""

    size: int
    first: int
    entries: int
    issues: tuple[Issue, ...]


def audit(services: Services, *, prefix: str, full: bool = False) -> Audited:
    """Check the log since the last run, or all of it; write the result and tell what is new in it.

    `prefix` is how the names of this deployment's functions begin.

    Raises:
        IntegrityError: something is an alarm. It has been written and told by then.
    """
    at, pin_ref = services.clock.now(), ref(AuditPin)
    pin = services.store.read(pin_ref).get(pin_ref) or AuditPin(at=at)
    night = with_lock(pin, at, services)
    found = check_log(night, at, services)
    if full:
        night = check_whole(night, at, services, found)
        swept = check_all(pin.swept, (found.mark or pin.mark).size, at, services, found)
        night = night.model_copy(update={"swept": swept})
    check_streams((entry.stream for entry in [*found.entries, *found.waiting]), services, found)
    gaps = _silent(pin, at, prefix, services)
    result = Audited(
        size=(found.mark or pin.mark).size, first=pin.mark.size, entries=len(found.entries), issues=tuple(found.issues)
    )
    alarms = [issue for issue in found.issues if issue.alarm]
    _tell(alarms, gaps, pin, services)
    contended(partial(_write, result, found, gaps, services, pin=pin, night=night, at=at), services)
    if alarms or gaps:
        first = alarms[0].what if alarms else f"{gaps[0].name} is silent"
        raise IntegrityError(f"the log: {len(alarms)} findings and {len(gaps)} silent parts; the first: {first}")
    return result


def _silent(pin: AuditPin, at: datetime, prefix: str, services: Services) -> list[Part]:
    """V8: which of the registered parts has not run for twice its time. Its own runs the verifier knows from its pin.

    A deployment's first run asks nobody: the others may be younger than their time.
    """
    if not pin.version:
        return []
    others = [part for part in PARTS if part.name != NAME]
    requests = [_runs(part, at, prefix) for part in others]
    counted = services.metrics.fetch(requests)
    silent = [part for part, points in zip(others, counted, strict=True) if not sum(value for _, value in points)]
    own = next(part for part in PARTS if part.name == NAME)
    if at - pin.at > timedelta(seconds=2 * own.every):
        silent.append(own)
    return silent


def _runs(part: Part, at: datetime, prefix: str) -> SeriesRequest:
    """Return the question how often a part ran in twice its time, as the service counts it."""
    metric = MetricRef(
        namespace="AWS/Lambda",
        name="Invocations",
        stat="Sum",
        period=60,
        dimensions={"FunctionName": f"{prefix}-{part.name}"},
    )
    end = int(at.timestamp()) // 60 * 60
    return SeriesRequest(metric, end - 2 * part.every - int(LATE.total_seconds()), end)


def _tell(alarms: list[Issue], gaps: list[Part], pin: AuditPin, services: Services) -> None:
    """Publish every finding; people hear of each one once. Before it is written: twice rather than never."""
    for issue in alarms[:WRITTEN]:
        services.messages.publish("log.integrity_issue", _body(issue))
    for part in gaps:
        services.messages.publish("log.subsystem_gap", _gap(part))
    new = [f"{issue.check} {issue.where}: {issue.what}" for issue in alarms if issue.key not in pin.told]
    new += [f"{part.name} has not run for {2 * part.every} seconds" for part in gaps if _key(part) not in pin.told]
    if new:
        services.messages.notify(
            "critical",
            "the audit log: " + (f"{len(new)} findings" if len(new) > 1 else "a finding"),
            "What happened: the verifier found\n"
            + "\n".join(f"- {each}" for each in new[:WRITTEN])
            + "\nWhat Grace did: it wrote this into the log. Nothing was changed.\n"
            "Is it safe now: remediation goes on; believe no history before you know what this is.\n"
            "What next: grace ledger verify; docs/operations.md, 'The log has a finding'.",
        )


def _write(
    result: Audited,
    found: Findings,
    gaps: list[Part],
    services: Services,
    *,
    pin: AuditPin,
    night: AuditPin,
    at: datetime,
) -> None:
    """Write the result, each finding, and how far the verifier has come, in one transaction.

    Another run that overlapped this one may have written first. Its pin then stays: what was found was checked from the
    one before it.
    """
    pin_ref, own_ref = ref(AuditPin), ref(Subsystem, NAME)
    view = services.store.read(pin_ref, own_ref, stream=f"sys:{NAME}")
    now, own = view.get(pin_ref) or pin, view.get(own_ref)
    alone = now.version == pin.version
    head = own or Subsystem(name=NAME, at=at)
    told = tuple(dict.fromkeys([*(i.key for i in result.issues if i.alarm), *map(_key, gaps)]))
    counted = tally(found.entries)
    body: dict[str, Json] = {
        "size": result.size,
        "first": result.first,
        "entries": result.entries,
        "issues": len(result.issues),
        "gaps": len(gaps),
        "activity": counted.activity,
        "failures": counted.failures,
    }
    drafts = [EntryDraft(type="log.verified" if not told else "log.doubted", body=body)]
    drafts += [EntryDraft(type="log.integrity_issue", body=_body(issue)) for issue in result.issues[:WRITTEN]]
    drafts += [EntryDraft(type="log.subsystem_gap", body=_gap(part)) for part in gaps]
    services.store.commit(
        Commit(
            command=command_id(NAME, str(head.version), at.isoformat()),
            head=head.model_copy(update={"count": head.count + 1, "at": at}),
            was=own,
            entries=tuple(drafts),
            at=services.clock.now(),
            actor="grace",
            subsystem=NAME,
            items=(
                now.model_copy(
                    update={
                        "mark": found.mark if found.mark and alone else now.mark,
                        "note": found.note if found.mark and alone else now.note,
                        "at": max(at, now.at),
                        "told": tuple(dict.fromkeys(told if alone else (*told, *now.told)))[:REMEMBERED],
                        **{name: getattr(night if _moved(name, pin, night) else now, name) for name in NIGHTLY},
                    }
                ),
            ),
        )
    )


def _moved(name: str, pin: AuditPin, night: AuditPin) -> bool:
    return bool(getattr(pin, name) != getattr(night, name))


def _body(issue: Issue) -> dict[str, Json]:
    return issue.model_dump(mode="json")


def _gap(part: Part) -> dict[str, Json]:
    return {"part": part.name, "seconds": 2 * part.every}


def _key(part: Part) -> str:
    return f"V8 {part.name}"
