"""F64: where an `http` expectation may reach, and what it makes of what it finds there. Nothing here leaves loopback."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from grace.errors import Refused, Unavailable
from grace.gateways.addresses import check_listed, check_public, is_public
from grace.gateways.fetch import MOST_BYTES, HttpFetch
from grace.model.address import target_of

PUBLIC = "93.184.216.34"
HOSTS = ("shop.example.com", "shop.example.com:8443", "http://plain.example.com", "2130706433", "localhost")


class Server:
    """Answers every connection with fixed bytes, keeps what it was asked, and remembers who was dialled."""

    def __init__(self, answer: bytes = b"", *, tls: ssl.SSLContext | None = None, hold: bool = False) -> None:
        self.answer, self.tls, self.hold = answer, tls, hold
        self.asked: list[bytes] = []
        self.dialled: list[tuple[str, int]] = []
        self.released = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        """The connector under test's control: notes the pinned address, and opens a connection to this server."""
        self.dialled.append((address, port))
        return socket.create_connection(self.listener.getsockname(), timeout=seconds)

    def _serve(self) -> None:
        while True:
            try:
                wire, _ = self.listener.accept()
                with self.tls.wrap_socket(wire, server_side=True) if self.tls else wire as talk:
                    self.asked.append(talk.recv(65536))
                    talk.sendall(self.answer)
                    if self.hold:
                        self.released.wait(10)
            except OSError:
                if self.listener.fileno() < 0:
                    return


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*args: object, **options: object) -> Server:
        servers.append(Server(*args, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.released.set()
        server.listener.close()


def fetch(server: Server, *addresses: str, **options: object) -> HttpFetch:
    resolved = list(addresses or (PUBLIC,))
    return HttpFetch(HOSTS, resolver=lambda _host, _port: resolved, connector=server.connect, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "169.254.170.2",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:169.254.169.254",
        "::ffff:93.184.216.34",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "not an address",
        "",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(Refused):
        check_public("https://shop.example.com/", [PUBLIC, address])


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(Refused):
        check_public("https://shop.example.com/", [])


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "https://[fd00:ec2::254]/",
        "http://0x7f.1/",
        "ftp://shop.example.com/",
        "file:///etc/passwd",
        "gopher://shop.example.com/",
        "//shop.example.com/",
        "https://shop.example.com@169.254.169.254/",
        "https://user:secret@shop.example.com/",
        "https://shop.example.com\\@evil.example/",
        "https://shop.example.com /",
        "https://shop.example.com/\r\nX-Injected: 1",
        "https://shop.example.com/\tx",
        "https://shop.example.com:notaport/",
        "https://shop.example.com:99999/",
        "https://shop.example.com.evil.example/",
        "https://evil.example/shop.example.com",
        "https://shop.example.com./",
        "https://sh\u00f6p.example.com/",
        "https:///nothing",
        "https://other.example.com/",
        "http://shop.example.com/",
        "https://plain.example.com/",
        "https://shop.example.com:444/",
        "",
    ],
)
def test_only_listed_hosts_with_their_own_scheme_and_port_are_asked(serve: Callable[..., Server], url: str) -> None:
    asked: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC]

    get = HttpFetch(HOSTS, resolver=resolver).get
    with pytest.raises(Refused) as caught:
        get(url)
    assert caught.value.code == "address"
    assert asked == []


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://shop.example.com/health?full=1", "shop.example.com", 443),
        ("https://SHOP.example.com", "shop.example.com", 443),
        ("https://shop.example.com:8443/", "shop.example.com", 8443),
        ("http://plain.example.com/", "plain.example.com", 80),
    ],
)
def test_listed_hosts_pass(url: str, host: str, port: int) -> None:
    target = check_listed(url, HOSTS)
    assert (target.host, target.port) == (host, port)


def test_the_query_is_kept_and_the_fragment_is_not() -> None:
    assert target_of("https://shop.example.com?x=1#part").path == "/?x=1"


@pytest.mark.parametrize("url", ["https://2130706433/", "https://localhost/"])
def test_a_listed_name_that_leads_home_is_refused_before_anything_is_opened(
    serve: Callable[..., Server], url: str
) -> None:
    server = serve()
    with pytest.raises(Refused, match=r"127\.0\.0\.1"):
        fetch(server, "127.0.0.1").get(url)
    assert server.dialled == []


@pytest.mark.loopback
def test_the_name_is_resolved_once_and_the_checked_address_is_dialled(serve: Callable[..., Server]) -> None:
    """Rebinding: the second answer of the resolver would be the metadata service; nobody asks for it."""
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
    answers = iter([[PUBLIC], ["169.254.169.254"]])
    get = HttpFetch(HOSTS, resolver=lambda _host, _port: next(answers), connector=server.connect).get
    assert get("http://plain.example.com/health?x=1") == (200, b"fine")
    assert server.dialled == [(PUBLIC, 80)]
    assert server.asked[0].startswith(b"GET /health?x=1 HTTP/1.1\r\nHost: plain.example.com\r\n")
    assert next(answers) == ["169.254.169.254"]


@pytest.mark.loopback
def test_one_private_address_among_public_ones_taints_the_name(serve: Callable[..., Server]) -> None:
    server = serve()
    with pytest.raises(Refused):
        fetch(server, PUBLIC, "10.0.0.1").get("http://plain.example.com/")
    assert server.dialled == []


@pytest.mark.loopback
def test_the_next_checked_address_is_taken_when_the_first_does_not_answer(serve: Callable[..., Server]) -> None:
    server = serve(b"HTTP/1.1 204 No Content\r\n\r\n")

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        if address == PUBLIC:
            raise ConnectionRefusedError
        return server.connect(address, port, seconds)

    get = HttpFetch(HOSTS, resolver=lambda *_: [PUBLIC, "8.8.8.8"], connector=connect).get
    assert get("http://plain.example.com/") == (204, b"")
    assert server.dialled == [("8.8.8.8", 80)]


@pytest.mark.loopback
def test_a_redirect_is_an_answer_and_is_not_followed(serve: Callable[..., Server]) -> None:
    server = serve(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    assert fetch(server).get("http://plain.example.com/") == (302, b"")
    assert len(server.dialled) == 1


@pytest.mark.loopback
def test_at_most_64_kib_are_read(serve: Callable[..., Server]) -> None:
    body = b"x" * (3 * MOST_BYTES)
    plain = serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert fetch(plain).get("http://plain.example.com/") == (200, b"x" * MOST_BYTES)
    chunked = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert fetch(chunked).get("http://plain.example.com/") == (200, b"x" * MOST_BYTES)


@pytest.mark.loopback
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_f52_garbage_and_nothing_are_no_answer(serve: Callable[..., Server], answer: bytes) -> None:
    with pytest.raises(Unavailable):
        fetch(serve(answer)).get("http://plain.example.com/")


@pytest.mark.loopback
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nf"])
def test_f52_a_server_that_hangs_is_no_answer(serve: Callable[..., Server], answer: bytes) -> None:
    server = serve(answer, hold=True)
    with pytest.raises(Unavailable):
        fetch(server, total_seconds=0.2).get("http://plain.example.com/")


class Drip:
    """A connection that always answers in time, one byte a second, and never ends."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.reads = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def sendall(self, _: bytes) -> None: ...

    def recv_into(self, buffer: memoryview) -> int:
        self.clock += 1
        self.reads += 1
        buffer[:1] = b"x"
        return 1


def test_the_time_limit_is_over_the_whole_exchange_and_not_per_read(monkeypatch: pytest.MonkeyPatch) -> None:
    drip = Drip()
    monkeypatch.setattr("grace.gateways.fetch.time.monotonic", lambda: drip.clock)
    get = HttpFetch(HOSTS, resolver=lambda *_: [PUBLIC], connector=lambda *_: drip, total_seconds=5).get  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="TimeoutError"):
        get("http://plain.example.com/")
    assert drip.reads == 5


def test_a_resolver_that_hangs_is_given_up(serve: Callable[..., Server]) -> None:
    release = threading.Event()

    def hang(_host: str, _port: int) -> list[str]:
        release.wait(10)
        return [PUBLIC]

    with pytest.raises(Unavailable):
        HttpFetch(HOSTS, resolver=hang, total_seconds=0.2).get("https://shop.example.com/")
    release.set()


def test_a_name_nobody_knows_is_no_answer() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unavailable):
        HttpFetch(HOSTS, resolver=unknown).get("https://shop.example.com/")


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's and a client's side of TLS for one name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "pair.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context()
    client.load_verify_locations(cadata=made.public_bytes(serialization.Encoding.PEM).decode())
    return server, client


@pytest.mark.loopback
def test_tls_is_checked_against_the_name_although_the_address_is_dialled(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server_side, client_side = certificate(tmp_path, "shop.example.com")
    named: list[str | None] = []
    server_side.sni_callback = lambda _socket, name, _context: named.append(name)
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", tls=server_side)
    assert fetch(server, tls=client_side).get("https://shop.example.com:8443/") == (200, b"ok")
    assert named == ["shop.example.com"]
    assert server.dialled == [(PUBLIC, 8443)]
    assert b"Host: shop.example.com:8443\r\n" in server.asked[0]


@pytest.mark.loopback
def test_another_names_certificate_is_no_answer(serve: Callable[..., Server], tmp_path: Path) -> None:
    server_side, client_side = certificate(tmp_path, "evil.example")
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", tls=server_side)
    with pytest.raises(Unavailable, match="SSL"):
        fetch(server, tls=client_side).get("https://shop.example.com/")
