"""`grace policy check | explain`: what may be done, what decided it, and what would change it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grace.actions.base import action
from grace.gateways.cedar import CedarPolicy
from grace.model.catalogue import Catalogue, CataloguedPlaybook
from grace.model.contract import Contract, Mode
from grace.model.policy import Calendar, PolicyAnswer
from grace.model.resource import ResourceRef
from grace.model.ruling import Ruling, Seen
from grace.policy.calendar import moment
from grace.policy.questions import MANAGED, Proposal
from grace.policy.ruling import Allowed, decide, refusal
from grace.policy.sources import constitution
from grace.ports import Policy
from grace.resources.base import resource_type
from infra.catalogue import catalogue_of, policy_of
from infra.cli import views
from infra.cli.commands import Commands
from infra.cli.configuration import configured
from infra.cli.dossier import dossier
from infra.cli.errors import CommandError
from infra.cli.reach import reach

ACCOUNT, REGION = "111122223333", "eu-central-1"
"""Where the made-up resources of `check` are."""


def add(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("policy", "what may be done, by which policy")
    check = group.add("check", "say what is wrong in policies, and what they allow each playbook", _check)
    check.add_argument("directory", nargs="?", type=Path, help="a folder of policies, beside those of cdk.json")
    check.add_argument("--json", action="store_true", help="write JSON instead of text")
    explain = group.add("explain", "say which policies decided a contract, and what would change that", _explain)
    explain.add_argument("contract", help="the contract's id (c-…)")
    explain.add_argument("--json", action="store_true", help="write JSON instead of text")
    commands.deployed(explain)


def _check(arguments: argparse.Namespace, console: Console) -> int:
    folder: Path | None = arguments.directory
    if folder is not None and not folder.is_dir():
        raise CommandError(f"{folder} is no folder: name the folder that holds the .cedar files.")
    chosen = configured().deployment
    source = policy_of(chosen, [folder] if folder else [])
    files = (constitution(), *source.files)
    policy = CedarPolicy(files, source.own_schema, source.digest, account=ACCOUNT, region=REGION)
    catalogue = Catalogue.model_validate_json(catalogue_of(chosen))
    rows = [(each.spec.name, *_at_noon(each, catalogue, policy)) for each in catalogue.playbooks]
    if arguments.json:
        views.print_json(
            console, {"digest": source.digest, "playbooks": [dict(zip(_FIELDS, row, strict=True)) for row in rows]}
        )
        return 0
    console.print(f"{len(files)} files of policies are in order (set {source.digest[:12]}).")
    table = Table("playbook", "own tier", "may run", "decided by", box=None, header_style="bold", pad_edge=False)
    for name, tier, allowed, by in rows:
        table.add_row(name, str(tier), Text(allowed, "red" if allowed == "not at all" else ""), Text(by))
    console.print(table)
    console.print(
        "Each playbook as if autonomous, now, on a plain resource of its type tagged grace:managed=true.", style="dim"
    )
    return 0


_FIELDS = ("playbook", "tier", "allowed", "by")


def _at_noon(playbook: CataloguedPlaybook, catalogue: Catalogue, policy: Policy) -> tuple[int, str, str]:
    spec = playbook.spec
    act = action(str(spec.action["use"]))
    now = moment(catalogue.calendar, datetime.now(UTC))
    seen = Seen(confidence=0, acted=0, failures=0, breaker_open=False, in_flight=0, **now.model_dump())
    arn = resource_type(spec.resource).arns[0].format(account=ACCOUNT, region=REGION).replace("*", "example")
    proposal = Proposal(
        playbook=spec.name,
        action=act.name,
        undo=act.undo,
        effect=act.effect,
        diagnosis=spec.diagnoses[0].value,
        likelihood=0.8,
        resource=ResourceRef(type=spec.resource, arn=arn),
    )
    found = decide(proposal, seen, {MANAGED: "true"}, policy, tier=spec.tier, mode=Mode.AUTONOMOUS)
    if isinstance(found, Allowed):
        return spec.tier, f"tier {found.tier}, {found.mode.value}", ", ".join((*found.by, *found.raised_by))
    return spec.tier, "not at all", str(refusal(found, seen))


def _explain(arguments: argparse.Namespace, console: Console) -> int:
    place = reach(arguments.prefix, arguments.root)
    contract = dossier(arguments.contract, place.services).contract
    ruling = contract.policy
    if ruling is None:
        raise CommandError(f"{contract.contract_id} was drafted in shadow: it never acts, so no policy was asked.")
    ruling = _whole(contract, ruling, place.services.catalogue.calendar)
    changes = list(what_would_change(contract, ruling, place.services.policy))
    if arguments.json:
        views.print_json(
            console,
            {
                "ruling": ruling.model_dump(mode="json"),
                "tier": contract.tier,
                "mode": contract.mode.value,
                "would_change": [list(each) for each in changes],
            },
        )
    else:
        _tell(contract, ruling, changes, place.services.policy.digest, console)
    return 0


def _whole(contract: Contract, ruling: Ruling, calendar: Calendar) -> Ruling:
    """Return the ruling with what the contract says anyway: its time, and the tag without which it would not be."""
    now = moment(calendar, contract.created_at)
    clock = {"weekday": now.weekday, "hour": now.hour, "minute": now.minute}
    return ruling.model_copy(
        update={"seen": ruling.seen.model_copy(update=clock), "tags": {MANAGED: "true"} | ruling.tags}
    )


def _tell(contract: Contract, ruling: Ruling, changes: list[tuple[str, str]], deployed: str, console: Console) -> None:
    seen = ruling.seen
    lines = [
        ("who", f"playbook {contract.playbook}, asked for by {contract.requested_by}"),
        ("would do", contract.action.use),
        ("to", contract.resource.arn),
        ("because", f"{contract.diagnosis.value}, likelihood {contract.likelihood:.0%}"),
        ("allowed", f"at tier {contract.tier}, {contract.mode.value}, by {', '.join(ruling.by)}"),
        ("less was forbidden by", ", ".join(ruling.raised_by) or "nothing"),
        ("may not decide it", ", ".join(ruling.barred) or "nobody is barred by policy"),
        (
            "record",
            f"lower bound {seen.confidence / 10:.1f} % verified, of {seen.acted} acts; {seen.failures} undone in 24 h",
        ),
        ("felt by", _felt(seen)),
        ("when", f"weekday {seen.weekday}, {seen.hour:02}:{seen.minute:02}; freeze: {seen.frozen or 'none'}"),
        ("tags asked for", ", ".join(f"{key}={value}" for key, value in ruling.tags.items()) or "none"),
        ("policy set", ruling.digest[:12] + ("" if ruling.digest == deployed else f" (now deployed: {deployed[:12]})")),
    ]
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, told in lines:
        table.add_row(Text(name, "bold"), Text(told))
    console.print(table)
    console.print("\nWhat would change it, by the policies deployed now:", style="bold")
    for what, told in changes:
        console.print(f"  {what}: {told}", highlight=False, markup=False)


def what_would_change(contract: Contract, ruling: Ruling, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield each single fact that would lead to another ruling, and to which one."""
    proposal, seen = Proposal.of(contract), ruling.seen
    as_is = _said(decide(proposal, seen, ruling.tags, policy, tier=contract.tier, mode=contract.mode), seen)
    others: dict[str, dict[str, object]] = {
        "the kill switch on": {"kill_switch": True},
        "the resource in safe-hold": {"hold": True},
        "the playbook's breaker open": {"breaker_open": True},
        "a freeze": {"frozen": "a freeze"},
        "outside the change windows": {"in_window": False},
        "inside a change window": {"in_window": True},
        "more than half of what serves taken away": {"removes": 51},
        "a dozen things depending on it": {"dependents": 12},
        "a hundred targets": {"reach": 100},
        "not known by what it is felt": {"reach": None, "dependents": None},
    }
    for what, update in others.items():
        other = seen.model_copy(update=update)
        told = _said(decide(proposal, other, ruling.tags, policy, tier=contract.tier, mode=contract.mode), other)
        if told != as_is:
            yield what, told
    untagged = {key: value for key, value in ruling.tags.items() if key != MANAGED}
    yield (
        "without the tag grace:managed=true",
        _said(decide(proposal, seen, untagged, policy, tier=contract.tier, mode=contract.mode), seen),
    )


def _felt(seen: Seen) -> str:
    """Say how far it is felt, as policy was told."""
    if seen.reach is None:
        return "not known, or no policy asks"
    depends = "not known" if seen.dependents is None else str(seen.dependents)
    return f"targets: {seen.reach}; what depends on them: {depends}"


def _said(found: Allowed | PolicyAnswer, seen: Seen) -> str:
    if isinstance(found, Allowed):
        return f"tier {found.tier}, {found.mode.value}"
    return f"refused: {refusal(found, seen)}"
