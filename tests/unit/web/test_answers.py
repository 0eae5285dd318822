"""Where a form may come from, and what every answer of the page has."""

from __future__ import annotations

import re
from typing import Any

import pytest

from grace.errors import AnswerLost, BadRequest, Conflict, Unavailable
from grace.flow.link import decide_by_link, open_link, voted
from grace.model.approval import Vote
from grace.model.contract import Contract
from grace.web.answering import respond
from tests.support.links import SITE, Answer, answer, asked, fields, get, minted, send
from tests.unit.flow.scenes import every, need, read, vote
from tests.unit.web.scenes import mailed, state

# -- where a form comes from


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": None},
        {"origin": SITE + ".evil.example"},
        {"origin": SITE.replace("https", "http")},
        {"origin": "https://evil.example", "host": "evil.example", "x_forwarded_host": "evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"content_type": "text/plain"},
        {"content_type": "multipart/form-data; boundary=x"},
    ],
    ids=str,
)
def test_f39_a_form_from_elsewhere_is_refused_and_not_even_counted(headers: dict[str, str | None]) -> None:
    world, contract = mailed()
    before = state(world, contract)
    found = send(world, fields(world, contract, minted(world, contract, "ada")), (), **headers)
    assert found["statusCode"] == 404
    assert state(world, contract) == before


def test_f39_a_browser_that_says_nothing_of_fetch_metadata_may_vote() -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))
    assert send(world, form, sec_fetch_site=None)["statusCode"] == 200


def test_f39_without_an_address_of_our_own_nothing_is_ours() -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))
    world.mail.base_url = ""
    for origin in ("", "://", SITE):
        assert send(world, form, origin=origin)["statusCode"] == 404


@pytest.mark.parametrize(
    "body",
    [
        "",
        "token",
        "decision=approve",
        "token=a&token=b&decision=approve",
        "x" * 9000,
        "a=1&" * 40,
        "\xff",
        "{}",
        "&&&&",
    ],
    ids=lambda text: text[:12] or "empty",
)
def test_no_body_is_an_unhandled_error(body: str) -> None:
    world, _contract = mailed()
    event = asked("POST", "/a", body, (), **{"origin": SITE, "content-type": "application/x-www-form-urlencoded"})
    assert respond(event, world)["statusCode"] == 404


def test_a_decision_is_one_of_two_words() -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))
    for word in ("", "yes", "APPROVE", "approve "):
        assert send(world, form | {"decision": word})["statusCode"] == 404
    assert not every(world, Vote)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/a"), ("GET", "/"), ("PUT", "/a"), ("DELETE", "/a/x"), ("POST", "/a/x"), ("GET", "/b/x"), ("GET", "/a/")],
)
def test_any_other_road_is_the_same_404(method: str, path: str) -> None:
    world, _ = mailed()
    assert respond(asked(method, path), world) == get(world, "x")


# -- the answer itself


def policies(found: Answer) -> dict[str, str]:
    """The content security policy by directive."""
    parts = [part.split(" ", 1) for part in found["headers"]["content-security-policy"].split("; ")]
    return dict(parts)


def every_answer() -> dict[str, Answer]:
    world, contract = mailed()
    token = minted(world, contract, "ada")
    found = {
        "page": get(world, token),
        "missing": get(world, "x"),
        "options": get(world, token, "OPTIONS"),
        "wrong": answer(world, contract, "ada", code="zzzz"),
        "recorded": answer(world, contract, "ada"),
    }
    return found | {"decided": get(world, minted(world, contract, "bob"))}


@pytest.mark.parametrize("name", ["page", "missing", "options", "wrong", "recorded", "decided"])
def test_the_headers_are_the_designs(name: str) -> None:
    found = every_answer()[name]
    headers = found["headers"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "strict-origin"
    assert headers["x-robots-tag"] == "noindex"
    said = policies(found)
    nonce = said.pop("style-src")
    assert said == {
        "default-src": "'none'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    if found["body"]:
        [used] = re.findall(r'<style nonce="([^"]+)">', found["body"])
        assert nonce == f"'nonce-{used}'"
        assert len(used) >= 22


def test_each_page_has_a_nonce_of_its_own() -> None:
    world, contract = mailed()
    token = minted(world, contract, "ada")
    assert len({policies(get(world, token))["style-src"] for _ in range(5)}) == 5


@pytest.mark.parametrize("name", ["page", "missing", "wrong", "recorded", "decided"])
def test_no_page_has_a_script_a_style_of_its_own_or_an_address_elsewhere(name: str) -> None:
    body = every_answer()[name]["body"]
    assert not re.search(
        r"<script|javascript:|\son\w+=|\sstyle=|@import|url\(|<iframe|<object|<meta http-equiv", body, re.IGNORECASE
    )
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', body)


def test_the_form_has_labels_no_default_and_no_way_to_send_itself() -> None:
    world, contract = mailed()
    body = get(world, minted(world, contract, "ada"))["body"]
    assert "checked" not in body.partition("<form")[2]
    assert "autofocus" not in body
    for name in re.findall(r'<input (?!type="hidden")[^>]*id="([^"]+)"', body):
        assert f'for="{name}"' in body
    assert {"<main", "<header", "<footer", 'lang="en"', "width=device-width"} <= {
        mark for mark in ("<main", "<header", "<footer", 'lang="en"', "width=device-width") if mark in body
    }


def test_i23_a_token_is_in_no_entry_no_line_of_the_log_and_no_event() -> None:
    world, contract = mailed()
    token = minted(world, contract, "ada")
    for form in (fields(world, contract, token, code="zzzz"), fields(world, contract, token)):
        send(world, form)
    get(world, token)
    told = str([world.telemetry.troubles, world.messages.published, world.messages.notified])
    told += str([entry.model_dump() for entry in world.store.story(contract)])
    assert token not in told
    assert token[-20:] not in told


@pytest.mark.parametrize(("error", "status"), [(Unavailable("no"), 503), (Conflict("no"), 503)])
def test_what_does_not_answer_is_said_and_decides_nothing(error: Exception, status: int) -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))

    def fails(*_: Any, **__: Any) -> Any:
        raise error

    world.macs.verify = fails
    found = send(world, form)
    assert found["statusCode"] == status
    assert "Nothing was decided" in found["body"]
    assert not read(world, Vote, contract, "ada")


NOTHING = "Nothing was decided"


@pytest.mark.parametrize("error", [Unavailable("no"), Conflict("no"), AnswerLost("no"), BadRequest("no")], ids=repr)
@pytest.mark.parametrize("written", [False, True])
def test_d13_when_nobody_knows_whether_a_vote_was_written_nothing_else_is_said(error: Exception, written: bool) -> None:
    """The answer of the transaction is lost, before or after it was carried out."""
    world, contract = mailed()
    token, commit = minted(world, contract, "ada"), world.store.commit

    def lost(change: Any) -> Any:
        if written and not read(world, Vote, contract, "ada"):
            commit(change)
        raise error

    form = fields(world, contract, token)
    world.store.commit = lost
    found = send(world, form)
    assert bool(read(world, Vote, contract, "ada")) is written
    # Of a conflict the store reads again, and finds what it wrote.
    assert found["statusCode"] == (200 if written and isinstance(error, Conflict) else 503)
    assert NOTHING not in found["body"]
    world.store.commit = commit
    again = send(world, form)
    assert again["statusCode"] == 200
    assert ("Already recorded" in again["body"]) is written


@pytest.mark.parametrize("tier", [2, 3])
@pytest.mark.parametrize("away", ["read", "members", "verify", "publish"])
def test_d13_once_a_vote_is_written_nothing_can_make_its_answer_another(away: str, tier: int) -> None:
    """With the store, the key or the bus away from that moment on, it is 200 with the decision."""
    world, contract = mailed(tier)
    opened = open_link(minted(world, contract, "ada"), world)
    token, commit = minted(world, contract, "ada"), world.store.commit

    def fails(*_: Any, **__: Any) -> Any:
        raise Unavailable("away")

    def then_away(change: Any) -> Any:
        done = commit(change)
        part = {"verify": world.macs, "publish": world.messages}.get(away, world.store)
        setattr(part, away, fails)
        return done

    world.store.commit = then_away
    if tier == 2:
        found = send(world, fields(world, contract, token))
        assert found["statusCode"] == 200
        assert "You approved this" in found["body"]
        assert NOTHING not in found["body"]
    else:
        said = decide_by_link(opened, "approve", world, via="oidc")
        assert (said.outcome, said.have, said.need) == ("recorded", 1, 2)
        assert voted(opened, said).mine == said.votes[-1]


def test_a_vote_that_is_refused_says_how_it_stands_or_that_it_is_not_known() -> None:
    world, contract = mailed()
    form, members = fields(world, contract, minted(world, contract, "ada"), "reject"), world.store.members
    looks: list[int] = []

    def changing(*arguments: Any) -> Any:
        """Ada votes by another road between our reading and our writing; after that nothing answers."""
        looks.append(1)
        if len(looks) == 1:
            found = members(*arguments)
            vote(world, contract, "ada")
            return found
        if len(looks) > 3:
            raise Unavailable("away")
        return members(*arguments)

    world.store.members = changing
    found = send(world, form)
    assert found["statusCode"] == 503
    assert NOTHING not in found["body"]


def test_an_address_with_a_path_is_kept_everywhere() -> None:
    world, contract = mailed()
    world.mail.base_url = f"{SITE}/grace"
    token = minted(world, contract, "ada")
    found = respond(asked("GET", f"/grace/a/{token}"), world)
    assert found["statusCode"] == 200
    assert 'action="/grace/a"' in found["body"]
    assert need(world, Contract, contract).contract_id in found["body"]
