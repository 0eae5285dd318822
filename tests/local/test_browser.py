"""A browser is found, or fetched as the machine allows, or its absence is said; where it is needed that is an error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from infra.local import browser
from infra.local.browser import NEEDED, NoBrowser
from infra.local.paths import ROOT

APT = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
  *update*) touch "{lists}" ;;
  *install*) [ -e "{lists}" ] && : > "{bin}/chromium" && chmod +x "{bin}/chromium" ;;
esac
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a browser, on which Playwright's download fails too."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(browser, "DOWNLOADS", tmp_path / "browsers")
    monkeypatch.setattr(browser, "LOG", ROOT / "var" / "test-setup.log")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (tmp_path / "bin").mkdir()
    return tmp_path


def executable(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", browser.NAMES)
def test_what_the_machine_has_is_used(bare: Path, name: str) -> None:
    there = executable(bare / "bin" / name)
    assert browser.provide() == there


def test_what_was_downloaded_is_used(bare: Path) -> None:
    there = executable(bare / "browsers" / "chromium-1200" / "chrome-linux64" / "chrome")
    assert browser.provide() == there


def test_a_fresh_container_gets_the_package_after_its_lists(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = bare / "apt.log"
    apt = executable(bare / "bin" / "apt-get", APT.format(log=log, lists=bare / "lists", bin=bare / "bin"))
    for tool in ("sh", "touch", "chmod"):
        (apt.parent / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setattr(browser, "is_root", lambda: True)
    assert browser.provide() == bare / "bin" / "chromium"
    assert ["install" in line for line in log.read_text().splitlines()] == [True, False, True]


def test_a_person_who_may_not_install_packages_is_not_asked_to(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(bare / "bin" / "apt-get", f"#!/bin/sh\n: > {bare}/called\n")
    monkeypatch.setattr(browser, "is_root", lambda: False)
    with pytest.raises(NoBrowser, match=r"Playwright's download failed.*apt-get install chromium"):
        browser.provide()
    assert not (bare / "called").exists()


@pytest.mark.parametrize(("environment", "code"), [({}, 0), ({NEEDED: "1"}, 1)])
def test_without_one_work_goes_on_unless_it_is_needed(
    bare: Path, environment: dict[str, str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert browser.main(environment) == code
    assert "what needs a browser is left out" in capsys.readouterr().err


def test_the_sandbox_is_given_up_for_root_alone() -> None:
    assert "--no-sandbox" in browser.arguments(root=True)
    assert "--no-sandbox" not in browser.arguments(root=False)
    assert browser.is_root() == (os.geteuid() == 0)


def test_continuous_integration_needs_one() -> None:
    assert f"export {NEEDED}=1" in (ROOT / ".ci" / "run").read_text()
