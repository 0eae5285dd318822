"""Identifiers are computed, never drawn: the same cause gives the same id, so doing it twice does it once."""

import base64
import hashlib

ID_BYTES = 16
"""What an id holds: 26 base32 characters, the last of which carries three bits."""
_CONTRACT = "c-"


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode().lower().rstrip("=")


def _derived(prefix: str, *parts: str) -> str:
    """Return `prefix` and the first 16 bytes of the SHA-256 over the parts, each length-prefixed, in base32."""
    framed = b"".join(len(raw := part.encode()).to_bytes(4, "big") + raw for part in parts)
    return prefix + _text(hashlib.sha256(framed).digest()[:ID_BYTES])


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
    return _derived(_CONTRACT, mission, playbook, str(attempt))


def contract_bytes(contract: str) -> bytes:
    """Return the 16 bytes that a contract's id holds: what a link carries of it. The inverse of `contract_named`.

    Raises:
        ValueError: the text is no contract id, or not written as we write it.
    """
    raw = base64.b32decode(contract.removeprefix(_CONTRACT).upper() + "======")
    if contract_named(raw) != contract:
        raise ValueError("this is no contract id")
    return raw


def contract_named(raw: bytes) -> str:
    """Return the contract id that holds these 16 bytes."""
    return _CONTRACT + _text(raw)


def command_id(*parts: str) -> str:
    """Return the id of one command: what is done to what, and which try of it this is."""
    return _derived("k-", *parts)


def correlation_id(first_fingerprint: str) -> str:
    """Return the id that joins the alert, every record, every log line and every event that follow from it."""
    return _derived("r-", first_fingerprint)
