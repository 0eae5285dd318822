"""Short texts that come back to us through a browser: signed under a key of their own, never the key of links."""

from __future__ import annotations

import base64
import binascii

from grace.ports import Macs


class MacSessions:
    """`ports.Sessions` over MACs: text, a full stop, and the MAC over the purpose and the text."""

    def __init__(self, macs: Macs, key_id: str) -> None:
        """Keep the port, and the id of the one key whose MACs count."""
        self._macs = macs
        self._key_id = key_id

    def sign(self, purpose: str, text: str) -> str:
        """Return the text with its MAC."""
        mac, _ = self._macs.generate(_message(purpose, text))
        return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def read(self, purpose: str, signed: str) -> str | None:
        """Return the text, or None when it was not signed by us for this purpose."""
        text, _, spelled = signed.rpartition(".")
        try:
            mac = base64.urlsafe_b64decode(spelled + "=")
        except (binascii.Error, ValueError):
            return None
        if not text or base64.urlsafe_b64encode(mac).decode().rstrip("=") != spelled:
            return None
        return text if self._macs.verify(_message(purpose, text), mac, self._key_id) else None


def _message(purpose: str, text: str) -> bytes:
    return f"grace {purpose} v1\n{text}".encode()
