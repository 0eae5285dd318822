"""The assets: small enough, complete, with bytecode that is believed, and made once."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import botocore.session
import pytest

from infra.config import ConfigError
from infra.constructs import layers, pruning
from infra.constructs.floor_plan import DOORS, Door
from infra.provision import ENGINE_VENV, SetupError

UNCHECKED = 1
MEGABYTE = 1_000_000
ENGINE = ENGINE_VENV / "bin" / "python"


@pytest.fixture(scope="module")
def host() -> list[Path]:
    """Layers and doors as the embedded engine gets them, really built."""
    return [each.path for each in (layers.core(), layers.dependencies("host"), layers.data("{}"), layers.doors())]


def test_code_and_layers_keep_the_budget(host: list[Path], tmp_path: Path) -> None:
    """P3: 24 MB unzipped, bytecode included, and 10 MB zipped."""
    files = [path for folder in host for path in folder.rglob("*") if path.is_file()]
    unzipped = sum(path.stat().st_size for path in files)
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for number, path in enumerate(files):
            out.write(path, f"{number}")
    assert any(path.suffix == ".pyc" for path in files)
    assert unzipped <= 24 * MEGABYTE
    assert archive.stat().st_size <= 10 * MEGABYTE


def test_bytecode_is_believed_whatever_the_dates_say(host: list[Path]) -> None:
    """P2: the second word of the header is 1 (hash-based, unchecked), so dates of 1980 cost nothing."""
    tag = layers._tag(str(ENGINE))
    for folder in (host[0], host[1], host[3]):
        found = list(folder.rglob(f"*.{tag}.pyc"))
        sources = list(folder.rglob("*.py"))
        assert len(found) >= 0.97 * len(sources)  # a package's examples in a newer syntax stay source
        assert {int.from_bytes(path.read_bytes()[4:8], "little") for path in found} == {UNCHECKED}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_door_needs_nothing_that_is_not_in_the_layers(host: list[Path], door: Door) -> None:
    """Imported by the engine's interpreter with its own packages out of sight, so a pruned module is missed here."""
    name = door.name
    core, dependencies, data, doors = host
    path = [str(core / "python"), str(dependencies / "python"), str(data / "python"), str(doors)]
    program = f"""
import importlib, pkgutil, sys
sys.path[:0] = {path!r}
import {name}
for package in ("grace.resources", "grace.actions", "grace.probes"):
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(package + "." + info.name)
assert callable({name}.handler)
"""
    ended = subprocess.run(
        [str(ENGINE), "-I", "-S", "-c", program],
        env={"AWS_DEFAULT_REGION": "eu-central-1", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_every_service_the_code_calls_is_described_in_the_layer(host: list[Path]) -> None:
    described = {path.name for path in (host[1] / "python" / "botocore" / "data").iterdir() if path.is_dir()}
    called = _services_called()
    assert {"lambda", "cloudwatch", "dynamodb", "s3"} <= called
    assert called <= described
    assert described == pruning.SERVICES


def _services_called() -> set[str]:
    """Return the first argument of every `call(...)` and `client(...)` in the package that names a service."""
    known = set(botocore.session.get_session().get_available_services())
    found = set()
    for path in layers.CORE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                words = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in {"call", "_call", "client"}:
                    found |= {str(word) for word in words if word in known}
    return found


def test_nothing_is_built_twice(host: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "run", lambda *_: pytest.fail("the dependencies were installed again"))
    assert layers.dependencies("host").path == host[1]


def test_a_changed_source_is_another_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "BUILD", tmp_path / "build")
    source = tmp_path / "grace"
    source.mkdir()
    (source / "one.py").write_text("A = 1\n")
    monkeypatch.setattr(layers, "CORE", source)
    first = layers.core()
    assert layers.core() == first
    (source / "one.py").write_text("A = 2\n")
    second = layers.core()
    assert second.digest != first.digest
    assert (second.path / "python" / "grace" / "one.py").read_text() == "A = 2\n"


def test_what_no_synth_has_used_for_a_day_goes_when_something_new_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tmp_path / "build"
    monkeypatch.setattr(layers, "BUILD", build)
    forgotten, in_use, recent = (layers.data(text).path for text in ("forgotten", "in use", "recent"))
    killed = build / ".core-killed"
    (killed / "asset").mkdir(parents=True)
    day_ago, today = time.time() - layers.UNUSED_SECONDS - 60, time.time() - layers.UNUSED_SECONDS + 3600
    for path, when in ((forgotten, day_ago), (in_use, day_ago), (killed, day_ago), (recent, today)):
        os.utime(path, (when, when))
    assert layers.data("in use").path == in_use
    assert forgotten.is_dir(), "what builds nothing removes nothing"
    new = layers.data("new").path
    assert set(build.iterdir()) == {in_use, recent, new}
    assert (in_use / "python" / "grace_data" / "catalogue.json").read_text() == "in use"
    assert layers.data("forgotten").path == forgotten
    assert (forgotten / "python" / "grace_data" / "catalogue.json").read_text() == "forgotten"


def test_what_another_synth_takes_up_while_this_one_clears_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's use comes between the look and the removal: it waits for the lock and then builds anew."""
    monkeypatch.setattr(layers, "BUILD", tmp_path / "build")
    asset = layers.data("shared").path
    old = time.time() - layers.UNUSED_SECONDS - 60
    os.utime(asset, (old, old))
    others: list[threading.Thread] = []
    rename = Path.rename

    def slowly(path: Path, target: Path) -> Path:
        if path == asset:
            other = threading.Thread(target=layers.data, args=("shared",))
            others.append(other)
            other.start()
            other.join(0.2)  # without the lock it is done by now, and what it was told is there goes
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", slowly)
    layers.data("new")
    for other in others:
        other.join()
    assert others
    assert (asset / "python" / "grace_data" / "catalogue.json").read_text() == "shared"


def test_a_build_that_breaks_off_leaves_nothing_that_looks_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "BUILD", tmp_path / "build")

    def broken(_command: list[str], _problem: str) -> str:
        raise SetupError("no network")

    monkeypatch.setattr(layers, "run", broken)
    with pytest.raises(ConfigError, match="no network"):
        layers.dependencies("lambda")
    assert list((tmp_path / "build").iterdir()) == []


def test_the_layer_for_lambda_is_built_for_its_platform_from_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "BUILD", tmp_path / "build")
    commands: list[list[str]] = []

    def installed(command: list[str], _problem: str) -> str:
        commands.append(command)
        return ""

    monkeypatch.setattr(layers, "run", installed)
    monkeypatch.setattr(pruning, "prune", lambda _packages: None)
    layers.dependencies("lambda")
    [command] = commands
    said = " ".join(command)
    assert "--python-platform aarch64-manylinux2014 --python-version 3.13" in said
    assert "--require-hashes" in command
    assert "--no-deps" in command
    assert "--only-binary :all:" in said
    assert command[-1] == "3.13"


def test_a_missing_interpreter_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_interpreter", lambda _version: None)
    [note] = layers.notes()
    assert "install python3.13" in note
    assert "\n" not in note
    monkeypatch.setattr(layers, "_interpreter", lambda _version: sys.executable)
    assert layers.notes() == []


def test_the_data_layer_is_a_package_beside_the_house(host: list[Path]) -> None:
    package = host[2] / "python" / "grace_data"
    assert (package / "__init__.py").is_file()
    assert json.loads((package / "catalogue.json").read_text()) == {}
