"""From messages to missions: parse, group, diagnose once, and never let one message delay another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from grace.diagnoses.rulebook import Rulebook
from grace.errors import GraceError, InvalidSignal
from grace.flow.grouping import take
from grace.flow.loading import contended
from grace.model.base import sha256_hex
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.metric import Metric
from grace.model.records import Quarantined, Subsystem
from grace.model.signal import Signal
from grace.ports import Services
from grace.signals import parse

TOGETHER = 80
"""So many signals of one group are taken at once: their alarms are read in one call, which has room for 100 keys."""


class Message(NamedTuple):
    """One message of the queue: its id, for the partial answer, and its body."""

    id: str
    body: str


def triage(messages: Sequence[Message], services: Services, rulebook: Rulebook) -> list[str]:
    """Take a batch of messages and return the ids of those to be delivered again.

    What cannot be read is quarantined, counted and acknowledged: delivering it again would not help. A failure with
    one group's signals gives back that group's messages alone.
    """
    failed: list[str] = []
    groups: dict[str, list[Signal]] = defaultdict(list)
    senders: dict[str, list[str]] = defaultdict(list)
    for message in messages:
        try:
            signal = parse(message.body)
        except InvalidSignal as exc:
            services.telemetry.about(message=message.id)
            if not _done(partial(quarantine, message.body, exc, services), services):
                failed.append(message.id)
            continue
        groups[signal.group].append(signal)
        senders[signal.group].append(message.id)
    for group, signals in groups.items():
        ordered = sorted(signals, key=lambda s: s.at)
        services.telemetry.about(group=group, corr=ordered[0].corr)
        parts = [ordered[n : n + TOGETHER] for n in range(0, len(ordered), TOGETHER)]
        if not all(
            _done(partial(contended, partial(take, part, services, rulebook), services), services) for part in parts
        ):
            failed += senders[group]
    services.telemetry.about()
    return failed


def quarantine(body: str, problem: InvalidSignal, services: Services) -> None:
    """Keep a message that nobody can read, whole, with the reason; tell people, and count it, once per message.

    Raises:
        GraceError: it could not be kept, or nobody be told; the message must be delivered again.
    """
    raw = body.encode("utf-8", "surrogatepass")
    pointer = services.vault.put(f"quarantine/{sha256_hex(raw)}", raw)
    done = ref(Quarantined, pointer.sha256)
    if services.store.read(done).get(done):
        return
    # Before it is written: a message that is delivered again is known by what is written, and told of no more.
    services.messages.notify("medium", "an alert could not be read", f"{problem}\nKept whole as {pointer.key}.")
    entry = EntryDraft(
        type="signal.quarantined", body={"key": pointer.key, "sha256": pointer.sha256, "field": problem.field[:200]}
    )
    if contended(partial(_write_quarantined, pointer.sha256, entry, services), services):
        services.telemetry.count(Metric.QUARANTINED)


def _write_quarantined(sha256: str, entry: EntryDraft, services: Services) -> bool:
    at, part = services.clock.now(), ref(Subsystem, "quarantine")
    was = services.store.read(part, stream="sys:quarantine").get(part)
    head = was or Subsystem(name="quarantine", at=at)
    done = services.store.commit(
        Commit(
            command=command_id("quarantine", sha256),
            head=head.model_copy(update={"at": at, "count": head.count + 1}),
            was=was,
            entries=(entry,),
            at=services.clock.now(),
            actor="grace",
            subsystem="triage",
            items=(Quarantined(sha256=sha256, at=at),),
        )
    )
    return not done.replayed


def _done(work: Callable[[], object], services: Services) -> bool:
    """Whether it worked; a failure is logged and the message given back, so the queue delivers it again."""
    try:
        news = work()
    except GraceError as exc:
        services.telemetry.trouble("triage", exc)
        return False
    if news:
        services.telemetry.done("taken")
    return True
