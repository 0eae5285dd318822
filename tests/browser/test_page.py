"""What a person sees and does at the approval page, in a real browser, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from grace.flow.link import MOST_FAILURES
from grace.gateways.issuer import OidcIssuer
from grace.model.approval import Vote
from grace.model.contract import ContractStatus
from grace.model.signin import Provider
from tests.browser.person import DESK, PHONE, Person
from tests.browser.site import Site, serving
from tests.support import issuer as issuers
from tests.support.links import approval_of, minted
from tests.support.world import alarm_event
from tests.unit.flow.scenes import every, forge, need, run
from tests.unit.web.scenes import mailed, state

pytestmark = pytest.mark.browser
WINDOWS = {"desk": DESK, "phone": PHONE}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(*mailed()) as served:
        yield served


@pytest.fixture(params=WINDOWS)
def ada(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Person]:
    """Ada, at her desk and on her phone."""
    person = Person.at(browser, request.param, **WINDOWS[request.param])
    yield person
    person.leaves()


def test_a_person_reads_and_approves_and_it_is_done(site: Site, ada: Person) -> None:
    assert ada.opens(site.link("ada")) == 200
    for said in ("Why", "What would change", "What must then be true", "What it touches", "Its record", "left"):
        assert said in ada.text
    assert ada.page.locator("svg.plot .curve").first.is_visible()
    assert not ada.page.locator("input[type=radio]:checked").count()
    ada.looks("1-asked")
    ada.decides("approve")
    assert ada.title == "You approved this"
    ada.looks("2-approved")
    assert need(site.world, Vote, site.contract, "ada").via == "link"
    run(site.world)
    assert site.world.head(site.contract).status is ContractStatus.VERIFIED


def test_a_person_rejects_and_nothing_is_done(site: Site, ada: Person) -> None:
    ada.opens(site.link("ada"))
    ada.decides("reject")
    assert ada.title == "You rejected this"
    ada.looks("3-rejected")
    assert site.world.head(site.contract).status is ContractStatus.DENIED


def test_a_wrong_challenge_decides_nothing_and_may_be_tried_again(site: Site, ada: Person) -> None:
    ada.opens(site.link("ada"))
    ada.decides("approve", code="aaaa")
    assert "That is not what is asked for" in ada.text
    assert f"{MOST_FAILURES - 1} tries left" in ada.text
    ada.looks("4-wrong-challenge")
    assert not every(site.world, Vote)
    ada.decides("approve")
    assert ada.title == "You approved this"


def test_after_ten_wrong_challenges_the_link_is_closed(site: Site, ada: Person) -> None:
    ada.opens(site.link("ada"))
    for _ in range(MOST_FAILURES):
        ada.decides("approve", target="another")
    assert ada.title == "This link is closed"
    ada.looks("5-closed")
    assert not every(site.world, Vote)


def test_who_has_voted_is_told_so(site: Site, ada: Person) -> None:
    ada.opens(site.link("ada"))
    ada.decides("approve")
    assert ada.opens(site.link("ada")) == 200
    assert ada.title == "Already recorded: you approved this"
    ada.looks("6-already-voted")
    assert len(every(site.world, Vote)) == 1


def test_when_others_have_decided_the_page_says_who(site: Site, ada: Person, browser: Browser) -> None:
    bob = Person.at(browser, "bob")
    bob.opens(site.link("bob"))
    bob.decides("reject")
    bob.leaves()
    assert ada.opens(site.link("ada")) == 409
    assert "Bob rejected" in ada.text
    ada.looks("7-decided-by-others")


def test_after_the_end_of_the_time_it_is_too_late(site: Site, ada: Person) -> None:
    ada.opens(site.link("ada"))
    site.world.clock.advance(1801)
    ada.decides("approve")
    assert ada.title == "Too late"
    ada.looks("8-expired")
    assert not every(site.world, Vote)


def test_what_the_alarm_withdrew_needs_nobody(site: Site, ada: Person) -> None:
    world = site.world
    ada.opens(site.link("ada"))
    world.clock.advance(60)
    world.alarm("OK", world.clock.now())
    world.fire(alarm_event("OK", world.clock.now()))
    ada.decides("approve")
    assert ada.title == "No longer needed"
    ada.looks("9-superseded")
    assert not every(world, Vote)


def test_who_asked_for_the_change_does_not_decide_it(site: Site, ada: Person) -> None:
    approval = approval_of(site.world, site.contract)
    forge(site.world, site.contract, approval.model_copy(update={"excluded": ("ada",)}))
    assert ada.opens(site.link("ada")) == 403
    ada.looks("10-not-yours")


def test_what_is_no_link_is_nothing(site: Site, ada: Person) -> None:
    assert ada.opens(f"{site.address}/a/{minted(site.world, site.contract, 'ada')[:-1]}") == 404
    assert ada.title == "There is nothing here"
    ada.looks("11-nothing")


def test_the_page_works_without_scripts(site: Site, browser: Browser) -> None:
    """It has none, and needs none: a browser that runs no script decides as well."""
    person = Person.at(browser, "no-scripts", java_script_enabled=False, **PHONE)
    assert person.opens(site.link("ada")) == 200
    person.decides("approve")
    assert person.title == "You approved this"
    person.leaves()


def test_the_keyboard_alone_is_enough(site: Site, browser: Browser) -> None:
    person = Person.at(browser, "keyboard")
    person.opens(site.link("ada"))
    keys = person.page.keyboard
    keys.press("Tab")
    assert person.page.evaluate("document.activeElement.textContent") == "Go to the decision"
    keys.press("Enter")
    for _ in range(12):
        keys.press("Tab")
        if person.page.evaluate("document.activeElement.name") == "decision":
            break
    keys.press("Space")
    for field in ("code", "target"):
        keys.press("Tab")
        assert person.page.evaluate("document.activeElement.name") == field
        keys.type(person.page.inner_text(f"label[for={field}] b"))
    with person.page.expect_navigation():
        keys.press("Enter")
    assert need(site.world, Vote, site.contract, "ada").decision == "approve"
    person.leaves()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_day_and_by_night(site: Site, browser: Browser, scheme: Any) -> None:
    person = Person.at(browser, scheme, color_scheme=scheme, **DESK)
    person.opens(site.link("ada"))
    person.looks("asked")
    person.decides("approve", code="aaaa")
    person.looks("wrong")
    person.leaves()


def test_d12_tier_3_takes_two_people_who_sign_in(browser: Browser, ada: Person) -> None:
    world, contract = mailed(3)
    with issuers.serving(lambda: int(world.clock.now().timestamp())) as issuer, serving(world, contract) as site:
        world.issuer = OidcIssuer(Provider(issuer=issuer.address, client_id=issuers.CLIENT))
        before = state(world, contract)
        ada.opens(site.link("ada"))
        ada.looks("12-sign-in")
        ada.page.get_by_role("link", name="Sign in to decide").click()
        assert "Signed in as Ada" in ada.text
        assert state(world, contract) == before
        ada.looks("13-signed-in")
        ada.decides("approve")
        assert "1 more person has to approve" in ada.text
        ada.looks("14-first-of-two")
        assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
        bob = Person.at(browser, "bob")
        issuer.subject = "sub-bob"
        bob.opens(site.link("bob"))
        bob.page.get_by_role("link", name="Sign in to decide").click()
        bob.decides("approve")
        assert world.head(contract).status is ContractStatus.APPROVED
        bob.leaves()
    assert [(vote.person, vote.via) for vote in every(world, Vote)] == [("ada", "oidc"), ("bob", "oidc")]


def test_f27_a_letter_in_another_persons_hands_decides_nothing(browser: Browser) -> None:
    world, contract = mailed(3)
    with issuers.serving(lambda: int(world.clock.now().timestamp())) as issuer, serving(world, contract) as site:
        world.issuer = OidcIssuer(Provider(issuer=issuer.address, client_id=issuers.CLIENT))
        issuer.subject = "sub-bob"
        bob = Person.at(browser, "bob")
        bob.opens(site.link("ada"))
        bob.page.get_by_role("link", name="Sign in to decide").click()
        assert "You signed in as somebody else" in bob.text
        bob.looks("15-somebody-else")
        assert not bob.page.locator("form").count()
        bob.leaves()
    assert not every(world, Vote)
