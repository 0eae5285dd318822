"""`grace ledger …`: the log checked, kept an eye on, copied, proved and told. None of it trusts where the log is read."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from grace.errors import IntegrityError
from grace.ledger import finding, fsck, note, proof, tiles
from grace.ledger.activity import tally
from grace.ledger.ed25519 import KeyVerifier
from grace.ledger.finding import Found
from grace.ledger.note import Checkpoint, PublicKey
from grace.ledger.signed import SignedEntries
from infra.cli import ledger_views, replaying, views
from infra.cli.commands import Commands
from infra.cli.errors import CommandError
from infra.cli.log_source import (
    Folder,
    Pin,
    Pins,
    Source,
    bucket,
    given_key,
    kept_elsewhere,
    one_key,
    pins,
    published_key,
)
from infra.cli.reach import Reach, reach
from infra.local.engine import Engine
from infra.local.paths import Layout

UNSOUND = 1
"""The exit code when the log, or a proof, is not sound."""
_POLL_SECONDS = 5
_AGAIN_SECONDS = 1
"""The signer stores each checkpoint twice, a moment apart."""


def add(commands: Commands) -> None:
    """Add the group of commands."""
    group = commands.group("ledger", "the log that outsiders can check")
    verify = group.add("verify", "check the whole log, or what is new since the pin", _verify)
    verify.add_argument("--since-pin", action="store_true", help="begin at the last checkpoint that was seen here")
    verify.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="checkpoints that were kept elsewhere, or letters with one",
    )
    verify.add_argument("--json", action="store_true", help="write JSON instead of text")
    pin = group.add("pin", "remember the newest checkpoint on this disk; refuse a log that does not extend it", _pin)
    download = group.add("download", "copy the log to a folder, to check it without a connection", _download)
    download.add_argument("folder", type=Path)
    prove = group.add("prove", "write a proof file for each entry of a contract or mission", _prove)
    prove.add_argument("stream", metavar="CONTRACT", help="a contract's id (c-…), or a mission's (m-…)")
    prove.add_argument("-o", "--output", type=Path, help="the folder for the proof files (default: named by the id)")
    check = group.add("check", "check proof files: no account, no connection, nothing but the log's public key", _check)
    check.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a proof file, or a folder of them")
    check.add_argument("--json", action="store_true", help="write JSON instead of text")
    story = group.add("story", "tell what happened, from entries that are proved", _story)
    story.add_argument("stream", metavar="CONTRACT|MISSION", help="a contract's id (c-…), or a mission's (m-…)")
    tail = group.add("tail", "the newest entries", _tail)
    tail.add_argument("-n", type=int, default=20, help="how many (default: 20)")
    tail.add_argument("--follow", action="store_true", help="go on with each new one")
    replay = group.add("replay", "build every contract, mission and approval anew from the log alone", _replay)
    replay.add_argument("--compare", action="store_true", help="compare them with the tables")
    replay.add_argument("--json", action="store_true", help="write JSON instead of text")
    counts = group.add("activity", "who did what, and what failed, counted over signed entries", _activity)
    counts.add_argument("--hours", type=int, default=24, help="of the last so many hours (default: 24)")
    counts.add_argument("--json", action="store_true", help="write JSON instead of text")
    for command in (verify, pin, prove, story, tail, replay, counts):
        command.add_argument("--from", dest="folder", type=Path, help="a copy of the log, instead of the log itself")
    for command in (verify, pin, download, prove, check, story, tail, replay, counts):
        command.add_argument("--vkey", help="the log's public key, or a file that holds it")
        commands.deployed(command)


@dataclass(frozen=True)
class Opened:
    """A log at one moment: its objects, its key, its newest checkpoint, and what was last seen of it here."""

    source: Source
    key: KeyVerifier
    head: Checkpoint
    signed: bytes
    pin: Pin
    pinned: Checkpoint | None
    paths: Sequence[str] = ()
    """The objects that there were before the checkpoint was read, where they were asked for."""

    def fetch(self, path: str) -> bytes | None:
        """Return an object's bytes, or None when it is not there; `checkpoint` is always the one of this moment."""
        return self.signed if path == fsck.CHECKPOINT else self.source.fetch(path)

    def extends(self) -> None:
        """Check that the log begins with what was last seen of it; raises `IntegrityError` when it does not."""
        if self.pinned is not None:
            fsck.extends(self.pinned, self.head, self.source.fetch)

    def keep(self) -> None:
        """Remember the newest checkpoint as the last one seen; raises `IntegrityError` when another is by now."""
        self.pin.keep(self.key, self.signed, self.fetch)

    def covered(self) -> SignedEntries:
        """Return the entries that the checkpoint covers, none of which is believed before it leads to its root."""
        return SignedEntries(self.fetch, self.head)

    def entries(self, stream: str) -> list[Found]:
        """Return a contract's entries, or those of a mission and all that followed from its alert."""
        find = finding.family_of if stream.startswith("m-") else finding.stream_of
        return find(self.covered(), stream)

    def write_proofs(self, found: Sequence[Found], folder: Path) -> None:
        """Write a proof file for each entry, named in their order."""
        for number, one in enumerate(found, 1):
            proved = finding.prove(self.fetch, self.head, self.signed, one, self.key)
            _write(folder / f"{number:02d}-{one.entry.type}{proof.SUFFIX}", proved.data)


def opened(arguments: argparse.Namespace, *, listed: bool = False) -> Opened:
    """Return the log that the arguments name: the deployment's, or a copy; `listed`, with the names of its objects.

    Raises:
        CommandError: there is none, or its key is known to nobody.
        IntegrityError: its newest checkpoint is not signed by the key.
    """
    given = given_key(arguments.vkey) if arguments.vkey is not None else None
    if getattr(arguments, "folder", None) is not None and arguments.run is not _download:
        source: Source = Folder(arguments.folder)
        if source.fetch(fsck.CHECKPOINT) is None:
            raise CommandError(f"{arguments.folder} holds no log: `grace ledger download` makes a copy.")
        kept = _pins(arguments).of(_origin(source.fetch(fsck.CHECKPOINT) or b""))
        return _at(source, KeyVerifier(one_key(given, kept.key)), kept, listed=listed)
    return published(reach(arguments.prefix, arguments.root), _pins(arguments), given, listed=listed)


def published(place: Reach, known: Pins, given: PublicKey | None = None, *, listed: bool = False) -> Opened:
    """Return a deployment's log as it stands now, under the key that a person gave, pinned, or KMS states.

    Raises:
        CommandError: the deployment has no log.
        IntegrityError: the keys differ, or none of them signed the newest checkpoint.
    """
    stated = published_key(place)
    kept = known.of(stated.name)
    return _at(bucket(place), KeyVerifier(one_key(given, kept.key, stated)), kept, listed=listed)


def _at(source: Source, key: KeyVerifier, kept: Pin, *, listed: bool) -> Opened:
    pinned = kept.checkpoint(key)
    # In this order: the log grows all the time, and what is pinned or listed is then no newer than the checkpoint.
    paths = source.listing() if listed else []
    head, signed = fsck.newest(source.fetch, key)
    if head.size < max((fsck.kept_size(path) or 0 for path in paths), default=0):
        time.sleep(_AGAIN_SECONDS)
        head, signed = fsck.newest(source.fetch, key)
    return Opened(source, key, head, signed, kept, pinned, paths)


def _verify(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments, listed=True)
    if arguments.since_pin and log.pinned is None:
        raise CommandError("Nothing is pinned here yet: `grace ledger verify` checks the whole log and pins it.")
    kept = {file: kept_elsewhere(file, log.key) for file in arguments.against}
    with Progress(console=console, transient=True, disable=arguments.json or not console.is_terminal) as bar:
        task = bar.add_task(f"checking {log.source.place}")
        report = fsck.check(
            log.fetch,
            log.paths,
            log.key,
            pin=log.pinned,
            whole=not arguments.since_pin,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    report = report._replace(findings=(*report.findings, *_denied(kept, log)))
    if report.sound:
        log.keep()
    if arguments.json:
        views.print_json(console, ledger_views.report_document(report, log.pinned, kept))
    else:
        console.print(ledger_views.report_view(report, log.source.place, log.pinned, kept), crop=False)
    return 0 if report.sound else UNSOUND


def _denied(kept: Mapping[Path, Checkpoint], log: Opened) -> Iterator[fsck.Finding]:
    """Yield what is wrong where the log does not begin with what somebody kept of it."""
    for file, point in kept.items():
        try:
            fsck.extends(point, log.head, log.source.fetch)
        except IntegrityError as exc:
            yield fsck.Finding(str(file), str(exc))


def _pin(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments)
    log.extends()
    log.keep()
    console.print(ledger_views.pin_view(log.head, log.key.key.vkey, log.pinned), crop=False)
    return 0


def _download(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments, listed=True)
    log.extends()
    copied = 2
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        for path in bar.track(_consists_of(log), description=f"copying {log.source.place}"):
            # One that is gone meanwhile: a partial tile that a full one has replaced, or the copy's check says so.
            if (data := log.source.fetch(path)) is not None:
                _write(arguments.folder / path, data)
                copied += 1
    _write(arguments.folder / fsck.VKEY, f"{log.key.key.vkey}\n".encode())
    _write(arguments.folder / fsck.CHECKPOINT, log.signed)
    log.keep()
    console.print(f"{copied} objects, {log.head.size} entries, are in {arguments.folder}.")
    console.print(f"What next: grace ledger verify --from {arguments.folder}", style="dim")
    return 0


def _consists_of(log: Opened) -> list[str]:
    """Return what to copy: what was listed, and what came in since and the checkpoint needs."""
    needed: Iterable[str] = (place.path for place in tiles.places_between(0, log.head.size))
    return sorted({*log.paths, *needed, f"{fsck.KEPT}{log.head.size}"} - {fsck.CHECKPOINT, fsck.VKEY})


def _prove(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments)
    log.extends()
    folder = arguments.output or Path(arguments.stream)
    found = log.entries(arguments.stream)
    log.write_proofs(found, folder)
    console.print(
        f"{len(found)} proof files are in {folder}: each entry of {arguments.stream}, under the checkpoint of"
    )
    console.print(f"{log.head.size} entries. Whoever has the key below can check them without an account:")
    console.print(f"  {log.key.key.vkey}", crop=False, soft_wrap=True)
    console.print(f"What next: grace ledger check {folder}", style="dim")
    return 0


def _check(arguments: argparse.Namespace, console: Console) -> int:
    files = [file for name in arguments.files for file in _proof_files(name)]
    given = given_key(arguments.vkey) if arguments.vkey is not None else None
    checked: list[ledger_views.Checked] = []
    for file in files:
        try:
            checked.append(_checked(file, arguments, given))
        except IntegrityError as exc:
            checked.append(ledger_views.Checked(str(file), None, None, str(exc)))
    if arguments.json:
        views.print_json(console, [each.document() for each in checked])
    else:
        console.print(ledger_views.checked_view(checked), crop=False)
    return 0 if all(each.fault is None for each in checked) else UNSOUND


def _checked(file: Path, arguments: argparse.Namespace, given: PublicKey | None) -> ledger_views.Checked:
    made = proof.parse(file.read_bytes())
    if made.extra is None:
        raise IntegrityError("the proof file does not hold the entry that it proves")
    key = KeyVerifier(one_key(given, _pins(arguments).of(_origin(made.note)).key))
    head = proof.check(made, made.extra, [key], key.name)
    return ledger_views.Checked(str(file), finding.found(made.index, made.extra), head, None)


def _story(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments)
    log.extends()
    found = log.entries(arguments.stream)
    console.print(ledger_views.story_view([one.entry for one in found]), crop=False)
    console.print(
        f"{len(found)} entries, each proved to be in the log of {log.head.size} that {log.key.name} signed.",
        style="dim",
    )
    return 0


def _tail(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments)
    log.extends()
    seen = max(0, log.head.size - max(0, arguments.n))
    while True:
        for one in finding.entries_from(log.covered(), seen):
            console.print(ledger_views.line(one), crop=False, soft_wrap=True)
        seen = log.head.size
        if not arguments.follow:
            return 0
        time.sleep(_POLL_SECONDS)
        before = log
        log = opened(arguments)
        fsck.extends(before.head, log.head, log.source.fetch)


def _replay(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments)
    log.extends()
    entries = finding.entries_from(log.covered())
    services = reach(arguments.prefix, arguments.root).services if arguments.compare else None
    replayed = replaying.replayed((one.entry for one in entries), services)
    if arguments.json:
        views.print_json(console, replayed.document())
    else:
        console.print(ledger_views.replayed_view(replayed, log.head), crop=False)
    return UNSOUND if replayed.faults else 0


def _activity(arguments: argparse.Namespace, console: Console) -> int:
    log = opened(arguments)
    log.extends()
    since = int((time.time() - 3600 * arguments.hours) * 1000)
    counts = tally(one.entry for one in finding.since(log.covered(), since))
    counted = {"activity": counts.activity, "failures": counts.failures}
    if arguments.json:
        views.print_json(console, {"entries": counts.entries, "hours": arguments.hours, **counted})
    else:
        console.print(ledger_views.activity_view(counted, counts.entries, arguments.hours), crop=False)
    return 0


def _proof_files(name: Path) -> list[Path]:
    files = sorted(name.glob(f"*{proof.SUFFIX}")) if name.is_dir() else [name]
    files = [file for file in files if file.is_file()]
    if not files:
        raise CommandError(f"{name} is no proof file and no folder with any (they end in {proof.SUFFIX}).")
    return files


def _pins(arguments: argparse.Namespace) -> Pins:
    engine = Engine(arguments.root).status()
    return pins(Layout(arguments.root).pins if engine is not None else None, dict(os.environ))


def _origin(signed: bytes) -> str:
    """Return the log that a note says it is of; only its key tells whether that is so.

    Raises:
        IntegrityError: it is no checkpoint at all.
    """
    text, blank, _ = signed.partition(b"\n\n")
    return note.parse(text + blank[:1]).origin


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
