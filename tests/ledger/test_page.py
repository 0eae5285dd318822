"""What `docs/checking-the-log.md` tells an outsider to type is what there is."""

from __future__ import annotations

import re

from infra.cli.main import parser
from tests.ledger import test_checkers
from tests.ledger.tampering import KINDS
from tests.support.checker import ROOT
from tests.support.documents import document

PAGE = document("checking-the-log.md")


def test_every_command_on_the_page_is_one() -> None:
    named = set(re.findall(r"`grace ledger (\w+)", PAGE))
    assert named == {"pin", "verify", "download", "prove", "check", "story", "tail", "activity", "replay"}
    for line in (
        "verify --from x",
        "verify --since-pin",
        "verify --against x y",
        "replay --compare",
        "tail --follow",
        "check x",
        "prove c-1",
    ):
        assert parser().parse_args(["ledger", *line.split()]).run


def test_every_option_of_the_checker_on_the_page_is_one() -> None:
    flags = set(re.findall(r'flag\.\w+\("(\w+)"', (ROOT / "tests/ledger/checker/main.go").read_text()))
    named = {
        flag for line in PAGE.splitlines() if line.startswith("./checker") for flag in re.findall(r" -(\w+)", line)
    }
    assert named == flags


def test_the_figures_on_the_page_are_the_tests() -> None:
    assert f"{test_checkers.COUNT} tamperings of {len(KINDS)} kinds" in PAGE
