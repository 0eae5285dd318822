"""`grace decide` and the operator's buttons: each is sent to the API, signed with the caller's identity."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.text import Text

from infra.cli import wording
from infra.cli.commands import Commands
from infra.cli.dossier import Dossier, dossier
from infra.cli.reach import reach
from infra.cli.signing import post


def add(commands: Commands) -> None:
    """Add the commands that decide and order."""
    decide = commands.add("decide", "approve or reject a contract that waits for people", _decide)
    decide.add_argument("contract", help="the contract's id (c-…)")
    decide.add_argument("decision", choices=("approve", "reject"))
    buttons = {
        "stop": ("throw the kill switch: nothing new is done, rollbacks still run", None),
        "resume": ("lift the kill switch", None),
        "rollback": ("undo a contract that is under way; the undo is measured", "contract"),
        "release": ("take a resource out of safe-hold", "resource"),
        "retry": ("draft a mission's contract again", "mission"),
        "dismiss": ("close a mission that waits for a person: it is dealt with", "mission"),
        "demote": ("lower a playbook's mode, now; raising it takes a reviewed configuration", "playbook"),
        "close-breaker": ("let a playbook act again whose contracts were undone too often", "playbook"),
    }
    for name, (about, target) in buttons.items():
        command = commands.add(name, about, _order)
        if target:
            command.add_argument("target", metavar=target.upper(), help=f"the {target}'s " + _FORM[target])
        if name == "stop":
            command.add_argument("reason", metavar="REASON", help="why, in a sentence that others will read")
        else:
            command.add_argument("--reason", required=name != "resume", help="why, in a sentence that others will read")
        if name == "demote":
            command.add_argument(
                "--to", choices=("shadow", "approval"), default="shadow", help="what it may at most do"
            )
        command.set_defaults(command=name)
    for name in ("decide", *buttons):
        command = commands.named(name)
        commands.deployed(command)
        command.add_argument("--as", dest="person", metavar="PERSON", help="on the embedded engine: as this person")
        command.add_argument("--json", action="store_true", help="write the answer as JSON")


_FORM = {"contract": "id (c-…)", "resource": "ARN", "mission": "id (m-…)", "playbook": "name"}


def _decide(arguments: argparse.Namespace, console: Console) -> int:
    place = reach(arguments.prefix, arguments.root)
    found = dossier(arguments.contract, place.services)
    answer = post(
        place,
        "/decide",
        {
            "contract_id": found.head.contract_id,
            "decision": arguments.decision,
            # The digest of what was just read and is said below: another contract is never approved by mistake.
            "digest": found.head.digest,
        },
        place.credentials(arguments.person),
    )
    if arguments.json:
        console.print_json(data=answer)
    else:
        console.print(_decided(arguments.decision, found, answer))
    return 0


def _decided(decision: str, found: Dossier, answer: dict[str, Any]) -> Text:
    contract = found.contract
    done = "Recorded" if answer["outcome"] == "recorded" else "Recorded before"
    parameters = ", ".join(f"{key} {value}" for key, value in contract.action.parameters.items() if value is not None)
    lines = [
        f"{done}: {decision} {contract.action.use} ({parameters}) on {contract.resource.arn}.",
        f"The approval is {answer['status']}: {answer['have']} of {answer['need']}.",
        f"What next: grace show {found.head.contract_id}",
    ]
    return Text("\n".join(lines), style=wording.colour(found.head.status) if answer["status"] == "pending" else "")


def _order(arguments: argparse.Namespace, console: Console) -> int:
    place = reach(arguments.prefix, arguments.root)
    order = {
        "command": arguments.command,
        "target": getattr(arguments, "target", ""),
        "reason": arguments.reason or "resumed from the command line",
        **({"to": arguments.to} if arguments.command == "demote" else {}),
    }
    answer = post(place, "/operate", order, place.credentials(arguments.person))
    if arguments.json:
        console.print_json(data=answer)
    else:
        console.print(f"In {place.place}: {answer['now']}", highlight=False)
    return 0
