"""The engine starts, is found, and leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.local import processes
from infra.local.engine import HOST, Engine, EngineState, load_state
from infra.local.errors import EngineNotRunning, LocalError
from infra.local.paths import Layout
from tests.local.rig import isolated_root

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(event.get('seconds', 0))\n    return 'done'\n"


def _marks(root: Path) -> tuple[str, ...]:
    return (str(Layout(root).home), str(Layout(root).engine_venv))


def _all_ours(root: Path) -> list[processes.ProcessInfo]:
    return [p for p in processes.running() if any(mark in p.command for mark in _marks(root))]


def _run_worker(state: EngineState) -> None:
    """Make the engine start a worker process of its own."""
    iam = boto3.client("iam", **state.client_arguments())
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    functions = boto3.client("lambda", **state.client_arguments())
    functions.create_function(
        FunctionName="worker",
        Runtime="python3.13",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": _zipped(SLEEPER)},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="worker", WaiterConfig={"Delay": 1})
    assert functions.invoke(FunctionName="worker", Payload=b"{}")["StatusCode"] == 200


def _zipped(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


@pytest.mark.engine
def test_stop_ends_every_process_and_removes_every_file_but_the_logs(tmp_path: Path) -> None:
    root = isolated_root(tmp_path)
    engine = Engine(root)
    state = engine.start()
    _run_worker(state)
    assert len(_all_ours(root)) >= 3, "engine, heartbeat and a worker"

    assert engine.stop()

    assert _all_ours(root) == []
    assert sorted(p.name for p in Layout(root).home.iterdir()) == ["engine.log", "heartbeat.log"]
    assert not engine.stop(), "a second stop finds nothing"


@pytest.mark.engine
def test_a_killed_engine_leaves_workers_that_stop_still_ends(tmp_path: Path) -> None:
    root = isolated_root(tmp_path)
    engine = Engine(root)
    state = engine.start()
    _run_worker(state)
    os.kill(state.pid, signal.SIGKILL)

    assert engine.stop()
    assert _all_ours(root) == []


@pytest.mark.engine
def test_two_engines_run_side_by_side_and_neither_is_taken_for_the_other(
    tmp_path: Path, engine: EngineState, engine_root: Path
) -> None:
    root = isolated_root(tmp_path)
    second = Engine(root)
    with pytest.raises(EngineNotRunning, match="grace up"):
        load_state(root)
    state = second.start()
    try:
        assert state.port != engine.port
        assert load_state(root) == state
        assert load_state(engine_root) == engine
        # The other one's address in our own state file: its authority is not ours, so it is not our engine.
        Layout(root).state_file.write_text(json.dumps(vars(state) | {"port": engine.port}), encoding="utf-8")
        assert second.status() is None
    finally:
        Layout(root).state_file.write_text(json.dumps(vars(state)), encoding="utf-8")
        second.stop()
    assert load_state(engine_root) == engine, "ending one leaves the other"


@pytest.mark.engine
def test_starting_twice_gives_the_running_engine(engine: EngineState, engine_root: Path) -> None:
    assert Engine(engine_root).start() == engine
    with pytest.raises(LocalError, match=f"already runs on port {engine.port}"):
        Engine(engine_root).start(port=1)


@pytest.mark.engine
def test_only_loopback_is_bound_and_only_the_one_port(engine: EngineState) -> None:
    inodes = {
        link.readlink().name.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{engine.pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:[")
    }
    listening = [
        fields[1]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/{engine.pid}/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[9] in inodes
    ]
    assert listening == [f"0100007F:{engine.port:04X}"]


@pytest.mark.engine
def test_an_interrupted_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = isolated_root(tmp_path)
    engine = Engine(root)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "_await_health", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.start()
    assert _all_ours(root) == []
    assert not Layout(root).state_file.exists()


@pytest.mark.engine
def test_keys_nobody_was_given_are_refused(engine: EngineState) -> None:
    stranger = boto3.client("sqs", **engine.client_arguments() | {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"})
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        stranger.list_queues()


def test_a_missing_engine_environment_is_one_sentence_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"^The engine's environment .* is missing: run `make setup`\.$"):
        Engine(tmp_path).start()


def test_a_missing_cdk_cli_is_one_sentence_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"^The CDK CLI is missing at .*: run `make setup`\.$"):
        Layout(tmp_path).cdk_cli()


def test_a_port_in_use_is_one_sentence_with_the_fix(tmp_path: Path) -> None:
    root = isolated_root(tmp_path)
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=f"^Port {port} on {HOST} is in use: choose another"):
            Engine(root).start(port=port)
    assert not Layout(root).home.exists()


def test_an_unreadable_state_is_one_sentence_with_the_fix(tmp_path: Path) -> None:
    Layout(tmp_path).home.mkdir(parents=True)
    Layout(tmp_path).state_file.write_text("{", encoding="utf-8")
    with pytest.raises(LocalError, match=r"state\.json is not readable .*: delete it"):
        Engine(tmp_path).status()


def test_a_process_id_the_system_gave_to_somebody_else_is_never_signalled(tmp_path: Path) -> None:
    """A stranger that leads the recorded process group but whose command line does not name our folders."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as stranger:
        try:
            assert processes.end([stranger.pid], _marks(tmp_path), 0.2) == []
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(flush=True)\ntime.sleep(60)\n",
        encoding="utf-8",
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, start_new_session=True) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        assert processes.end([stubborn.pid], [str(tmp_path)], 0.3) == []
        assert stubborn.wait() == -signal.SIGKILL


def test_an_interrupt_that_strikes_while_a_process_starts_leaves_it_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Struck(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Struck)
    known: list[subprocess.Popen[Any]] = []
    with pytest.raises(KeyboardInterrupt):
        processes.start(known, [sys.executable, "-c", "import time; time.sleep(60)"])
    [child] = known
    child.kill()
    assert child.wait() == -signal.SIGKILL


def test_a_child_environment_cannot_reach_a_real_account(tmp_path: Path) -> None:
    state = EngineState(1, 2, 3, "1.5.33", "000000000000", "us-east-1", "key", "secret", str(tmp_path / "ca.crt"))
    user = {
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "t",
        "CDK_DEFAULT_ACCOUNT": "1",
        "no_proxy": "x",
        "PATH": "/bin",
    }
    made = state.child_environment(user)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "CDK_DEFAULT_ACCOUNT", "no_proxy"} & made.keys()
    assert made["PATH"] == "/bin"
    assert made["AWS_ENDPOINT_URL"] == f"https://{HOST}:2"
    assert made["AWS_CONFIG_FILE"] == made["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
