"""The public page: `GET /a/{token}` shows and never acts, `POST /a` with the typed challenge decides."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, cast

from grace.errors import Conflict, GraceError, NotFound, Refused, TransientError
from grace.flow.link import Opened, Standing, challenge_of, decide_by_link, fail, open_link, voted
from grace.model.approval import Via
from grace.model.base import Json
from grace.ports import Services
from grace.web import notices, signing_in
from grace.web.http import Request, base_path, new_nonce, origin_of, request_of, response
from grace.web.pages import Notice, approval_page, notice_page
from grace.web.views import Form, facts

READING = frozenset({"GET", "HEAD"})
DECISIONS = frozenset({"approve", "reject"})


def page(event: dict[str, Any], services: Services) -> dict[str, Json]:
    """Answer a request below `/a`. What is no link of ours is one and the same 404, whatever was sent."""
    request = request_of(event)
    where = request.path.removeprefix(base_path(services.mail.base_url))
    if request.method == "OPTIONS":
        return response(204, allow="POST, OPTIONS" if where == "/a" else "GET, HEAD, OPTIONS")
    try:
        answer = _route(request, where, services)
    except NotFound:
        answer = _missing()
    except (Conflict, TransientError) as exc:
        services.telemetry.trouble("the page could not be shown", exc)
        answer = _shown(503, notices.TRY_AGAIN)
    except GraceError as exc:
        services.telemetry.trouble("the page failed", exc)
        answer = _shown(500, notices.TRY_AGAIN)
    return answer | {"body": ""} if request.method == "HEAD" else answer


def _route(request: Request, where: str, services: Services) -> dict[str, Json]:
    match request.method, where:
        case "POST", "/a":
            return _decide(request, services)
        case "GET", "/a/login":
            return _login(request.query.get("link", ""), services)
        case "GET", "/a/callback":
            return _callback(request, services)
        case method, path if method in READING and path.startswith("/a/"):
            return _show(request, path.removeprefix("/a/"), services)
    raise NotFound("there is no such page")


def _show(request: Request, token: str, services: Services) -> dict[str, Json]:
    opened = open_link(token, services)
    return _asks(opened, request, token, services) if opened.standing is Standing.OPEN else _closed(opened)


def _decide(request: Request, services: Services) -> dict[str, Json]:
    """Check where the form came from, the link, the challenge and the person, in this order; then vote."""
    form = request.form()
    if not _ours(request, services.mail.base_url) or form.get("decision") not in DECISIONS:
        raise NotFound("there is no such page")
    token, decision = form.get("token", ""), cast("Literal['approve', 'reject']", form["decision"])
    opened = open_link(token, services)
    if opened.standing is not Standing.OPEN:
        return _closed(opened, tried=decision)
    if not challenge_of(opened.contract).answered(form.get("code", ""), form.get("target", "")):
        return _failed(opened, request, token, services)
    via: Via = "link"
    if opened.signs_in:
        refused = _unsigned(opened, request, form, services)
        if refused:
            return refused
        via = "oidc"
    return _vote(opened, decision, token, services, via=via)


def _vote(
    opened: Opened, decision: Literal["approve", "reject"], token: str, services: Services, *, via: Via
) -> dict[str, Json]:
    """Record the vote and say how it stands. From here on nobody can say that nothing was decided."""
    try:
        answer = decide_by_link(opened, decision, services, via=via)
    except Refused:  # somebody wrote between our reading and our writing: say how it stands now
        return _closed_now(token, decision, services)
    except GraceError as exc:
        return _unknown("whether a vote was written is not known", exc, services)
    return _closed(voted(opened, answer), recorded=answer.outcome == "recorded")


def _closed_now(token: str, tried: str, services: Services) -> dict[str, Json]:
    try:
        return _closed(open_link(token, services), tried=tried)
    except (Conflict, TransientError) as exc:
        return _unknown("how a link stands could not be read", exc, services)


def _unknown(what: str, exc: GraceError, services: Services) -> dict[str, Json]:
    services.telemetry.trouble(what, exc)
    return _shown(503, notices.UNKNOWN)


def _failed(opened: Opened, request: Request, token: str, services: Services) -> dict[str, Json]:
    """Count a wrong challenge; show the form again, or that the link is closed now."""
    fail(opened, services)
    after = open_link(token, services)
    if after.standing is not Standing.OPEN:
        return _closed(after)
    return _asks(after, request, token, services, wrong=True)


def _unsigned(opened: Opened, request: Request, form: dict[str, str], services: Services) -> dict[str, Json] | None:
    """Return the answer to who has not signed in, or as somebody else; None for the person the link was sent to."""
    session = signing_in.session(request, opened, services) if services.issuer.configured else None
    if session is None or not signing_in.form_holds(form.get("form_token", ""), session, services):
        return _shown(403, notices.NOT_SIGNED_IN)
    if not signing_in.is_theirs(session, opened):
        other = services.catalogue.directory.by_subject(session.subject)
        fail(opened, services, entry="approval.wrong_person", signed_in=other.id if other else "unknown")
        return _shown(403, notices.OTHER_PERSON)
    return None


def _login(token: str, services: Services) -> dict[str, Json]:
    opened = open_link(token, services)
    if opened.standing is not Standing.OPEN:
        return _closed(opened)
    if not opened.signs_in or not services.issuer.configured:
        raise NotFound("nobody signs in for this")
    try:
        begun = signing_in.begin(token, opened, services)
    except Refused as exc:
        return _not_signed_in(exc, services)
    return response(303, location=begun.address, cookies=(begun.cookie,))


def _callback(request: Request, services: Services) -> dict[str, Json]:
    """Take the browser back from the issuer, remember who signed in, and show the page again."""
    if not services.issuer.configured:
        raise NotFound("nobody signs in here")
    kept = signing_in.pending(request, services)
    opened = open_link(str(kept["t"]), services)
    if opened.standing is not Standing.OPEN:
        return _closed(opened)
    try:
        cookies = signing_in.finish(request, kept, opened, services)
    except Refused as exc:
        return _not_signed_in(exc, services)
    return response(303, location=f"{base_path(services.mail.base_url)}/a/{kept['t']}", cookies=cookies)


def _not_signed_in(exc: Refused, services: Services) -> dict[str, Json]:
    services.telemetry.trouble("a sign-in did not count", exc)
    return _shown(403, notices.NOT_SIGNED_IN)


def _ours(request: Request, base_url: str) -> bool:
    """Whether a form was sent by a page of ours: by its origin, and by what the browser says of it."""
    return (
        bool(base_url)
        and request.headers.get("origin") == origin_of(base_url)
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    )


def _asks(opened: Opened, request: Request, token: str, services: Services, *, wrong: bool = False) -> dict[str, Json]:
    form = Form(
        action=base_path(services.mail.base_url) + "/a",
        token=token,
        challenge=challenge_of(opened.contract),
        tries_left=opened.tries_left,
        wrong=wrong,
        **(_signing(opened, request, token, services) if opened.signs_in else {}),
    )
    nonce = new_nonce()
    return response(422 if wrong else 200, approval_page(facts(opened), form, nonce), nonce=nonce)


def _signing(opened: Opened, request: Request, token: str, services: Services) -> dict[str, Any]:
    """Return what the form needs to know of the sign-in."""
    if not services.issuer.configured:
        return {"no_provider": True}
    session = signing_in.session(request, opened, services)
    if session is None:
        return {"sign_in": signing_in.login_path(token, services)}
    if not signing_in.is_theirs(session, opened):
        return {"sign_in": signing_in.login_path(token, services), "somebody_else": True}
    return {"signed_in": opened.person.name, "form_token": signing_in.form_token(session, services)}


def _closed(opened: Opened, *, recorded: bool = False, tried: str = "") -> dict[str, Json]:
    """Say how a link stands that takes no decision; `tried` is what somebody wanted to decide all the same."""
    otherwise = bool(tried and opened.mine and opened.mine.decision != tried)
    status = 409 if otherwise else notices.STATUS[opened.standing]
    return _shown(status, notices.notice(opened, facts(opened), recorded=recorded, otherwise=otherwise))


def _shown(status: int, notice: Notice) -> dict[str, Json]:
    nonce = new_nonce()
    return response(status, notice_page(notice, nonce), nonce=nonce)


@cache
def _missing() -> dict[str, Json]:
    """The one 404. It is made once in a worker's life, nonce and all, so that every one has the same bytes."""
    return _shown(404, notices.MISSING)
