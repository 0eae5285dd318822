"""What holds for every test: no real account, no socket in the inner rings, the engine ring last and in one worker."""

from __future__ import annotations

import os
import signal
import socket
import sysconfig
from ipaddress import ip_address
from typing import Any

import pytest

from tests.support.chromium import browser

__all__ = ["browser"]

# Credentials nobody can use, a region, and no way to find better ones. Account-based endpoints are off because moto
# answers a DynamoDB stream on one with 404.
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}
REFUSED_ENVIRONMENT = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL", "AWS_ROLE_ARN", "PYTHONPATH")


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module is imported: the environment is ours, an interrupt is one, and jsii finds our Node."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what it puts into the background so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(AWS_ENVIRONMENT)
    for name in REFUSED_ENVIRONMENT:
        os.environ.pop(name, None)
    scripts = sysconfig.get_path("scripts")
    if not os.environ["PATH"].startswith(scripts):
        os.environ["PATH"] = scripts + os.pathsep + os.environ["PATH"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Engine tests share one engine, so one worker runs them all, after the inner rings; one worker synthesises, one browses."""
    for item in items:
        if item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.xdist_group("engine"))
        elif item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
        elif item.nodeid.startswith("tests/infra/"):
            item.add_marker(pytest.mark.xdist_group("infra"))
    items.sort(key=lambda item: item.get_closest_marker("engine") is not None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that tests published (`record_property("figure", (what, of, good, all))`), x of y."""
    figures: dict[str, list[tuple[str, int, int]]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
                if name == "figure":
                    figures.setdefault(value[0], []).append((value[1], value[2], value[3]))
    for what, parts in sorted(figures.items()):
        terminalreporter.section(f"{what}: {sum(p[1] for p in parts)} of {sum(p[2] for p in parts)}")
        for of, good, whole in sorted(parts):
            terminalreporter.write_line(f"{good} of {whole}  {of}")


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections and name look-ups in the inner rings.

    `pytest.fail` raises a BaseException: no retry and no `except Exception` on the way can swallow it.
    """
    marked = {mark.name for mark in request.node.iter_markers()}
    if marked & {"engine", "browser"}:
        return
    loopback = "loopback" in marked
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def allowed(host: object) -> bool:
        if not loopback:
            return False
        if host == "localhost":
            return True
        try:
            return ip_address(str(host)).is_loopback
        except ValueError:
            return False

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not allowed(address[0]):
            pytest.fail(f"a test of the inner rings opened a connection to {address!r}")
        connect(self, address)

    def guarded_getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if not allowed(host):
            pytest.fail(f"a test of the inner rings looked up {host!r}")
        return getaddrinfo(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
