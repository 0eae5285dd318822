"""Tier 3: the link and a signed-in person, who must be the one the link was sent to; against a real issuer on loopback."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from grace.gateways.issuer import OidcIssuer
from grace.model.approval import LinkTries, Vote
from grace.model.contract import ContractStatus
from grace.model.signin import Provider
from grace.web.answering import respond
from tests.support.issuer import CLIENT, TestIssuer, serving
from tests.support.links import Answer, asked, fields, get, minted, send
from tests.support.world import World
from tests.unit.flow.scenes import every, need, read, run, story
from tests.unit.web.scenes import mailed, state

pytestmark = pytest.mark.loopback


class Browser:
    """A browser: keeps cookies, follows the road to the issuer and back."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.jar: dict[str, str] = {}
        self.set: list[str] = []

    @property
    def cookies(self) -> tuple[str, ...]:
        return tuple(f"{name}={value}" for name, value in self.jar.items() if value)

    def take(self, found: Answer) -> Answer:
        for cookie in found.get("cookies", ()):
            self.set.append(cookie)
            name, _, value = cookie.partition(";")[0].partition("=")
            self.jar[name] = value
        return found

    def login(self, token: str) -> Answer:
        return self.take(respond(asked("GET", f"/a/login?link={token}", cookies=self.cookies), self.world))

    def back(self, address: str) -> Answer:
        parts = urlsplit(address)
        return self.take(respond(asked("GET", f"{parts.path}?{parts.query}", cookies=self.cookies), self.world))

    def sign_in(self, token: str) -> Answer:
        return self.back(visited(self.login(token)["headers"]["location"]))

    def page(self, token: str) -> str:
        return str(get(self.world, token, cookies=self.cookies)["body"])

    def decide(self, contract: str, token: str, decision: str = "approve", **changed: str) -> Answer:
        form = fields(self.world, contract, token, decision)
        made = re.findall(r'name="form_token" value="([^"]+)"', self.page(token))
        return send(self.world, form | ({"form_token": made[0]} if made else {}) | changed, self.cookies)


def visited(address: str) -> str:
    """Go to the issuer and return where it sends the browser."""
    parts = urlsplit(address)
    wire = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=5)
    try:
        wire.request("GET", f"{parts.path}?{parts.query}")
        return str(wire.getresponse().getheader("Location"))
    finally:
        wire.close()


@pytest.fixture
def scene() -> Iterator[tuple[World, str, TestIssuer]]:
    world, contract = mailed(3)
    with serving(lambda: int(world.clock.now().timestamp())) as issuer:
        world.issuer = OidcIssuer(Provider(issuer=issuer.address, client_id=CLIENT))
        yield world, contract, issuer


Scene = tuple[World, str, TestIssuer]


def test_d12_two_people_who_sign_in_decide_tier_3(scene: Scene) -> None:
    world, contract, issuer = scene
    for person in ("ada", "bob"):
        issuer.subject = f"sub-{person}"
        browser, token = Browser(world), minted(world, contract, person)
        assert "Sign in to decide" in browser.page(token)
        found = browser.sign_in(token)
        assert (found["statusCode"], found["headers"]["location"]) == (303, f"/a/{token}")
        assert f"Signed in as {person.capitalize()}" in browser.page(token)
        assert browser.decide(contract, token)["statusCode"] == 200
        assert need(world, Vote, contract, person).via == "oidc"
    assert world.head(contract).status is ContractStatus.APPROVED
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_i15_signing_in_records_nothing(scene: Scene) -> None:
    world, contract, _ = scene
    before = state(world, contract)
    Browser(world).sign_in(minted(world, contract, "ada"))
    assert state(world, contract) == before


def test_the_cookies_are_for_this_host_alone_and_short(scene: Scene) -> None:
    world, contract, _ = scene
    browser = Browser(world)
    browser.sign_in(minted(world, contract, "ada"))
    kept = {cookie.partition("=")[0]: cookie for cookie in browser.set}
    assert set(kept) == {"__Host-grace", "__Host-grace-login"}
    for cookie in browser.set:
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert "Max-Age=600" in kept["__Host-grace"]
    assert "Max-Age=0" in kept["__Host-grace-login"]


def test_at_tier_3_the_link_and_the_challenge_alone_decide_nothing(scene: Scene) -> None:
    world, contract, _ = scene
    found = Browser(world).decide(contract, minted(world, contract, "ada"))
    assert found["statusCode"] == 403
    assert not every(world, Vote)


def test_without_an_identity_provider_tier_3_is_decided_elsewhere() -> None:
    world, contract = mailed(3)
    token = minted(world, contract, "ada")
    assert "has no identity provider" in get(world, token)["body"]
    assert send(world, fields(world, contract, token))["statusCode"] == 403
    for path in (f"/a/login?link={token}", "/a/callback?code=x&state=y"):
        assert respond(asked("GET", path), world) == get(world, "x")
    assert not every(world, Vote)


def test_f27_somebody_elses_link_is_refused_with_an_entry_and_counts(scene: Scene) -> None:
    world, contract, issuer = scene
    issuer.subject = "sub-bob"
    browser, token = Browser(world), minted(world, contract, "ada")
    browser.sign_in(token)
    assert "signed in as somebody else" in browser.page(token)
    found = browser.decide(
        contract, token, form_token=world.sessions.sign("form", _digest(browser.jar["__Host-grace"]))
    )
    assert found["statusCode"] == 403
    assert not every(world, Vote)
    [entry] = [each for each in world.store.story(contract) if each.type == "approval.wrong_person"]
    assert (entry.body["person"], entry.body["signed_in"]) == ("ada", "bob")
    assert need(world, LinkTries, contract, "ada").failures == 1


def _digest(text: str) -> str:
    import hashlib  # noqa: PLC0415  beside its one use

    return hashlib.sha256(text.encode()).hexdigest()


def test_who_has_no_subject_is_nobody_who_signs_in(scene: Scene) -> None:
    world, contract, issuer = scene
    people = tuple(each.model_copy(update={"subject": ""}) for each in world.catalogue.directory.people)
    directory = world.catalogue.directory.model_copy(update={"people": people})
    world.catalogue = world.catalogue.model_copy(update={"directory": directory})
    issuer.claims = {"sub": ""}
    browser, token = Browser(world), minted(world, contract, "ada")
    browser.sign_in(token)
    assert browser.decide(contract, token)["statusCode"] == 403
    assert not every(world, Vote)


def test_a_sign_in_holds_for_one_approval_for_ten_minutes_and_unchanged(scene: Scene) -> None:
    world, contract, _ = scene
    token = minted(world, contract, "ada")
    browser = Browser(world)
    browser.sign_in(token)
    good = browser.jar["__Host-grace"]
    for bad in (
        good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
        "x" + good,
        "",
        "a.b",
        world.sessions.sign("form", "x"),
    ):
        browser.jar["__Host-grace"] = bad
        assert "Sign in to decide" in browser.page(token)
    browser.jar["__Host-grace"] = good
    assert "Signed in as" in browser.page(token)
    world.clock.advance(601)
    assert "Sign in to decide" in browser.page(token)

    browser.sign_in(token)
    assert "Signed in as" in browser.page(token)

    other, contract2 = mailed(3, global_in_flight=9)
    other.issuer, other.clock = world.issuer, world.clock
    forged = Browser(other)
    forged.jar["__Host-grace"] = good
    assert "Sign in to decide" in forged.page(minted(other, contract2, "bob"))


@pytest.mark.parametrize(("age", "seconds"), [(0, 600), (300, 600), (301, 599), (880, 20)])
def test_a_vote_of_tier_3_has_an_authentication_of_the_last_15_minutes(scene: Scene, age: int, seconds: int) -> None:
    """The issuer may know the person from before; what counts is when they decide, not when they came back to us."""
    world, contract, issuer = scene
    issuer.claims = {"auth_time": issuer.now() - age}
    browser, token = Browser(world), minted(world, contract, "ada")
    assert browser.sign_in(token)["statusCode"] == 303
    assert any(c.startswith("__Host-grace=") and f"Max-Age={seconds};" in c for c in browser.set)
    form = re.findall(r'name="form_token" value="([^"]+)"', browser.page(token))[0]
    world.clock.advance(seconds)
    assert browser.decide(contract, token, form_token=form)["statusCode"] == 403
    assert not every(world, Vote)
    world.clock.advance(-1)
    assert browser.decide(contract, token, form_token=form)["statusCode"] == 200


def test_an_authentication_of_15_minutes_ago_is_none(scene: Scene) -> None:
    world, contract, issuer = scene
    issuer.claims = {"auth_time": issuer.now() - 900}
    assert Browser(world).sign_in(minted(world, contract, "ada"))["statusCode"] == 403


def test_a_form_needs_the_token_that_was_made_for_this_sign_in(scene: Scene) -> None:
    world, contract, _ = scene
    browser, token = Browser(world), minted(world, contract, "ada")
    browser.sign_in(token)
    for bad in ("", "x", world.sessions.sign("form", "0" * 64), world.sessions.sign("session", "x")):
        assert browser.decide(contract, token, form_token=bad)["statusCode"] == 403
    assert not every(world, Vote)
    assert browser.decide(contract, token)["statusCode"] == 200


@pytest.mark.parametrize("spoil", ["state", "cookie", "late", "code", "twice", "other browser"])
def test_a_sign_in_that_is_not_the_one_begun_here_is_none(scene: Scene, spoil: str) -> None:
    world, contract, _ = scene
    browser, token = Browser(world), minted(world, contract, "ada")
    address = visited(browser.login(token)["headers"]["location"])
    match spoil:
        case "state":
            address += "x"
        case "cookie":
            browser.jar["__Host-grace-login"] = "x" + browser.jar["__Host-grace-login"]
        case "late":
            world.clock.advance(601)
        case "code":
            address = address.replace("code=code-0", "code=other")
        case "twice":
            kept = dict(browser.jar)
            browser.back(address)
            browser.jar = kept
        case _:
            browser = Browser(world)
    found = browser.back(address)
    assert found["statusCode"] in {403, 404}
    assert "__Host-grace" not in browser.jar
    assert not every(world, Vote)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["grace", "another"]},
        {"aud": ["grace", "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"iat": 99999999999},
        {"auth_time": 1},
        {"auth_time": None},
        {"auth_time": "now"},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"amr": ["pwd"]},
        {"amr": "mfa"},
        {"amr": []},
        {"amr": None},
        {"amr": None, "acr": "high"},
        {"amr": ["pwd", "pin"]},
        {"amr": ["otp", "sms"]},
        {"amr": ["face", "fpt"]},
        {"amr": ["pwd", "user", "geo"]},
        {"amr": ["pwd", ["otp"]]},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_now_with_two_factors_counts_for_nothing(
    scene: Scene, claims: dict[str, Any]
) -> None:
    world, contract, issuer = scene
    issuer.claims = claims
    browser = Browser(world)
    assert browser.sign_in(minted(world, contract, "ada"))["statusCode"] == 403
    assert "__Host-grace" not in browser.jar


@pytest.mark.parametrize(
    "claims",
    [{"amr": ["pin", "hwk"]}, {"amr": ["fpt", "swk"]}, {"amr": ["mfa"]}, {"aud": ["grace"]}, {"azp": "grace"}],
    ids=str,
)
def test_a_token_that_holds_is_taken(scene: Scene, claims: dict[str, Any]) -> None:
    world, contract, issuer = scene
    issuer.claims = claims
    assert Browser(world).sign_in(minted(world, contract, "ada"))["statusCode"] == 303


@pytest.mark.parametrize(("acr", "status"), [(None, 403), ("low", 403), ("high", 303)])
def test_where_classes_are_configured_one_of_them_it_must_be(scene: Scene, acr: str | None, status: int) -> None:
    world, contract, issuer = scene
    world.issuer = OidcIssuer(Provider(issuer=issuer.address, client_id=CLIENT, acr_values=("high",)))
    issuer.claims = {"acr": acr}
    assert Browser(world).sign_in(minted(world, contract, "ada"))["statusCode"] == status


def test_an_issuer_that_tells_nothing_is_believed_only_where_the_configuration_says_so(scene: Scene) -> None:
    world, contract, issuer = scene
    issuer.claims = {"amr": None}
    assert Browser(world).sign_in(minted(world, contract, "ada"))["statusCode"] == 403
    world.issuer = OidcIssuer(Provider(issuer=issuer.address, client_id=CLIENT, issuer_enforces_mfa=True))
    assert Browser(world).sign_in(minted(world, contract, "ada"))["statusCode"] == 303


@pytest.mark.parametrize("how", ["none", "shared secret", "another key"])
def test_a_token_that_the_issuers_key_did_not_sign_is_none(scene: Scene, how: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  beside its one use

    world, contract, issuer = scene
    match how:
        case "none":
            issuer.algorithm, issuer.signs_with = "none", None
        case "shared secret":
            issuer.algorithm, issuer.signs_with = "HS256", "k" * 64
        case _:
            issuer.signs_with = ec.generate_private_key(ec.SECP256R1())
    assert Browser(world).sign_in(minted(world, contract, "ada"))["statusCode"] == 403


@pytest.mark.parametrize(
    "found",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=str,
)
def test_a_discovery_that_leads_elsewhere_is_not_followed(scene: Scene, found: dict[str, str]) -> None:
    world, contract, issuer = scene
    issuer.discovered = found
    browser, token = Browser(world), minted(world, contract, "ada")
    begun = browser.login(token)
    if begun["statusCode"] == 303:
        assert browser.back(visited(begun["headers"]["location"]))["statusCode"] == 403
    else:
        assert begun["statusCode"] == 403
    assert not read(world, Vote, contract, "ada")
    assert not {"approval.vote", "approval.approved"} & set(story(world, contract))
