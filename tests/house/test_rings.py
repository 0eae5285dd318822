"""The borders between the rings, kept by `tests/conftest.py`: no socket inside, no real account anywhere, engine last."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest

from tests.conftest import pytest_collection_modifyitems

Refused = pytest.fail.Exception


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()


def test_a_connection_is_refused(server: tuple[str, int]) -> None:
    with pytest.raises(Refused, match="opened a connection"), socket.socket() as client:
        client.connect(server)


def test_a_look_up_is_refused() -> None:
    with pytest.raises(Refused, match="looked up 'localhost'"):
        socket.create_connection(("localhost", 9))


def test_no_handler_of_exceptions_can_swallow_the_refusal(server: tuple[str, int]) -> None:
    with pytest.raises(Refused), contextlib.suppress(Exception), socket.socket() as client:
        client.connect(server)


def test_a_client_nobody_mocked_does_not_reach_aws() -> None:
    with pytest.raises(Refused, match="amazonaws"):
        boto3.client("sts").get_caller_identity()


@pytest.mark.loopback
def test_loopback_opens_this_machine_only(server: tuple[str, int]) -> None:
    with socket.create_connection(server):
        pass
    with pytest.raises(Refused), socket.socket() as client:
        client.connect(("192.0.2.1", 80))
    with pytest.raises(Refused):
        socket.getaddrinfo("example.com", 80)


def test_credentials_are_worth_nothing() -> None:
    credentials = boto3.Session().get_credentials()
    assert credentials is not None
    assert credentials.access_key == "testing"
    assert "AWS_PROFILE" not in os.environ
    assert "AWS_ENDPOINT_URL" not in os.environ


def test_node_is_the_one_that_was_installed() -> None:
    """Jsii starts the first Node on PATH; the machine's own may be one it refuses."""
    assert Path(shutil.which("node") or "").parent == Path(sys.prefix) / "bin"


def test_the_engine_ring_comes_last_in_one_worker() -> None:
    items = [
        item("tests/local/test_a.py::a", "engine"),
        item("tests/unit/test_b.py::b"),
        item("tests/infra/test_c.py::c"),
    ]
    pytest_collection_modifyitems(cast("list[pytest.Item]", items))
    assert [each.nodeid.split("::")[1] for each in items] == ["b", "c", "a"]
    assert [each.groups for each in items] == [[], ["infra"], ["engine"]]


def test_a_group_has_one_worker(tmp_path: Path) -> None:
    """Versions that do not fit together ignore the groups without a word; then the engine ring runs in every worker."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_group.py").write_text(
        "import pytest\n"
        "@pytest.mark.xdist_group('engine')\n"
        "@pytest.mark.parametrize('number', range(6))\n"
        "def test_it(number): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-v", "-p", "no:cacheprovider"]
    ran = subprocess.run([*command, os.fspath(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path)
    passed = [line.split()[0] for line in ran.stdout.splitlines() if " PASSED " in line]
    assert len(passed) == 6, ran.stdout
    assert len(set(passed)) == 1, "the groups are ignored"


def item(nodeid: str, *marks: str) -> Any:
    groups: list[str] = []
    return SimpleNamespace(
        nodeid=nodeid,
        groups=groups,
        get_closest_marker=lambda name: name if name in marks else None,
        add_marker=lambda mark: groups.append(mark.args[0]),
    )
