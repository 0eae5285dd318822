"""`ports.Vault` over S3: objects written if absent, and read back by digest."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from grace.errors import IntegrityError, Mismatch, NotFound
from grace.model.base import sha256_hex
from grace.model.contract import Pointer
from grace.stores.calling import Patience, Tries


class S3Vault:
    """The vault bucket of one deployment; how it is encrypted and locked is the bucket's own setting."""

    def __init__(self, client: Any, bucket: str, patience: Patience | None = None) -> None:
        """Keep the client (see `calling.client`) and the bucket's name; nothing is called."""
        self._client = client
        self._bucket = bucket
        self._patience = patience or Patience()

    def put(self, key: str, body: bytes) -> Pointer:
        """Write if absent; the same bytes again are success, other bytes are an `IntegrityError`.

        An answer that was lost is asked for again: the object is then there, with our bytes.
        """
        pointer = Pointer(key=key, sha256=sha256_hex(body))
        try:
            Tries(self._patience).call(
                self._client.put_object,
                self._bucket,
                Bucket=self._bucket,
                Key=key,
                Body=body,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
            )
        except Mismatch as exc:
            if self._body(key) != body:
                raise IntegrityError(f"{key} is kept already with other bytes") from exc
        return pointer

    def get(self, pointer: Pointer) -> bytes:
        """Return the bytes; raises `IntegrityError` when they do not have the pointer's digest, `NotFound` when gone."""
        body = self._body(pointer.key)
        if sha256_hex(body) != pointer.sha256:
            raise IntegrityError(f"{pointer.key} does not have the bytes that were kept")
        return body

    def _body(self, key: str) -> bytes:
        def get_object(**arguments: Any) -> dict[str, Any]:
            """Read the stream inside the repeated call: a body that breaks off is a call without an answer."""
            return {"Body": self._client.get_object(**arguments)["Body"].read()}

        try:
            return bytes(Tries(self._patience).call(get_object, self._bucket, Bucket=self._bucket, Key=key)["Body"])
        except NotFound as exc:
            raise NotFound(f"{key} is not in the vault") from exc
