"""`grace up`, `grace down`, `grace fire`, `grace demo`: the embedded engine, and Grace on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from infra.cli.commands import Commands
from infra.cli.progress import resource_in, told
from infra.cli.reach import engine_only
from infra.local.deliver import Doors, deliver, read_alert
from infra.local.deploy import DeployResult, clients, deploy
from infra.local.engine import Engine, EngineState
from infra.local.paths import ROOT

PEOPLE = "infra/demo/people.json"
"""Who may decide and give orders on the embedded engine."""


def add(commands: Commands) -> None:
    """Add the commands that start, end and feed the engine."""
    up = commands.add("up", "start the embedded engine and deploy Grace to it", _up)
    up.add_argument("--port", type=int, help="the engine's port (default: a free one)")
    down = commands.add("down", "end the embedded engine and remove all it left", _down)
    fire = commands.add("fire", "deliver an alert to Grace as AWS would", _fire)
    fire.add_argument("file", type=Path, help="the alert as JSON: an alarm notification or an EventBridge event")
    demo = commands.add("demo", "deploy Grace and a shop, and tell three incidents live", _demo)
    demo.add_argument("--interactive", action="store_true", help="wait for you to decide at the link that is mailed")
    demo.add_argument("--keep", action="store_true", help="leave the engine running afterwards")
    for command in (up, down, fire, demo):
        commands.rooted(command)


def _up(arguments: argparse.Namespace, console: Console) -> int:
    state = start(console, arguments.port, arguments.root)
    result = install(console, state, root=arguments.root)
    console.print(f"Grace runs on {state.name} at {state.endpoint} (deployed in {result.seconds:.0f} s).")
    console.print("What next: grace fire FILE · grace missions · grace demo · grace down", style="dim")
    return 0


def start(console: Console, port: int | None = None, root: Path = ROOT) -> EngineState:
    """Start the engine, or find the one that runs, saying so."""
    with told(console, "starting the engine"):
        return Engine(root).start(port)


def install(
    console: Console,
    state: EngineState,
    *,
    root: Path = ROOT,
    what: str = "Grace",
    app: str | None = None,
    **context: str,
) -> DeployResult:
    """Deploy an app to the engine with the CDK CLI, saying what it is at; `context` is what it is told beside."""
    with told(console, f"deploying {what}") as says:
        return deploy(
            state,
            root=root,
            progress=lambda line: says(resource_in(line)),
            app=app,
            context={"people": PEOPLE, **context},
        )


def _down(arguments: argparse.Namespace, console: Console) -> int:
    with told(console, "ending the engine"):
        ended = Engine(arguments.root).stop()
    console.print("The engine has ended and left nothing but its logs." if ended else "No engine was running here.")
    return 0


def _fire(arguments: argparse.Namespace, console: Console) -> int:
    alert = read_alert(arguments.file)
    place = engine_only(arguments.root)
    assert place.engine is not None
    outputs = place.outputs
    doors = Doors(outputs["AlarmTopicArn"], outputs["AlertQueueUrl"], outputs["BusName"])
    delivery = deliver(clients(place.engine), doors, alert)
    console.print(f"Delivered by the {delivery.door} (message {delivery.message_id}).", highlight=False)
    console.print("What next: grace missions", style="dim")
    return 0


def _demo(arguments: argparse.Namespace, console: Console) -> int:
    # Imported here: the other commands need nothing of it.
    from infra.demo.story import tell  # noqa: PLC0415

    return tell(console, keep=arguments.keep, interactive=arguments.interactive, root=arguments.root)
