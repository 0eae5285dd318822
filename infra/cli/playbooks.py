"""`grace playbooks lint | explain | schema`: what can be known of playbooks without an account and without an engine."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from grace.diagnoses.rulebook import Rulebook
from grace.errors import InvalidSignal
from grace.flow.explain import explain
from grace.model.catalogue import Catalogue
from grace.playbooks.lint import lint
from grace.playbooks.loader import BUILT_IN, files
from grace.playbooks.schema import playbook_schema
from grace.signals import parse
from infra.catalogue import EXAMPLES, catalogue_of
from infra.cli import views
from infra.cli.commands import Commands
from infra.cli.configuration import configured
from infra.cli.errors import CommandError


def add(commands: Commands) -> None:
    """Add the group."""
    group = commands.group("playbooks", "look at playbooks")
    lint_command = group.add("lint", "say what is wrong in playbooks, file by file", _lint)
    lint_command.add_argument(
        "directory", nargs="?", type=Path, help="a folder of playbooks (default: those of Grace and of cdk.json)"
    )
    explain_command = group.add("explain", "say what an alert would lead to, without touching anything", _explain)
    explain_command.add_argument("event", type=Path, help="the alert as JSON")
    explain_command.add_argument("--json", action="store_true", help="write JSON instead of text")
    group.add("schema", "write the JSON Schema of a playbook, for editors", _schema)


def _lint(arguments: argparse.Namespace, console: Console) -> int:
    own: Path | None = arguments.directory
    if own is not None and not own.is_dir():
        raise CommandError(f"{own} is no folder: name the folder that holds the playbooks.")
    folders = [BUILT_IN, own] if own else [BUILT_IN, *configured().playbook_folders]
    problems = lint(folders, [EXAMPLES])
    for problem in problems:
        console.print(problem, highlight=False, soft_wrap=True, markup=False)
    if problems:
        console.print(f"{len(problems)} thing(s) to correct.", style="bold red")
        return 1
    count = len(files([own] if own else folders))
    console.print(f"{count} playbooks are in order.")
    return 0


def _explain(arguments: argparse.Namespace, console: Console) -> int:
    try:
        signal = parse(arguments.event.read_bytes())
    except OSError as exc:
        raise CommandError(f"{arguments.event} cannot be read ({exc.strerror}): name a file with one alert.") from exc
    except InvalidSignal as exc:
        raise CommandError(f"{arguments.event} is no alert Grace can read: {exc}.") from exc
    catalogue = Catalogue.model_validate_json(catalogue_of(configured().deployment))
    said = explain(signal, catalogue, Rulebook(catalogue.rules))
    if arguments.json:
        views.print_json(console, said.model_dump(mode="json"))
    else:
        console.print(views.explanation_view(said))
    return 0


def _schema(arguments: argparse.Namespace, console: Console) -> int:
    del arguments
    views.print_json(console, playbook_schema())
    return 0
