"""The embedded engine: MiniStack on loopback, with the IAM of the deployed roles enforced.

    engine = Engine()
    state = engine.start()          # waits until it answers
    boto3.client("sqs", **state.client_arguments())
    engine.stop()                   # ends every process, removes every file but the logs

Two checkouts run two engines side by side: each has its own ports, its own folder and its own root secret.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from infra.local import processes
from infra.local.errors import EngineNotRunning, LocalError
from infra.local.paths import ROOT, Layout

HOST = "127.0.0.1"
ACCOUNT = "000000000000"
REGION = "us-east-1"
# MiniStack takes any 12-digit access key for the root of that account; under AUTH=true its secret is the one the
# engine was started with, which is drawn anew at each start.
ROOT_ACCESS_KEY = ACCOUNT
START_SECONDS = 60.0
STOP_SECONDS = 5.0
PORT_ATTEMPTS = 5


@dataclass(frozen=True)
class EngineState:
    """What `var/engine/state.json` holds: enough to talk to a running engine and to end it."""

    pid: int
    port: int
    heartbeat_pid: int
    version: str
    account: str
    region: str
    access_key_id: str
    secret_access_key: str
    ca_bundle: str

    @property
    def endpoint(self) -> str:
        """Where every service of the engine answers."""
        return f"https://{HOST}:{self.port}"

    @property
    def name(self) -> str:
        """As reports name it: `ministack 1.5.33`."""
        return f"ministack {self.version}"

    def env(self) -> dict[str, str]:
        """The variables that point boto3 and the CDK CLI at this engine as the account's root."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CA_BUNDLE": self.ca_bundle,
            "NODE_EXTRA_CA_CERTS": self.ca_bundle,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": f"{HOST},localhost",
        }

    def child_environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` without any AWS setting of the user's own, so that no child can reach a real account, plus `env()`."""
        kept = {key: value for key, value in base.items() if not key.upper().startswith(("AWS_", "CDK_", "NO_PROXY"))}
        return kept | self.env() | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

    def client_arguments(self) -> dict[str, str]:
        """Keyword arguments for `boto3.client` and `boto3.Session().client`."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "verify": self.ca_bundle,
        }


class Engine:
    """Starts, finds and ends the engine of one checkout."""

    def __init__(self, root: Path = ROOT) -> None:
        self.layout = Layout(root)
        self._children: list[subprocess.Popen[bytes]] = []

    def status(self) -> EngineState | None:
        """The running engine's state, or None when no engine of this checkout answers."""
        state = self._read()
        return state if state is not None and self._health(state.port) is not None else None

    def start(self, port: int | None = None) -> EngineState:
        """Start the engine (or return the one that runs) and wait until it answers.

        `port`: a fixed port; without it a free one is taken. Raises LocalError when the engine's environment is
        missing, the port is in use, or the engine ends before it answers.
        """
        if (running := self.status()) is not None:
            if port is not None and running.port != port:
                raise LocalError(
                    f"The engine already runs on port {running.port}: run `grace down` before asking for port {port}."
                )
            return running
        python = self.layout.engine_python()
        if port is not None and not _is_free(port):
            raise LocalError(f"Port {port} on {HOST} is in use: choose another with --port or leave it out.")
        self._clear()
        self.layout.tmp.mkdir(parents=True)
        try:
            state = self._launch(python, port)
            heartbeat = self._launch_heartbeat(state)
            state = replace(state, heartbeat_pid=heartbeat.pid)
            self._write(state)
        except BaseException:
            # Also when a person interrupts the start: nothing half-started stays behind.
            self._clear()
            raise
        return state

    def stop(self) -> bool:
        """End the engine with all its workers and remove its files; the logs stay. False when nothing was there.

        Raises LocalError when a process survives being killed.
        """
        state = self._read()
        found = state is not None or self.layout.tmp.exists()
        self._clear()
        return found

    def _launch(self, python: Path, port: int | None) -> EngineState:
        secret = secrets.token_hex(20)
        for attempt in range(PORT_ATTEMPTS):
            chosen = port or _free_port()
            with self.layout.engine_log.open("wb") as log:
                processes.start(
                    self._children,
                    # -P keeps the working folder off the import path, where a file could hide a module.
                    [str(python), "-P", "-m", "infra.local.launcher", str(self.layout.tls)],
                    cwd=self.layout.tmp,
                    env=self._environment(chosen, secret),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            process = self._children[-1]
            state = EngineState(
                pid=process.pid,
                port=chosen,
                heartbeat_pid=0,
                version="",
                account=ACCOUNT,
                region=REGION,
                access_key_id=ROOT_ACCESS_KEY,
                secret_access_key=secret,
                ca_bundle=str(self._authority),
            )
            # Written before it answers, so that an interrupted start can be cleared.
            self._write(state)
            version = self._await_health(process, chosen)
            if version is not None:
                return replace(state, version=version)
            # Another process can take a free port between our looking and the engine's binding: look again.
            lost_race = "already in use" in self._last_log_line()
            if not lost_race or port is not None or attempt == PORT_ATTEMPTS - 1:
                break
        raise LocalError(
            f"The engine ended before it answered ({self._last_log_line()}): see {self.layout.engine_log}."
        )

    def _await_health(self, process: subprocess.Popen[bytes], port: int) -> str | None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return None
            if (version := self._health(port)) is not None:
                return version
            time.sleep(0.1)
        raise LocalError(f"The engine did not answer within {START_SECONDS:.0f} s: see {self.layout.engine_log}.")

    @property
    def _authority(self) -> Path:
        return self.layout.tls / "ca.crt"

    def _health(self, port: int) -> str | None:
        """The engine's version, or None when nothing that is this checkout's engine answers on `port`."""
        try:
            # Another checkout's engine has another authority, so it can never be taken for ours.
            context = ssl.create_default_context(cafile=str(self._authority))
            # A proxy from the environment must not be asked for loopback.
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
            with opener.open(f"https://{HOST}:{port}/_ministack/health", timeout=5) as answer:
                body: dict[str, Any] = json.load(answer)
        except (OSError, ValueError):
            return None
        version = body.get("version")
        return version if isinstance(version, str) else None

    def _environment(self, port: int, secret: str) -> dict[str, str]:
        tmp = str(self.layout.tmp)
        return {
            # Nothing of the user's environment but these: workers inherit it whole, and AWS settings, proxies or a
            # Docker daemon of the machine would change what the engine does.
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "HOME": tmp,
            "TMPDIR": tmp,
            "STATE_DIR": str(self.layout.home / "tmp" / "state"),
            "S3_DATA_DIR": str(self.layout.home / "tmp" / "s3"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GATEWAY_PORT": str(port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LAMBDA_EXECUTOR": "local",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(self.layout.tls / "server.crt"),
            "MINISTACK_SSL_KEY": str(self.layout.tls / "server.key"),
            # For the workers: without them each client would read the system's whole certificate store.
            "AWS_CA_BUNDLE": str(self._authority),
            "NODE_EXTRA_CA_CERTS": str(self._authority),
        }

    def _launch_heartbeat(self, state: EngineState) -> subprocess.Popen[bytes]:
        with (self.layout.home / "heartbeat.log").open("wb") as log:
            processes.start(
                self._children,
                [sys.executable, "-m", "infra.local.heartbeat", str(self.layout.home)],
                cwd=ROOT,
                env=state.child_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._children[-1]

    def _marks(self) -> tuple[str, ...]:
        return (str(self.layout.home), str(self.layout.engine_venv))

    def _clear(self) -> None:
        state = self._read()
        if state is not None:
            survivors = processes.end([state.heartbeat_pid, state.pid], self._marks(), STOP_SECONDS)
            if survivors:
                names = ", ".join(str(process.pid) for process in survivors)
                raise LocalError(f"These processes of the engine do not end, not even when killed: {names}.")
        while self._children:
            # Ended above but for one that an interrupt kept out of the state file; collected here, so that none of
            # ours stays behind as a zombie.
            child = self._children.pop()
            child.kill()
            child.wait()
        shutil.rmtree(self.layout.tmp, ignore_errors=True)
        shutil.rmtree(self.layout.assembly, ignore_errors=True)
        shutil.rmtree(self.layout.pins, ignore_errors=True)
        self.layout.state_file.unlink(missing_ok=True)

    def _read(self) -> EngineState | None:
        try:
            return EngineState(**json.loads(self.layout.state_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as exc:
            raise LocalError(
                f"{self.layout.state_file} is not readable ({exc}): delete it and run `grace up`."
            ) from exc

    def _write(self, state: EngineState) -> None:
        descriptor = os.open(self.layout.state_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file, indent=2)

    def _last_log_line(self) -> str:
        lines = self.layout.engine_log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def load_state(root: Path = ROOT) -> EngineState:
    """The state of the engine that runs for `root`. Raises EngineNotRunning when none answers."""
    state = Engine(root).status()
    if state is None:
        raise EngineNotRunning("The embedded engine is not running: start it with `grace up`.")
    return state


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
