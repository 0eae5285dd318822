"""Identifiers are computed, never drawn: the same cause gives the same id, so doing it twice does it once."""

from __future__ import annotations

import base64
import hashlib


def _derived(prefix: str, *parts: str) -> str:
    """Return `prefix` and 26 base32 characters (130 bits) of the SHA-256 over the parts, each length-prefixed."""
    framed = b"".join(len(raw := part.encode()).to_bytes(4, "big") + raw for part in parts)
    return prefix + base64.b32encode(hashlib.sha256(framed).digest()).decode().lower()[:26]


def fingerprint(subject: str, state: str, changed_ms: int) -> str:
    """Return the id of one alert: the same for every road it may arrive by.

    `subject` is the alarm's ARN, or source and resource joined by a blank; `changed_ms` is the state change in
    milliseconds since the epoch.
    """
    return hashlib.sha256(f"{subject}\n{state}\n{changed_ms}".encode()).hexdigest()


def mission_id(group: str, first_fingerprint: str) -> str:
    """Return the id of the mission that the alert `first_fingerprint` opens for `group`."""
    return _derived("m-", group, first_fingerprint)


def contract_id(mission: str, playbook: str, attempt: int) -> str:
    """Return `c-` and 26 base32 characters; drafting twice drafts the same contract."""
    return _derived("c-", mission, playbook, str(attempt))


def command_id(*parts: str) -> str:
    """Return the id of one command: what is done to what, and which try of it this is."""
    return _derived("k-", *parts)


def correlation_id(first_fingerprint: str) -> str:
    """Return the id that joins the alert, every record, every log line and every event that follow from it."""
    return _derived("r-", first_fingerprint)
