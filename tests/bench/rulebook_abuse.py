"""ansible-rulebook under the same abuse: alerts posted three times at once, and alerts it acknowledged before it was killed.

    python rulebook_abuse.py
Run by peers.py with its interpreter; needs a Java 17 or newer, as ansible-rulebook does. Its webhook takes the alerts, and
its rule runs one Ansible module for each: a request to a service on loopback, which counts. Printed last as JSON.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Self

ALERTS, TIMES = 5, 3
ACCEPTED, KILLED_AFTER = 10, 6.0
STARTED, QUIET, LONGEST = 90.0, 20.0, 180.0
"""Seconds: until it listens, without another act before it counts as done, and in all."""
RULEBOOK = """
- name: abuse
  hosts: all
  sources:
    - eda.builtin.webhook:
        host: 127.0.0.1
        port: {port}
  rules:
    - name: act on every alert
      condition: event.payload.alert is defined
      action:
        run_module:
          name: ansible.builtin.uri
          module_args:
            url: http://127.0.0.1:{target}/act/{{{{ event.payload.alert }}}}
"""
INVENTORY = "localhost ansible_connection=local ansible_python_interpreter={python}\n"


class Target(ThreadingHTTPServer):
    """What is acted on: it counts the requests by alert."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        super().__init__(("127.0.0.1", 0), _Acts)
        self.acts: list[str] = []
        self.last = time.monotonic()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def settle(self, enough: int | None = None) -> None:
        """Wait until nothing has come for a while; at once when `enough` acts are there."""
        began = self.last = time.monotonic()
        while time.monotonic() < min(self.last + QUIET, began + LONGEST):
            if enough is not None and len(self.acts) >= enough:
                return
            time.sleep(0.2)


class _Acts(BaseHTTPRequestHandler):
    """`GET /act/ALERT` counts."""

    server: Target

    def do_GET(self) -> None:
        self.server.acts.append(self.path.rpartition("/")[2])
        self.server.last = time.monotonic()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is written."""


class Rulebook:
    """One ansible-rulebook in a folder of its own."""

    def __init__(self, folder: Path, target: int) -> None:
        """Write the rulebook and the inventory; nothing is started."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        (folder / "rulebook.yml").write_text(RULEBOOK.format(port=self.port, target=target), encoding="utf-8")
        (folder / "inventory").write_text(INVENTORY.format(python=sys.executable), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when its webhook listens."""
        beside = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        command = [str(beside / "ansible-rulebook"), "-r", "rulebook.yml", "-i", "inventory"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + STARTED
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.3)
            else:
                return
        last = (self.folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise SystemExit(f"ansible-rulebook does not listen: {''.join(last) or 'it said nothing'}")

    def kill(self) -> None:
        """End it and what it started, as a machine that dies does."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def post(self, alert: str) -> int:
        """Post one alert; the status of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/", json.dumps({"alert": alert}), {"Content-Type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, whatever happened."""
        self.kill()


def duplicates() -> int:
    """Post five alerts three times at once; how often was acted."""
    target = Target()
    with tempfile.TemporaryDirectory() as folder, Rulebook(Path(folder), target.server_port) as rulebook:
        alerts = [f"a{n}" for n in range(ALERTS)] * TIMES
        with ThreadPoolExecutor(len(alerts)) as pool:
            answers = list(pool.map(rulebook.post, alerts))
        if not all(200 <= answer < 300 for answer in answers):
            raise SystemExit(f"alerts were refused: {sorted(set(answers))}")
        target.settle()
    return len(target.acts)


def killed() -> tuple[int, int, int]:
    """Kill it while it works on what it acknowledged, and start it again: acknowledged, done, done more than once."""
    target = Target()
    with tempfile.TemporaryDirectory() as folder, Rulebook(Path(folder), target.server_port) as rulebook:
        taken = sum(200 <= rulebook.post(f"k{n}") < 300 for n in range(ACCEPTED))
        time.sleep(KILLED_AFTER)
        rulebook.kill()
        rulebook.start()
        target.settle(enough=taken)
    return taken, len(set(target.acts)), len(target.acts) - len(set(target.acts))


def main() -> None:
    """Measure both and print them."""
    executions = duplicates()
    taken, done, twice = killed()
    told = (
        f"{ALERTS} alerts posted {TIMES} times: {executions} executions; {taken} acknowledged, kill -9 after"
        f" {KILLED_AFTER:.0f} s, restart: {done} done, {taken - done} lost, {twice} done twice"
    )
    measured = {
        "version": version("ansible-rulebook"),
        "told": told,
        "executions_of_5_posted_3_times": executions,
        "done_of_10_after_kill": done,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
