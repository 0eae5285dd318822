"""Chaos Toolkit's own verify-and-undo cycle: hypothesis, action, hypothesis, rollback. Run by peers.py with its interpreter.

    python chaos_cycle.py HOW_MANY
The target is an HTTP service on loopback, as for the recorded figures, and once more a function in the same process,
which is the kindest case there is. It also says what the journal tells of a rollback that changes nothing.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any

from chaoslib.experiment import run_experiment  # type: ignore[import-not-found]

STATE = {"value": "before"}
TARGET = "bench_target"


def _set(value: str) -> str:
    STATE["value"] = value
    return value


def _get() -> str:
    return STATE["value"]


def _nothing() -> str:
    return "done"


class _Service(BaseHTTPRequestHandler):
    """`GET /state` answers 200; `GET /set/VALUE` changes it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/set/"):
            _set(self.path.rpartition("/")[2])
        body = json.dumps(STATE).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


def _experiment(act: dict[str, Any], look: dict[str, Any], tolerance: Any, undo: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "1.0.0",
        "title": "cycle",
        "description": "cycle",
        "steady-state-hypothesis": {
            "title": "it answers",
            "probes": [{"type": "probe", "name": "look", "tolerance": tolerance, "provider": look}],
        },
        "method": [{"type": "action", "name": "act", "provider": act}],
        "rollbacks": [{"type": "action", "name": "undo", "provider": undo}],
    }


def _python(function: str, **arguments: str) -> dict[str, Any]:
    return {"type": "python", "module": TARGET, "func": function, "arguments": arguments}


def _time(experiment: dict[str, Any], how_many: int) -> list[float]:
    taken = []
    for number in range(how_many + 10):
        _set("before")
        began = time.perf_counter()
        journal = run_experiment(experiment)
        if number >= 10:
            taken.append(time.perf_counter() - began)
        if journal["status"] != "completed" or STATE["value"] != "before":
            raise SystemExit(f"the cycle ended {journal['status']} with {STATE}")
    return taken


def main(how_many: int) -> None:
    """Run so many cycles against both targets."""
    logging.disable(logging.CRITICAL)
    module = types.ModuleType(TARGET)
    module.__dict__.update(set_value=_set, get_value=_get, nothing=_nothing)
    sys.modules[TARGET] = module
    in_process = _experiment(
        _python("set_value", value="after"),
        _python("get_value"),
        {"type": "regex", "pattern": "before|after"},
        _python("set_value", value="before"),
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    http = _experiment(
        {"type": "http", "url": f"{url}/set/after"},
        {"type": "http", "url": f"{url}/state"},
        200,
        {"type": "http", "url": f"{url}/set/before"},
    )
    over_http, inside = _time(http, how_many), _time(in_process, how_many)
    lazy = in_process | {"rollbacks": [{"type": "action", "name": "undo", "provider": _python("nothing")}]}
    _set("before")
    journal = run_experiment(lazy, settings={"runtime": {"rollbacks": {"strategy": "always"}}})
    told = journal["rollbacks"][0]["status"] if journal["rollbacks"] else "not run"
    figures = {
        "version": f"lib {version('chaostoolkit-lib')}",
        "cycles_per_second": how_many / sum(over_http),
        "p50_ms": 1000 * sorted(over_http)[how_many // 2],
        "in_process_cycles_per_second": how_many / sum(inside),
        "in_process_p50_ms": 1000 * sorted(inside)[how_many // 2],
        "noop_undo": f"{told}, and the target is {STATE['value']}",
    }
    figures["told"] = (
        f"{figures['cycles_per_second']:.0f} cycles/s, {figures['p50_ms']:.1f} ms p50 over HTTP on loopback;"
        f" {figures['in_process_cycles_per_second']:.0f} cycles/s inside the process;"
        f" an undo that changes nothing: {figures['noop_undo']}"
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]))
