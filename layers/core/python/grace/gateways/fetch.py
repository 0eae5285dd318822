"""HTTP GET under the SSRF rules of `addresses`: resolve once, ask the checked address, follow nothing, 5 s, 64 KiB."""

from __future__ import annotations

import contextlib
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import cast

from grace.errors import Unavailable
from grace.gateways.addresses import check_listed, check_public
from grace.model.address import Target

TOTAL_SECONDS = 5.0
MOST_BYTES = 64 * 1024

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """Open a connection to an address."""
    return socket.create_connection((address, port), timeout=seconds)


class HttpFetch:
    """`ports.Fetch` over sockets of the standard library.

    `hosts` are the lines of the allow-list (see `addresses.check_listed`). `resolver`, `connector` and `tls` are the three
    things it asks of the machine.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        resolver: Resolve = resolve,
        connector: Connect = connect,
        tls: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """Keep the list; nothing is resolved or opened."""
        self._hosts = tuple(hosts)
        self._resolve = resolver
        self._connect = connector
        self._tls = tls
        self._total = total_seconds

    def get(self, url: str) -> tuple[int, bytes]:
        """Return the status and at most 64 KiB of the body. A redirect is an answer like any other.

        Raises:
            Refused: `address`, when the URL, its host or an address of it may not be asked.
            Unavailable: no whole answer came in time, or it was not HTTP.
        """
        target = check_listed(url, self._hosts)
        deadline = _Deadline(self._total)
        try:
            addresses = deadline.run(lambda: self._resolve(target.host, target.port))
            check_public(url, addresses)
            with self._open(target, addresses, deadline) as wire:
                return _exchange(wire, target, deadline)
        except (OSError, HTTPException, ValueError) as exc:
            raise Unavailable(f"{target.scheme}://{target.header} did not answer ({type(exc).__name__})") from exc

    def _open(self, target: Target, addresses: Sequence[str], deadline: _Deadline) -> socket.socket:
        """Connect to a checked address; the name is used for TLS and the Host header alone."""
        wire = self._dial(target, addresses, deadline)
        if target.scheme == "http":
            return wire
        try:
            wire.settimeout(deadline.left())
            return (self._tls or ssl.create_default_context()).wrap_socket(wire, server_hostname=target.host)
        except OSError:
            wire.close()
            raise

    def _dial(self, target: Target, addresses: Sequence[str], deadline: _Deadline) -> socket.socket:
        *others, last = addresses
        for address in others:
            with contextlib.suppress(OSError):
                return self._connect(address, target.port, deadline.left())
        return self._connect(last, target.port, deadline.left())


class _Deadline:
    """One time limit over everything that happens for a URL."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        return left

    def run(self, work: Callable[[], Sequence[str]]) -> Sequence[str]:
        """Run something that knows no time limit (the system's resolver) and give up waiting for it in time."""
        done: queue.Queue[Sequence[str] | OSError | UnicodeError] = queue.Queue(maxsize=1)

        def body() -> None:
            try:
                done.put(work())
            except (OSError, UnicodeError) as exc:
                done.put(exc)

        threading.Thread(target=body, daemon=True).start()
        try:
            answer = done.get(timeout=self.left())
        except queue.Empty as exc:
            raise TimeoutError("the name was not resolved in time") from exc
        if isinstance(answer, Exception):
            raise answer
        return answer


class _Wire(io.RawIOBase):
    """A socket as a stream whose every read fits into what is left of the deadline: a slow drip cannot stretch it."""

    def __init__(self, wire: socket.socket, deadline: _Deadline) -> None:
        super().__init__()
        self._wire = wire
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        self._wire.settimeout(self._deadline.left())
        return self._wire.recv_into(cast("bytearray", buffer))

    def makefile(self, _mode: str, *_: object, **__: object) -> io.BufferedReader:
        """What `HTTPResponse` asks of a socket."""
        return io.BufferedReader(self)


def _exchange(wire: socket.socket, target: Target, deadline: _Deadline) -> tuple[int, bytes]:
    request = (
        f"GET {target.path} HTTP/1.1\r\nHost: {target.header}\r\nUser-Agent: grace\r\n"
        "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )
    wire.settimeout(deadline.left())
    wire.sendall(request.encode("ascii"))
    response = HTTPResponse(cast("socket.socket", _Wire(wire, deadline)), method="GET")
    response.begin()
    body = response.read(MOST_BYTES)
    if response.length and len(body) < MOST_BYTES:
        raise IncompleteRead(body, response.length)
    return response.status, body
