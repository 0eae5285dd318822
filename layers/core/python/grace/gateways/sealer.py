"""Small secrets, encrypted with the vault's key and bound to what they belong to."""

from __future__ import annotations

import base64
import binascii

from grace.errors import AnswerLost, BadRequest, IntegrityError, Unavailable
from grace.gateways.translate import code_of
from grace.model.base import Json
from grace.ports import Aws

_CONTEXT = "grace"
_WRONG = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class KmsSealer:
    """`ports.Sealer` over KMS Encrypt and Decrypt: at most 4,096 bytes of plain text."""

    def __init__(self, aws: Aws, key: str) -> None:
        """Keep the port and the key's ARN."""
        self._aws = aws
        self._key = key

    def seal(self, plain: str, context: str) -> str:
        """Return the ciphertext in base64; only the same `context` opens it."""
        answer = self._call("encrypt", KeyId=self._key, Plaintext=plain.encode(), EncryptionContext={_CONTEXT: context})
        return base64.b64encode(answer["CiphertextBlob"]).decode()

    def unseal(self, sealed: str, context: str) -> str:
        """Return the plain text; raises `IntegrityError` for another context or changed bytes."""
        try:
            blob = base64.b64decode(sealed, validate=True)
            answer = self._call("decrypt", KeyId=self._key, CiphertextBlob=blob, EncryptionContext={_CONTEXT: context})
        except binascii.Error as exc:
            raise IntegrityError("a sealed value is not base64: it was changed") from exc
        except BadRequest as exc:
            if code_of(exc) in _WRONG:
                raise IntegrityError("a sealed value does not open: other bytes, or another owner") from exc
            raise
        return bytes(answer["Plaintext"]).decode()

    def _call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        try:
            return self._aws.call("kms", operation, **arguments)
        except AnswerLost as exc:  # neither operation changes anything
            raise Unavailable(str(exc)) from exc
