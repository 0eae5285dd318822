"""How the demo has its change approved: by a browser at the mailed link, by whoever sits there, or by a command."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from infra.cli.errors import CommandError
from infra.demo import approving, clicking, facts
from infra.demo.approving import Approving
from infra.demo.telling import Telling
from infra.local.inbox import Letter

CONTRACT = "c-xsjmyreuhvjxakujpfwqu5oxqq"
LINK = "https://127.0.0.1:4566/_aws/execute-api/ab/$default/a/" + "A" * 103
LETTERS = [
    Letter(facts.SENDER, ("ben@shop.example",), f"{CONTRACT} {LINK[:-1]}B", ""),
    Letter(facts.SENDER, (facts.MAIL,), f"another contract {LINK[:-1]}C", ""),
    Letter(facts.SENDER, (facts.MAIL,), f"Contract: {CONTRACT}\n\n{LINK}\n\nThe link is yours alone", ""),
]


class Heard:
    """A demo's approval, and what was said and done in it."""

    def __init__(self, letters: list[Letter], *, interactive: bool) -> None:
        self.output = io.StringIO()
        self.telling = Telling("a change", "change")
        console = Console(file=self.output, width=60)
        self.approving = Approving(console, Path("nowhere"), lambda: letters, interactive=interactive)

    def begin(self) -> None:
        self.approving.begin(CONTRACT, 30, self.telling)
        self.approving.end()

    @property
    def told(self) -> str:
        return "\n".join(text for _, text in self.telling.lines)


def test_a_browser_opens_the_approvers_own_link_to_this_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    clicked: list[tuple[Path, str]] = []
    monkeypatch.setattr(approving, "found", lambda: Path("/chromium"))
    monkeypatch.setattr(clicking, "approve", lambda path, link, _picture: clicked.append((path, link)))
    heard = Heard(LETTERS, interactive=False)
    heard.begin()
    assert clicked == [(Path("/chromium"), LINK)]
    assert LINK in heard.output.getvalue(), "whole, on one line, to be copied"
    heard.approving.check()


def test_whoever_sits_there_is_waited_for_and_nothing_is_clicked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clicking, "approve", lambda *_: pytest.fail("nobody asked for that"))
    heard = Heard(LETTERS, interactive=True)
    heard.begin()
    assert LINK in heard.output.getvalue()
    assert heard.telling.waiting == "for you to decide, 30 minutes at most"


def test_without_a_browser_it_is_said_and_a_command_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(approving, "found", lambda: None)
    monkeypatch.setattr(Approving, "_command", lambda _self, contract: done.append(contract))
    heard = Heard(LETTERS, interactive=False)
    heard.begin()
    assert done == [CONTRACT]
    assert "no browser on this machine" in heard.told


@pytest.mark.parametrize("letters", [[], LETTERS[:2], [Letter(facts.SENDER, (facts.MAIL,), CONTRACT, "")]])
def test_a_letter_that_did_not_arrive_ends_the_demo_with_a_sentence(letters: list[Letter]) -> None:
    with pytest.raises(CommandError, match="No letter"):
        Heard(letters, interactive=False).begin()


def test_a_page_that_did_not_take_the_decision_ends_the_demo_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise CommandError("The approval page did not take the decision: Too late.")

    monkeypatch.setattr(approving, "found", lambda: Path("/chromium"))
    monkeypatch.setattr(clicking, "approve", fails)
    heard = Heard(LETTERS, interactive=False)
    heard.begin()
    with pytest.raises(CommandError, match="Too late"):
        heard.approving.check()
