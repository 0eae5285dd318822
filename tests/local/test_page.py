"""The page of a deployed Grace, in a real browser, by the link in the real letter: the deployed doors, roles and keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from grace.model.approval import ApprovalStatus, LinkTries, Vote
from grace.model.contract import Contract, ContractStatus
from grace.model.entry import ref
from tests.browser.person import DESK, PHONE, Person
from tests.local.deployed import Deployed

pytestmark = pytest.mark.engine


@pytest.fixture
def ana(browser: Browser) -> Iterator[Person]:
    person = Person.at(browser, "engine-desk", **DESK)
    yield person
    person.leaves()


@pytest.fixture
def ben(browser: Browser) -> Iterator[Person]:
    """Ben is on his way: he has a phone."""
    person = Person.at(browser, "engine-phone", **PHONE)
    yield person
    person.leaves()


def votes(grace: Deployed, contract: Contract) -> list[tuple[str, str, str]]:
    return sorted((v.person, v.decision, v.via) for v in grace.store.members(Vote, contract.contract_id))


def test_a_letter_is_opened_answered_wrongly_approved_and_opened_again(
    grace: Deployed, ana: Person, ben: Person
) -> None:
    contract = grace.asks()
    link = grace.link(contract, "ana")
    assert link != grace.link(contract, "ben"), "each has a link of their own"
    assert ana.opens(link) == 200
    for said in ("Why", "What would change", "What must then be true", "What it touches", "left"):
        assert said in ana.text
    ana.looks("1-asked")
    assert votes(grace, contract) == []

    ana.decides("approve", code="aaaa")
    assert "That is not what is asked for" in ana.text
    ana.looks("2-wrong-challenge")
    tries = ref(LinkTries, contract.contract_id, "ana")
    assert grace.store.read(tries).need(tries).failures == 1
    assert votes(grace, contract) == []

    ana.decides("approve")
    assert ana.title == "You approved this"
    ana.looks("3-approved")
    assert votes(grace, contract) == [("ana", "approve", "link")]
    assert grace.head(contract).status is ContractStatus.APPROVED
    assert grace.approval(contract).decided_by == ("ana",)

    assert ana.opens(link) == 200
    assert ana.title == "Already recorded: you approved this"
    ana.looks("4-already-voted")
    assert ben.opens(grace.link(contract, "ben")) == 409
    assert ben.title == "Already approved"
    ben.looks("5-decided-by-others")
    assert len(votes(grace, contract)) == 1


def test_a_letter_is_rejected_on_a_phone(grace: Deployed, ben: Person) -> None:
    contract = grace.asks()
    assert ben.opens(grace.link(contract, "ben")) == 200
    ben.looks("1-asked")
    ben.decides("reject")
    assert ben.title == "You rejected this"
    ben.looks("6-rejected")
    assert votes(grace, contract) == [("ben", "reject", "link")]
    assert grace.head(contract).status is ContractStatus.DENIED


def test_after_the_workflow_has_stopped_waiting_it_is_too_late(grace: Deployed, ana: Person) -> None:
    contract = grace.asks()
    ana.opens(grace.link(contract, "ana"))
    grace.steps("ask", contract, "decided", refuses="Refused")
    ana.decides("approve")
    assert ana.title == "Too late"
    ana.looks("7-expired")
    assert ana.opens(grace.link(contract, "ana")) == 410
    assert votes(grace, contract) == []
    assert grace.approval(contract).status is ApprovalStatus.EXPIRED


def test_what_has_ended_meanwhile_needs_nobody(grace: Deployed, ana: Person) -> None:
    contract = grace.asks()
    ana.opens(grace.link(contract, "ana"))
    grace.steps("rollback", contract, "rollback")
    ana.decides("approve")
    assert ana.title == "No longer needed"
    ana.looks("8-superseded")
    assert votes(grace, contract) == []
    assert grace.approval(contract).status is ApprovalStatus.SUPERSEDED


def test_d12_tier_3_takes_two_letters_and_two_people_who_sign_in(grace: Deployed, ana: Person, ben: Person) -> None:
    contract = grace.asks(3)
    ana.opens(grace.link(contract, "ana"))
    ana.looks("9-sign-in")
    grace.issuer.subject = "sub-ben"
    ana.page.get_by_role("link", name="Sign in to decide").click()
    assert "You signed in as somebody else" in ana.text
    assert not ana.page.locator("form").count()
    ana.looks("10-somebody-else")

    for person, name, title in ((ana, "ana", "1 more person has to approve"), (ben, "ben", "It is checked once more")):
        grace.issuer.subject = f"sub-{name}"
        person.opens(grace.link(contract, name))
        person.page.get_by_role("link", name="Sign in").click()
        assert "Signed in as" in person.text
        person.looks("11-signed-in")
        assert (name, "approve", "oidc") not in votes(grace, contract)
        person.decides("approve")
        assert title in person.text
        person.looks("12-voted")
    assert votes(grace, contract) == [("ana", "approve", "oidc"), ("ben", "approve", "oidc")]
    assert grace.head(contract).status is ContractStatus.APPROVED


def test_what_is_no_link_of_ours_is_nothing_and_a_look_changes_nothing(grace: Deployed, ana: Person) -> None:
    contract = grace.asks()
    link = grace.link(contract, "ana")
    before = (grace.head(contract), grace.approval(contract))
    fetched = ana.page.request
    bodies = {
        (answer.status, answer.body())
        for wrong in (
            link[:-1],
            link[:-1] + ("A" if link[-1] != "A" else "B"),
            link + "A",
            link.rpartition("/")[0] + "/x",
        )
        for answer in [fetched.get(wrong)]
    }
    assert [status for status, _ in bodies] == [404], "one and the same"
    assert ana.opens(link[:-1]) == 404
    ana.looks("13-nothing")

    for method in ("GET", "HEAD"):
        assert fetched.fetch(link, method=method).status == 200
    shown = fetched.get(link).headers
    assert shown["cache-control"] == "no-store"
    assert shown["referrer-policy"] == "strict-origin"
    assert "frame-ancestors 'none'" in shown["content-security-policy"]
    assert (grace.head(contract), grace.approval(contract)) == before
