"""An OpenID Connect issuer: discovery, the code for an ID token, and what must be true of that token."""

from __future__ import annotations

import hmac
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Any

import jwt

from grace.errors import Refused, Unavailable
from grace.model.signin import FRESH_SECONDS, SESSION_SECONDS, Provider, SignedIn

ALGORITHMS = ("RS256", "PS256", "ES256")
"""Signatures under the issuer's public key alone: neither none nor a shared secret."""
LEEWAY = 30
FACTORS = (
    frozenset({"pwd", "pin", "kba"}),
    frozenset({"otp", "hwk", "swk", "sms", "tel", "sc"}),
    frozenset({"face", "fpt", "iris", "retina", "vbm"}),
)
"""Methods by what they prove: knowledge, possession, inherence (the names of RFC 8176). Two of a kind are one factor."""
SECONDS, MOST_BYTES = 5.0, 256 * 1024

Exchange = Callable[[str, bytes | None], bytes]
"""Asks a URL, with a form when there is one, and returns the body."""


class OidcIssuer:
    """`ports.Issuer` over HTTP. Discovery and keys are kept for the worker's life; an unknown key is looked up again."""

    configured = True

    def __init__(self, provider: Provider, exchange: Exchange | None = None) -> None:
        """Keep who the issuer is; nothing is asked yet."""
        self._provider = provider
        self._ask = exchange or ask
        self._metadata: dict[str, Any] = {}
        self._keys: dict[str, Any] = {}

    def address(self, back: str, state: str, nonce: str, challenge: str) -> str:
        """Return where to send the browser: authorization code, PKCE (S256), an authentication that is fresh for a whole session yet."""
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": back,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "max_age": str(FRESH_SECONDS - SESSION_SECONDS),
        }
        if self._provider.acr_values:
            query["acr_values"] = " ".join(self._provider.acr_values)
        return f"{self._known('authorization_endpoint')}?{urllib.parse.urlencode(query)}"

    def identify(self, code: str, back: str, verifier: str, nonce: str, at: datetime) -> SignedIn:
        """Exchange the code and return who a token that holds is about.

        Raises:
            Refused: `sign_in`: the issuer refused the code, or the token is not one for us, now, with a second factor.
            Unavailable: the issuer did not answer.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self._provider.client_id,
            "code_verifier": verifier,
        }
        answer = _document(self._ask(self._known("token_endpoint"), urllib.parse.urlencode(form).encode()))
        claims = self._claims(str(answer.get("id_token") or ""))
        self._check(claims, nonce, int(at.timestamp()))
        return SignedIn(subject=str(claims["sub"]), authenticated=int(claims["auth_time"]))

    def _claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that the issuer signed for us; its times are checked by our own clock later."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise _refused("it is signed in a way we do not accept")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(str(header.get("kid") or "")),
                algorithms=[str(header["alg"])],
                audience=self._provider.client_id,
                issuer=self._provider.issuer,
                options={
                    "require": ["exp", "iat", "aud", "iss", "sub", "nonce", "auth_time"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as exc:
            raise _refused(f"its token does not hold ({type(exc).__name__})") from exc
        return claims

    def _check(self, claims: dict[str, Any], nonce: str, now: int) -> None:
        times = {name: claims[name] for name in ("exp", "iat", "auth_time")}
        if not all(isinstance(value, int | float) for value in times.values()):
            raise _refused("its token has times that are none")
        if times["exp"] <= now - LEEWAY or times["iat"] > now + LEEWAY:
            raise _refused("its token is of another time")
        if not now - FRESH_SECONDS < times["auth_time"] <= now + LEEWAY:
            raise _refused("the authentication is older than 15 minutes")
        if not hmac.compare_digest(str(claims["nonce"]), nonce):
            raise _refused("its token answers another request")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._provider.client_id:
            raise _refused("its token was made for another client")
        self._second_factor(claims)

    def _second_factor(self, claims: dict[str, Any]) -> None:
        """A token that does not tell how somebody signed in proves no second factor, unless the configuration says so."""
        if self._provider.acr_values:
            if claims.get("acr") not in self._provider.acr_values:
                raise _refused("the authentication is not of a class that is accepted")
        elif not self._provider.issuer_enforces_mfa and not _two_factors(claims.get("amr")):
            raise _refused("its token does not tell of two factors")

    def _known(self, name: str) -> str:
        if not self._metadata:
            found = _document(self._ask(f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration", None))
            if found.get("issuer") != self._provider.issuer:
                raise _refused("its discovery names another issuer")
            self._metadata = found
        address = str(self._metadata.get(name) or "")
        if not _allowed(address):
            raise _refused(f"its {name} is no address we may use")
        return address

    def _key(self, kid: str) -> Any:
        if kid not in self._keys:
            listed = _document(self._ask(self._known("jwks_uri"), None)).get("keys") or []
            self._keys = {
                str(each.get("kid") or ""): jwt.PyJWK(each).key
                for each in listed
                if each.get("use", "sig") == "sig" and each.get("kty") in {"RSA", "EC"}
            }
        if kid not in self._keys:
            raise _refused("it is signed with a key that the issuer does not list")
        return self._keys[kid]


class NoIssuer:
    """`ports.Issuer` of a deployment without one: nobody can sign in."""

    configured = False

    def address(self, back: str, state: str, nonce: str, challenge: str) -> str:  # noqa: ARG002  the port's arguments
        """Raise `Refused`."""
        raise _refused("this deployment has no identity provider")

    def identify(self, code: str, back: str, verifier: str, nonce: str, at: datetime) -> SignedIn:  # noqa: ARG002  as above
        """Raise `Refused`."""
        raise _refused("this deployment has no identity provider")


def ask(url: str, form: bytes | None) -> bytes:
    """Ask an address of the issuer: no redirect is followed, 5 seconds, 256 KiB.

    Raises:
        Refused: `sign_in`, the issuer said no.
        Unavailable: it did not answer.
    """
    request = urllib.request.Request(url, data=form, headers={"Accept": "application/json"})  # noqa: S310  see _allowed
    try:
        with urllib.request.build_opener(_Straight).open(request, timeout=SECONDS) as answer:
            return bytes(answer.read(MOST_BYTES))
    except urllib.error.HTTPError as exc:
        with exc:
            if exc.code < 500:
                raise _refused(f"it answered {exc.code}") from None
        raise Unavailable("the identity provider did not answer") from None
    except (OSError, ValueError) as exc:
        raise Unavailable("the identity provider did not answer") from exc


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: who is asked is who was configured."""


def _two_factors(methods: object) -> bool:
    """Return whether an `amr` tells of methods of two kinds, or says so itself."""
    if not isinstance(methods, list):
        return False
    told = {method for method in methods if isinstance(method, str)}
    return "mfa" in told or sum(bool(kind & told) for kind in FACTORS) > 1


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as exc:
        raise _refused("its answer is not JSON") from exc
    return found if isinstance(found, dict) else {}


def _allowed(address: str) -> bool:
    parts = urllib.parse.urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"})


def _refused(why: str) -> Refused:
    return Refused("sign_in", f"the sign-in does not count: {why}")
