"""The storyteller: deploys Grace and the shop, breaks the shop three times, and tells how each of them ends."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from grace.errors import IntegrityError, TransientError
from infra.cli.errors import CommandError
from infra.cli.lifecycle import install, start
from infra.cli.progress import told
from infra.cli.reach import Reach, engine_only
from infra.demo import breaking, facts
from infra.demo.approving import Approving
from infra.demo.incidents import Incident, incidents
from infra.demo.proving import GO, PROOFS, LedgerReport, prove
from infra.demo.report import report
from infra.demo.telling import stage
from infra.demo.traffic import Traffic
from infra.local.deploy import clients
from infra.local.engine import Engine, EngineState
from infra.local.inbox import letters, page_address
from infra.local.paths import ROOT
from infra.local.reconcile import Clients

HEALTHY_SECONDS = 60
"""How long the shop is watched before it is broken: what Grace compares with needs five of an alarm's periods."""
PATIENCE_SECONDS = 300
"""An incident that has not ended by then is told as it stands, and the demo has failed."""
INTERACTIVE_SECONDS = 2100
"""A person at the page may take as long as an approval of tier 2 lives."""
LOOK_SECONDS = 0.7


def tell(console: Console, *, keep: bool = False, interactive: bool = False, root: Path = ROOT) -> int:
    """Tell the three incidents from an empty machine to the report; returns 0 when each ended as it must.

    `interactive` leaves the decision by mail to whoever sits here; else a browser takes it.

    Whatever happens, also when a person interrupts, the engine ends and leaves nothing behind, unless `keep` says so.

    Raises:
        CommandError: an engine runs already.
        LocalError: the engine or a deploy failed.
    """
    if Engine(root).status() is not None:
        raise CommandError("An engine runs here already and the demo tells its story on a fresh one: run `grace down`.")
    started = time.monotonic()
    with _interruptible(), _engine(console, root, keep=keep) as aws:
        state = Engine(root).status()
        assert state is not None
        shop = install(console, state, root=root, what="the shop", app=_app())
        breaking.fill_group(aws)
        traffic = Traffic(aws)
        traffic.start()
        opened = time.monotonic()
        try:
            grace = install(console, state, root=root, modes=json.dumps(facts.MODES), mail=_mail(state, aws))
            _watch(console, opened)
            place = engine_only(root)
            approving = Approving(console, root, lambda: letters(state), interactive=interactive)
            cast = incidents(approving.begin)
            _play(console, place, aws, cast, traffic=traffic, approving=approving)
        finally:
            traffic.stop()
        proved = _prove(console, place, cast, root)
        result = report(place, shop.seconds + grace.seconds, cast, proved)
        file = result.write(root)
    well = all(each.as_promised for each in cast) and not result.reported_success_without_verification
    well = well and proved is not None and proved.verified
    ended = ", ".join(f"{each.telling.title}: {each.status or 'not ended'}" for each in cast)
    console.print(f"{ended}.  Told in {time.monotonic() - started:.0f} s; written to {file.relative_to(root)}.")
    if not well:
        console.print("At least one incident did not end as it must.", style="bold red")
    return 0 if well else 1


@contextmanager
def _engine(console: Console, root: Path, *, keep: bool) -> Iterator[Clients]:
    """Start an engine, and end it whatever happens; nobody can interrupt the cleaning up."""
    try:
        yield clients(start(console, root=root))
    finally:
        if keep:
            console.print("The engine keeps running: grace missions · grace show CONTRACT · grace down", style="dim")
        else:
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            with told(console, "cleaning up"):
                Engine(root).stop()
            signal.signal(signal.SIGINT, before)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Take being ended like being interrupted, so that cleaning up happens then, too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _app() -> str:
    return shlex.join([sys.executable, "-m", facts.APP])


def _watch(console: Console, opened: float) -> None:
    """Let the shop be healthy for long enough to be compared with."""
    until = opened + HEALTHY_SECONDS
    if time.monotonic() < until:
        with told(console, "letting the shop be healthy for a while: Grace compares with that") as says:
            while (left := until - time.monotonic()) > 0:
                says(f"{left:.0f} s")
                time.sleep(min(left, 1.0))


def _mail(state: EngineState, aws: Clients) -> str:
    """Have SES know the addresses, as an account does after its owner proved them; return how mail is set up."""
    for address in (facts.SENDER, *facts.addresses()):
        aws("ses").verify_email_identity(EmailAddress=address)
    return json.dumps({"sender": facts.SENDER, "base_url": page_address(state)})


def _play(
    console: Console,
    place: Reach,
    aws: Clients,
    cast: Sequence[Incident],
    *,
    traffic: Traffic,
    approving: Approving,
) -> None:
    deadline = time.monotonic() + (INTERACTIVE_SECONDS if approving.interactive else PATIENCE_SECONDS)
    with stage(console, [each.telling for each in cast], lambda: _footer(traffic)):
        for each in cast:
            each.begin(aws)
        while not all(each.over for each in cast) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            approving.check()
            try:
                _look(place, cast)
            except TransientError:
                # The engine is busy with the incidents themselves: the next look will see it.
                continue
        approving.end()


def _prove(console: Console, place: Reach, cast: Sequence[Incident], root: Path) -> LedgerReport | None:
    """Have the log prove what was told; None, and why, when it does not."""
    try:
        with told(console, "proving each entry of the three, with the log's key alone") as says:
            found = prove(place, [each.contract for each in cast if each.contract], root, says)
    except IntegrityError as exc:
        console.print(f"The log does not prove it: {exc}.", style="bold red")
        return None
    console.print(
        f"The log of {found.size} entries is {'sound' if found.verified else 'NOT SOUND'}; {found.proofs_checked} proofs"
        f" were checked offline: grace ledger check {PROOFS}/c-… --vkey KEY"
    )
    if GO in found.checkers:
        console.print(f"A second program found the same of each of them, which is built on Go's own library ({GO}).")
    else:
        console.print(
            f"By Grace's own code alone: the second program, on Go's own library ({GO}), was not built by the set-up.",
            style="yellow",
        )
    return found


def _look(place: Reach, cast: Sequence[Incident]) -> None:
    services = place.services
    for each in cast:
        if not each.over:
            each.follow(services, None if each.group else services.alarms.describe(each.alarm.name))


def _footer(traffic: Traffic) -> str:
    checkout, workers, search = traffic.checkout, traffic.workers, traffic.search
    return (
        f" traffic: checkout {checkout.calls} calls, {checkout.failures} failed · orders wait {workers.last:.0f} ms"
        f" for the supplier · search uses {search.last:.0f} % of its memory"
    )
