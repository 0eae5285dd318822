"""A hundredth part and more of the audit of forged links; and that the audit would see a link that is let in."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from grace.flow import link as flow_link
from grace.gateways.memory import MemoryMacs
from grace.model import link as model_link
from tests.audit import __main__ as audit
from tests.audit.forgery import Forger, attempt

COUNT = 100_000


def test_no_forged_or_mutated_link_is_let_in(record_property: Any) -> None:
    tried = attempt(COUNT)
    assert not tried.accepted
    assert tried.count == COUNT
    assert set(tried.kinds) == set(Forger().ways)
    record_property("figure", ("forged links refused", "every kind", tried.count - len(tried.accepted), tried.count))


def test_the_links_that_are_mutated_are_let_in() -> None:
    forger = Forger()
    assert all(forger.opens(link) for link in forger.known)


def test_the_same_seed_tries_the_same_links_and_another_seed_others() -> None:
    first, again, other = (list(Forger(seed).links(500)) for seed in (1, 1, 2))
    assert first == again != other


def believes_every_proof(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryMacs, "verify", lambda *_: True)


def proves_only_half(patch: pytest.MonkeyPatch) -> None:
    """The end of a link is not under its proof."""
    whole = model_link.message
    patch.setattr(flow_link, "message", lambda link, generation: whole(link, generation)[:-4])
    patch.setattr(MemoryMacs, "verify", lambda self, said, mac, key: mac in proofs(self, said))

    def proofs(macs: MemoryMacs, said: bytes) -> set[bytes]:
        forger_known = (macs.generate(said + end)[0] for end in ends)
        return set(forger_known)

    ends = {model_link.decode(link)[0].expires.to_bytes(4, "big") for link in Forger().known}


@pytest.mark.parametrize("mutant", [believes_every_proof, proves_only_half])
def test_a_hole_would_be_seen(mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    assert attempt(2_000).accepted


def test_a_spelling_that_is_not_compared_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(text: str) -> Any:
        return model_link.decode(base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "==")).decode().rstrip("="))

    def forgiving(text: str) -> Any:
        try:
            return lenient(text)
        except ValueError:
            raise model_link.InvalidLink("not a link") from None

    monkeypatch.setattr(flow_link, "decode", forgiving)
    assert {kind for kind, _ in attempt(2_000).accepted} == {"it is spelled otherwise"}


@pytest.mark.parametrize(("bad", "code"), [((), 0), (("one",), 1)])
def test_the_audit_ends_with_1_when_one_was_let_in(
    bad: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stood = audit.Stood(10 - len(bad), 10, bad)
    monkeypatch.setattr(audit, "AUDITS", (audit.Audit("links refused", 10, lambda count, seen: stood),))
    assert audit.main() == code
    assert f"{10 - len(bad)} of 10  links refused" in capsys.readouterr().out
