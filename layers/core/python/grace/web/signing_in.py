"""At tier 3 a link is not enough: the person signs in as well. Nothing here records anything about a vote."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any, NamedTuple

from grace.errors import NotFound, Refused
from grace.flow.link import Opened
from grace.model.signin import FRESH_SECONDS, SESSION_SECONDS
from grace.ports import Services
from grace.web.http import Request, base_path

SESSION, PENDING = "__Host-grace", "__Host-grace-login"
"""The cookies. The prefix makes browsers insist on Secure, on this host alone, and on the whole path."""


class Begun(NamedTuple):
    """A sign-in that was begun: where to send the browser, and the cookie that remembers it."""

    address: str
    cookie: str


class Session(NamedTuple):
    """Who signed in for one approval; `raw` is the cookie it stands in."""

    subject: str
    raw: str


def begin(token: str, opened: Opened, services: Services) -> Begun:
    """Begin a sign-in for a link. State, nonce and PKCE's verifier wait in a signed cookie, not with us."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = _b64(hashlib.sha256(verifier.encode()).digest())
    kept = {"s": state, "n": nonce, "v": verifier, "t": token, "e": int(opened.at.timestamp()) + SESSION_SECONDS}
    cookie = _cookie(PENDING, services.sessions.sign("sign-in", _packed(kept)), SESSION_SECONDS)
    return Begun(services.issuer.address(_back(services), state, nonce, challenge), cookie)


def pending(request: Request, services: Services) -> dict[str, Any]:
    """Return what the browser kept of the sign-in it comes back from.

    Raises:
        NotFound: there is no such sign-in: another browser, another state, or too late.
    """
    kept = _unpacked(services.sessions.read("sign-in", request.cookies.get(PENDING, "")))
    state = request.query.get("state", "")
    late = int(services.clock.now().timestamp()) >= int(kept.get("e", 0))
    if not kept or late or not hmac.compare_digest(str(kept["s"]).encode(), state.encode()):
        raise NotFound("there is no such sign-in")
    return kept


def finish(request: Request, kept: dict[str, Any], opened: Opened, services: Services) -> tuple[str, ...]:
    """Exchange the code, and return the cookies to set: who signed in, for this approval alone.

    They hold for ten minutes, and never beyond 15 minutes after the person authenticated: that is what a vote asks for,
    and the issuer may know them from before.

    Raises:
        Refused: `sign_in`: the issuer, or what must be true of its token, says no.
    """
    code = request.query.get("code", "")
    if not code:
        raise Refused("sign_in", "the sign-in does not count: the issuer sent no code")
    known = services.issuer.identify(code, _back(services), str(kept["v"]), str(kept["n"]), services.clock.now())
    now = int(opened.at.timestamp())
    end = min(now + SESSION_SECONDS, known.authenticated + FRESH_SECONDS)
    session = {**_bound(opened), "s": known.subject, "e": end}
    return (
        _cookie(SESSION, services.sessions.sign("session", _packed(session)), max(0, end - now)),
        _cookie(PENDING, "", 0),
    )


def session(request: Request, opened: Opened, services: Services) -> Session | None:
    """Return who signed in for this approval, or None: nobody, for another approval, or too long ago."""
    raw = request.cookies.get(SESSION, "")
    found = _unpacked(services.sessions.read("session", raw)) if raw else {}
    if not found or int(opened.at.timestamp()) >= int(found["e"]):
        return None
    if {name: found.get(name) for name in ("c", "g")} != _bound(opened):
        return None
    return Session(str(found["s"]), raw)


def form_token(session: Session, services: Services) -> str:
    """Return what a form must carry beside the cookie, so that only a page of ours can have made it."""
    return services.sessions.sign("form", _digest(session.raw))


def form_holds(token: str, session: Session, services: Services) -> bool:
    """Return whether a form was made for this session."""
    return services.sessions.read("form", token) == _digest(session.raw)


def is_theirs(session: Session, opened: Opened) -> bool:
    """Return whether the one who signed in is the one the link was sent to; who has no subject cannot be."""
    return bool(opened.person.subject) and session.subject == opened.person.subject


def _bound(opened: Opened) -> dict[str, Any]:
    return {"c": opened.contract.contract_id, "g": opened.approval.generation}


def _back(services: Services) -> str:
    return services.mail.base_url + "/a/callback"


def login_path(token: str, services: Services) -> str:
    """Return the path that begins the sign-in of a link."""
    return f"{base_path(services.mail.base_url)}/a/login?link={token}"


def _cookie(name: str, value: str, seconds: int) -> str:
    return f"{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _packed(document: dict[str, Any]) -> str:
    return _b64(json.dumps(document, separators=(",", ":"), sort_keys=True).encode())


def _unpacked(text: str | None) -> dict[str, Any]:
    """Return a document that we signed ourselves; nothing for none."""
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))) if text else {}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
