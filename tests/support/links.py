"""Approval links for tests: minted as `ask` mints them, used as a browser uses them, in memory."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from grace.flow.link import challenge_of
from grace.model.approval import Approval
from grace.model.contract import Contract
from grace.model.entry import ref
from grace.model.link import encode, link_of, message
from grace.web.answering import respond
from tests.support.world import World

SITE = "https://grace.example"
FORM = {"content-type": "application/x-www-form-urlencoded", "origin": SITE, "sec-fetch-site": "same-origin"}
Answer = dict[str, Any]


def approval_of(world: World, contract: str) -> Approval:
    """The approval that is asked for now."""
    where = ref(Approval, contract, str(world.head(contract).generation))
    found: Approval = world.store.read(where).need(where)
    return found


def minted(world: World, contract: str, person: str, **changed: Any) -> str:
    """A person's link to the approval that is asked for now."""
    approval = approval_of(world, contract).model_copy(update=changed)
    link = link_of(contract, person, approval.digest, approval.expires_at)
    mac, _ = world.macs.generate(message(link, approval.generation))
    return encode(link, mac)


def asked(method: str, path: str, body: str = "", cookies: tuple[str, ...] = (), **headers: str) -> dict[str, Any]:
    """The event of a request, as an HTTP API hands it over."""
    raw, _, query = path.partition("?")
    return {
        "version": "2.0",
        "rawPath": raw,
        "rawQueryString": query,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "cookies": list(cookies),
        "requestContext": {"http": {"method": method, "path": raw}, "domainName": "evil.example"},
        "body": body,
        "isBase64Encoded": False,
    }


def get(world: World, token: str, method: str = "GET", cookies: tuple[str, ...] = (), **headers: str) -> Answer:
    """Open a link."""
    return respond(asked(method, f"/a/{token}", cookies=cookies, **headers), world)


def fields(world: World, contract: str, token: str, decision: str = "approve", **changed: str) -> dict[str, str]:
    """The fields of the form as a person fills it in."""
    where = ref(Contract, contract)
    challenge = challenge_of(world.store.read(where).need(where))
    return {"token": token, "decision": decision, "code": challenge.code, "target": challenge.target} | changed


def send(world: World, form: dict[str, str], cookies: tuple[str, ...] = (), **headers: str | None) -> Answer:
    """Send the form from our own page; a header that is None is left out."""
    sent = FORM | {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in sent.items() if value is not None}
    return respond(asked("POST", "/a", urlencode(form), cookies, **kept), world)


def answer(world: World, contract: str, person: str, decision: str = "approve", **changed: str) -> Answer:
    """Decide as a person does: open the mail, type the challenge, send."""
    return send(world, fields(world, contract, minted(world, contract, person), decision, **changed))
