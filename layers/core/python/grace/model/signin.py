"""Where people sign in, and who may be told from it."""

from pydantic import Field

from grace.model.base import Model

_HOST = r"[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?"


FRESH_SECONDS = 900
"""So old an authentication may be when it decides something."""
SESSION_SECONDS = 600
"""So long at most it need not be made again."""


class SignedIn(Model):
    """Who signed in, and when they authenticated, in epoch seconds: a session of the issuer may be older than our asking."""

    subject: str
    authenticated: int


class Provider(Model):
    """An OpenID Connect issuer and our public client there: code flow with PKCE, so there is no secret to keep.

    A second factor is proved by the token: `acr_values`, when given, are the only authentication classes (`acr`) that are
    accepted; without them `amr` must tell of two factors. `issuer_enforces_mfa` is the administrator's word that this
    issuer lets nobody in without a second factor, for one that tells neither. Plain HTTP is for this machine alone.
    """

    issuer: str = Field(pattern=rf"^(https://{_HOST}|http://(localhost|127\.0\.0\.1)(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?)$")
    client_id: str = Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    acr_values: tuple[str, ...] = Field(default=(), max_length=8)
    issuer_enforces_mfa: bool = False
