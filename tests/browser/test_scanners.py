"""What opens links before people do: scanners of mail, prefetchers, thieves of forms. None of them decides anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from grace.model.approval import LinkTries, Vote
from grace.model.contract import ContractStatus
from tests.browser.person import Person
from tests.browser.site import Site, serving
from tests.unit.flow.scenes import every
from tests.unit.web.scenes import mailed, state

pytestmark = pytest.mark.browser


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(*mailed()) as served:
        yield served


@pytest.fixture
def scanner(browser: Browser) -> Iterator[Person]:
    person = Person.at(browser, "scanner")
    yield person
    person.leaves()


def test_f24_a_hundred_openings_and_heads_change_nothing(site: Site, scanner: Person) -> None:
    before = state(site.world, site.contract)
    fetched = scanner.page.request
    for number in range(100):
        address = site.link(("ada", "bob")[number % 2])
        assert fetched.get(address, headers={"purpose": "prefetch"}).status == 200
        if number % 10 == 0:
            assert fetched.head(address).status == 200
            assert fetched.fetch(address, method="OPTIONS").status == 204
    assert len(site.requests) == 120
    assert state(site.world, site.contract) == before


def test_f24_a_browser_that_prefetches_prerenders_and_follows_every_link_changes_nothing(
    site: Site, scanner: Person
) -> None:
    before = state(site.world, site.contract)
    page = scanner.page
    page.goto(site.address + "/elsewhere")
    page.set_content(f"<link rel=prefetch href='{site.link('ada')}'><img src='{site.link('bob')}'>")
    page.wait_for_load_state("networkidle")
    scanner.opens(site.link("ada"))
    addresses = page.eval_on_selector_all("a[href], [src], link[href]", "all => all.map(e => e.href || e.src)")
    assert addresses
    for address in addresses:
        page.goto(address)
    assert any(path.startswith("/a/") for _, path, _ in site.requests)
    assert state(site.world, site.contract) == before


def test_f25_a_browser_that_runs_scripts_and_sends_every_form_casts_no_vote(site: Site, scanner: Person) -> None:
    page = scanner.page
    tries = 0
    for choice in ("approve", "reject", ""):
        for filled in ("", "yes", "approve"):
            scanner.opens(site.link("ada"))
            with page.expect_navigation():
                page.evaluate(
                    """([choice, filled]) => {
                        for (const form of document.forms) {
                            for (const field of form.elements) {
                                if (field.type === 'radio') field.checked = field.value === choice
                                else if (field.type !== 'hidden') field.value = filled
                            }
                            HTMLFormElement.prototype.submit.call(form)
                        }
                    }""",
                    [choice, filled],
                )
            tries += bool(choice)
    assert not every(site.world, Vote)
    assert site.world.head(site.contract).status is ContractStatus.AWAITING_APPROVAL
    assert [each.failures for each in every(site.world, LinkTries)] == [tries]


def test_f39_a_form_on_another_page_sends_nothing_that_counts(site: Site, scanner: Person) -> None:
    """Even with the link and the right challenge in it: the browser says where it comes from."""
    reader = Person(scanner.page.context.new_page(), "reader")
    reader.opens(site.link("ada"))
    code, target = (reader.page.inner_text(f"label[for={name}] b") for name in ("code", "target"))
    token = site.link("ada").rpartition("/")[2]
    before = state(site.world, site.contract)
    other = site.address.replace("127.0.0.1", "localhost")
    scanner.page.route(other + "/evil", lambda route: route.fulfill(content_type="text/html", body="<p>You have won!"))
    scanner.page.goto(other + "/evil")
    with scanner.page.expect_navigation():
        scanner.page.evaluate(
            """([action, fields]) => {
                const form = Object.assign(document.createElement('form'), {method: 'post', action})
                for (const [name, value] of Object.entries(fields))
                    form.append(Object.assign(document.createElement('input'), {name, value}))
                document.body.append(form)
                form.submit()
            }""",
            [site.address + "/a", {"token": token, "decision": "approve", "code": code, "target": target}],
        )
    assert site.requests[-1] == ("POST", "/a", 404)
    assert state(site.world, site.contract) == before


def test_f39_the_page_is_shown_in_no_frame(site: Site, scanner: Person) -> None:
    scanner.page.set_content(f"<iframe src='{site.link('ada')}'></iframe>")
    scanner.page.wait_for_load_state("networkidle")
    [frame] = scanner.page.frames[1:]
    assert "Your decision" not in frame.content()


def test_i23_the_link_leaves_in_no_referrer(site: Site, scanner: Person) -> None:
    told: list[str] = []
    scanner.page.on("request", lambda request: told.append(request.headers.get("referer", "")))
    scanner.opens(site.link("ada"))
    scanner.decides("approve")
    assert any(told)
    assert not [each for each in told if "/a" in each.removeprefix(site.address)]
