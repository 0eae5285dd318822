"""`grace missions`, `grace show`, `grace why`, `grace autonomy`: what is so. They read and change nothing."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from rich.console import Console

from grace.diagnoses.rulebook import Rulebook
from grace.flow.autonomy import autonomy
from grace.flow.explain import why
from grace.model.contract import ContractHead
from grace.model.entry import ref
from grace.model.mission import Mission
from grace.model.records import KillSwitch
from grace.ports import Services
from infra.cli import views
from infra.cli.commands import Commands
from infra.cli.dossier import dossier
from infra.cli.reach import Reach, reach

FAR = timedelta(days=400)
"""Beyond any deadline: every open mission is due before."""


def add(commands: Commands) -> None:
    """Add the commands that read."""
    missions = commands.add("missions", "list what is open: what happened, and how far it is", _missions)
    show = commands.add("show", "everything about one contract", _show)
    show.add_argument("contract", help="the contract's id (c-…), or its mission's (m-…)")
    why_command = commands.add("why", "why Grace acts, or does not act, on an alarm or a resource", _why)
    why_command.add_argument("subject", help="an alarm's name or ARN, or a resource's ARN")
    how_far = commands.add("autonomy", "how far each playbook may go, and what it has shown", _autonomy)
    for command in (missions, show, why_command, how_far):
        commands.deployed(command)
        command.add_argument("--json", action="store_true", help="write JSON instead of text")


def _open_missions(services: Services) -> tuple[list[Mission], dict[str, ContractHead]]:
    """Return the missions that are not closed, the oldest first, and the heads of their contracts by id."""
    missions = sorted(services.store.open(Mission, datetime.now(UTC) + FAR), key=lambda mission: mission.opened_at)
    heads: dict[str, ContractHead] = {}
    for mission in missions:
        if mission.contract_id:
            where = ref(ContractHead, mission.contract_id)
            head = services.store.read(where).get(where)
            if head:
                heads[mission.contract_id] = head
    return missions, heads


def _missions(arguments: argparse.Namespace, console: Console) -> int:
    services = _reach(arguments).services
    missions, heads = _open_missions(services)
    if arguments.json:
        document = [
            {
                "mission": mission.model_dump(mode="json"),
                "contract": heads[key].model_dump(mode="json") if (key := mission.contract_id or "") in heads else None,
            }
            for mission in missions
        ]
        views.print_json(console, document)
    else:
        switch = services.store.read(ref(KillSwitch)).get(ref(KillSwitch))
        console.print(views.missions_view(missions, heads, switch), crop=False)
    return 0


def _show(arguments: argparse.Namespace, console: Console) -> int:
    found = dossier(arguments.contract, _reach(arguments).services)
    if arguments.json:
        views.print_json(console, found.document())
    else:
        console.print(views.contract_view(found), crop=False)
    return 0


def _why(arguments: argparse.Namespace, console: Console) -> int:
    services = _reach(arguments).services
    checks = why(arguments.subject, services, Rulebook(services.catalogue.rules))
    if arguments.json:
        views.print_json(console, [check.model_dump(mode="json") for check in checks])
    else:
        console.print(views.checks_view(arguments.subject, checks))
    return 0


def _autonomy(arguments: argparse.Namespace, console: Console) -> int:
    found = autonomy(_reach(arguments).services)
    if arguments.json:
        views.print_json(console, [each.model_dump(mode="json") for each in found])
    else:
        console.print(views.autonomy_view(found))
    return 0


def _reach(arguments: argparse.Namespace) -> Reach:
    return reach(arguments.prefix, arguments.root)
