"""The assets, built without Docker: the house and the doors with their bytecode, the dependencies, the catalogue.

Everything is kept under `build/` by a digest of what it was made from, so a synth that changes nothing builds nothing.
What no synth has used for a day goes when something new is built.
CDK's archives carry dates of 1980, which makes Python distrust bytecode that is checked by date; ours is unchecked and
belongs to the archive it travels in. It is written for each interpreter that will run it and is present here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from infra.config import ConfigError
from infra.constructs import pruning
from infra.provision import ENGINE_VENV, VENV, SetupError, run

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
REQUIREMENTS = ROOT / "requirements"
CORE = ROOT / "layers" / "core" / "python" / "grace"
DOORS = ROOT / "functions"
UNUSED_SECONDS = 86_400
"""After so long without a synth that used it an asset goes; no synth and no deploy takes nearly as long."""
LAMBDA_PYTHON = "3.13"
LAMBDA_PLATFORM = "aarch64-manylinux2014"

Platform = Literal["lambda", "host"]
Extra = Literal["cedar", "crypto", "web"]
"""Packages that few doors use: each is a layer of its own."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A folder that becomes an archive, and the digest of what it was made from."""

    path: Path
    digest: str


def notes() -> list[str]:
    """Return what a person should know about this machine's builds, one line each."""
    if _interpreter(LAMBDA_PYTHON) is not None:
        return []
    note = f"No Python {LAMBDA_PYTHON} was found here, so the layers carry no bytecode for Lambda and each cold start"
    return [f"{note} compiles: install python{LAMBDA_PYTHON} for the faster start."]


def core() -> Asset:
    """The package `grace` with bytecode for Lambda's and the engine's interpreter."""
    return _compiled("core", CORE, "python/grace")


def doors() -> Asset:
    """The folder of the doors with bytecode."""
    return _compiled("doors", DOORS, "")


def data(catalogue: str) -> Asset:
    """The catalogue as package `grace_data`, found on the import path: the same on Lambda and on the engine."""

    def fill(folder: Path) -> None:
        package = folder / "python" / "grace_data"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text('"""The data of this deployment, made at synth."""\n', encoding="utf-8")
        (package / "catalogue.json").write_text(catalogue, encoding="utf-8")

    return _built("data", _digest([catalogue.encode()]), fill)


def dependencies(platform: Platform, of: Literal["runtime"] | Extra = "runtime") -> Asset:
    """The third-party packages of `requirements/<of>.txt` for a platform, hashes checked, pruned, with bytecode.

    Raises:
        ConfigError: a package is not to be had, or the engine's environment is missing.
    """
    python = _host_python() if platform == "host" else _interpreter(LAMBDA_PYTHON)
    tag = _tag(python) if python else "no-bytecode"
    lock = REQUIREMENTS / f"{of}.txt"
    made_from = [lock.read_bytes(), Path(pruning.__file__).read_bytes(), platform.encode(), tag.encode()]

    def fill(folder: Path) -> None:
        target = folder / "python"
        command = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--target", str(target), "--require-hashes"]
        command += ["--no-deps", "--only-binary", ":all:", "--link-mode", "copy", "-r", str(lock)]
        if platform == "host":
            command += ["--python", str(python)]
        else:
            command += ["--python-platform", LAMBDA_PLATFORM, "--python-version", LAMBDA_PYTHON]
        try:
            run(command, f"the layer with the packages of {lock.name} for {platform} could not be built")
        except SetupError as exc:
            raise ConfigError(str(exc)) from exc
        pruning.prune(target)
        if python:
            _compile(python, target)

    return _built(f"{'dependencies' if of == 'runtime' else of}-{platform}", _digest(made_from), fill)


def _compiled(name: str, source: Path, place: str) -> Asset:
    """Copy a folder of Python source and write bytecode for each interpreter that will run it."""
    files = sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    pythons = {tag: python for python in _interpreters() for tag in [_tag(python)]}
    made_from: list[bytes] = [tag.encode() for tag in sorted(pythons)]
    for path in files:
        made_from += [str(path.relative_to(source)).encode(), path.read_bytes()]

    def fill(folder: Path) -> None:
        for path in files:
            copy = folder / place / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for tag in sorted(pythons):
            _compile(pythons[tag], folder)

    return _built(name, _digest(made_from), fill)


def _built(name: str, digest: str, fill: Callable[[Path], None]) -> Asset:
    """Return `build/<name>-<digest>`, filling it first when it is not there. A half-built folder never has the name."""
    folder = BUILD / f"{name}-{digest[:16]}"
    if not _used(folder):
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix=f".{name}-") as work:
            fresh = Path(work) / "asset"
            fresh.mkdir()
            fill(fresh)
            try:
                fresh.rename(folder)
            except OSError:  # another synth was faster; its folder is the same
                if not _used(folder):
                    raise
        _drop_unused()
    return Asset(folder, digest)


def _used(folder: Path) -> bool:
    """Tell whether an asset is there, and note that it is used: its folder's date is when a synth last asked for it."""
    if not BUILD.is_dir():
        return False
    with _alone():
        try:
            os.utime(folder)
        except FileNotFoundError:
            return False
    return True


def _drop_unused() -> None:
    """Remove what nobody has used for so long: other assets, and what builds that were killed left behind."""
    limit = time.time() - UNUSED_SECONDS
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".unused-", ignore_cleanup_errors=True) as work, _alone():
        for path in BUILD.iterdir():  # whoever asks for one of these meanwhile is told afterwards that it is not there
            with suppress(FileNotFoundError):  # another synth's working folder, which it has removed by now
                if path.stat().st_mtime < limit:
                    path.rename(Path(work) / path.name)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of the build folder, which two synths at once share; it goes with the process that holds it."""
    lock = os.open(BUILD, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _digest(parts: Iterable[bytes]) -> str:
    seen = hashlib.sha256()
    for part in parts:
        seen.update(len(part).to_bytes(8, "big") + part)
    return seen.hexdigest()


def _compile(python: str, folder: Path) -> None:
    """Write unchecked bytecode for one interpreter. A file that its version cannot read stays source."""
    command = [python, "-m", "compileall", "-q", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    subprocess.run([*command, str(folder)], check=False, capture_output=True, stdin=subprocess.DEVNULL)  # noqa: S603


def _interpreters() -> list[str]:
    """Return the interpreters that will run the house and are present: Lambda's, and the engine's."""
    engine = ENGINE_VENV / "bin" / "python"
    found = [_interpreter(LAMBDA_PYTHON), str(engine) if engine.exists() else None]
    return [python for python in found if python]


def _host_python() -> str:
    python = ENGINE_VENV / "bin" / "python"
    if not python.exists():
        raise ConfigError(f"The engine's environment {ENGINE_VENV.name} is missing: run `make setup`.")
    return str(python)


@cache
def _interpreter(version: str) -> str | None:
    """Return a Python of that version that runs here, or None."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    # A name on the path may be a shim for a version that is not chosen: only one that runs counts.
    candidate = shutil.which(f"python{version}")
    return candidate if candidate and _tag(candidate) else None


@cache
def _tag(python: str) -> str:
    """Return an interpreter's bytecode tag (`cpython-313`), or an empty string when it does not run."""
    command = [python, "-c", "import json, sys; print(json.dumps(sys.implementation.cache_tag))"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)  # noqa: S603
    return str(json.loads(done.stdout)) if done.returncode == 0 else ""
