"""The public page over HTTP on loopback: the real door's `respond`, with a world in memory behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from grace.web.answering import respond
from tests.support.links import asked, minted
from tests.support.world import World


@dataclass
class Site:
    """Where the page is served, for which contract, and what was asked of it: method, path, status."""

    world: World
    contract: str
    address: str
    requests: list[tuple[str, str, int]] = field(default_factory=list)

    def link(self, person: str) -> str:
        """The address in a person's letter."""
        return f"{self.address}/a/{minted(self.world, self.contract, person)}"


@contextmanager
def serving(world: World, contract: str) -> Iterator[Site]:
    """Serve the page of a world on a free port; links lead there. One request at a time, as one worker would."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin-1")
            cookies = tuple(each.strip() for each in (self.headers.get("Cookie") or "").split(";") if each.strip())
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                found: dict[str, Any] = respond(asked(self.command, self.path, body, cookies, **headers), world)
                site.requests.append((self.command, self.path, found["statusCode"]))
            raw = str(found["body"]).encode()
            self.send_response(found["statusCode"])
            for name, value in found["headers"].items():
                self.send_header(name, value)
            for cookie in found.get("cookies", ()):
                self.send_header("set-cookie", cookie)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_HEAD = do_POST = do_OPTIONS = answer  # noqa: N815  the names http.server calls

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(world, contract, f"http://127.0.0.1:{server.server_port}")
    world.mail.base_url = site.address
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
