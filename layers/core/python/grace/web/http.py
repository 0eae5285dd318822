"""A request as API Gateway hands it over, and an answer as it takes it back (HTTP API, payload format 2.0)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from grace.model.base import Json

BODY_BYTES = 8192
_FIELDS = 12


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Header names are in lower case; a header or cookie that came twice counts as absent."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    """None when it is too large or not encoded as announced."""

    def form(self) -> dict[str, str]:
        """Return the fields of a form; empty for anything else than one small form with each field once."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.body is None or kind != "application/x-www-form-urlencoded":
            return {}
        try:
            return _once(self.body.decode("ascii"))
        except UnicodeDecodeError:
            return {}


def request_of(event: dict[str, Any]) -> Request:
    """Read an event; what it lacks is empty."""
    http = (event.get("requestContext") or {}).get("http") or {}
    return Request(
        method=str(http.get("method", "")).upper(),
        path=str(event.get("rawPath", "")),
        headers={str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()},
        cookies=_cookies(event.get("cookies") or ()),
        query=_once(str(event.get("rawQueryString") or "")),
        body=_body(event),
    )


def response(
    status: int,
    body: str = "",
    *,
    nonce: str = "",
    cookies: tuple[str, ...] = (),
    **headers: str,
) -> dict[str, Json]:
    """Return an answer with the headers that every answer of the public page has; `location="..."` adds one."""
    fixed = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "referrer-policy": "strict-origin",
        "content-security-policy": policy(nonce),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "x-robots-tag": "noindex",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "strict-transport-security": "max-age=31536000",
    }
    answer: dict[str, Json] = {"statusCode": status, "headers": fixed | headers, "body": body}
    return answer | ({"cookies": list(cookies)} if cookies else {})


def policy(nonce: str) -> str:
    """Return the content security policy: our own style, forms to us, nothing else."""
    style = f"'nonce-{nonce}'" if nonce else "'none'"
    return (
        f"default-src 'none'; style-src {style}; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )


def new_nonce() -> str:
    """Return 128 random bits for one answer's style."""
    return secrets.token_urlsafe(16)


def origin_of(url: str) -> str:
    """Return scheme and host of an address, as a browser writes them into `Origin`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def base_path(url: str) -> str:
    """Return the path of an address without a slash at its end."""
    return urlsplit(url).path.rstrip("/")


def _once(text: str) -> dict[str, str]:
    """Return the fields of an encoded form; nothing at all when one comes twice, or there are too many."""
    try:
        found = parse_qs(
            text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_FIELDS, errors="strict"
        )
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()} if all(len(v) == 1 for v in found.values()) else {}


def _cookies(pairs: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    twice: set[str] = set()
    for pair in pairs:
        for each in str(pair).split(";"):
            name, _, value = each.strip().partition("=")
            twice |= {name} if name in found else set()
            found[name] = value
    return {name: value for name, value in found.items() if name not in twice}


def _body(event: dict[str, Any]) -> bytes | None:
    raw = event.get("body") or ""
    if not isinstance(raw, str) or len(raw) > 2 * BODY_BYTES:
        return None
    try:
        body = base64.b64decode(raw, validate=True) if event.get("isBase64Encoded") else raw.encode()
    except (binascii.Error, ValueError):
        return None
    return body if len(body) <= BODY_BYTES else None
