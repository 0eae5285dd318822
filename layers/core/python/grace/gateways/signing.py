"""The log's key in KMS, and the door that alone may use it."""

from __future__ import annotations

import json

from grace.errors import AnswerLost, GraceError, IntegrityError, Unavailable
from grace.model.base import Json
from grace.ports import Aws

_ALGORITHM, _AS_IT_IS = "ED25519_SHA_512", "RAW"
"""Ed25519 over the message itself; KMS signs a digest under the other variant, which no reader of notes knows."""


class KmsSigning:
    """`ports.Signing` over KMS GetPublicKey and Sign."""

    def __init__(self, aws: Aws, key: str, origin: str) -> None:
        """Keep the port, the key's ARN and the log's name."""
        self._aws = aws
        self._key = key
        self._origin = origin
        self._public: bytes | None = None

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._origin

    def public_key(self) -> bytes:
        """Return the public key as SubjectPublicKeyInfo, in DER; asked for once."""
        if self._public is None:
            self._public = bytes(self._call("get_public_key")["PublicKey"])
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the signature; signing twice gives the same, so a lost answer is only unavailable."""
        return bytes(
            self._call("sign", Message=message, MessageType=_AS_IT_IS, SigningAlgorithm=_ALGORITHM)["Signature"]
        )

    def _call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        try:
            return self._aws.call("kms", operation, KeyId=self._key, **arguments)
        except AnswerLost as exc:
            raise Unavailable(str(exc)) from exc


class LambdaNotary:
    """`ports.Notary` over the function `sign`."""

    def __init__(self, aws: Aws, function: str) -> None:
        """Keep the port and the function's name."""
        self._aws = aws
        self._function = function

    def sign(self) -> bytes:
        """Call the function and return the checkpoint it published; what it raised is raised here."""
        try:
            answer = self._aws.call(
                "lambda", "invoke", FunctionName=self._function, InvocationType="RequestResponse", Payload=b"{}"
            )
        except AnswerLost as exc:  # it looks before it signs: asking again is safe
            raise Unavailable(str(exc)) from exc
        says = json.loads(answer["Payload"])
        if answer.get("FunctionError"):
            raise _raised(says)
        return str(says["checkpoint"]).encode()


def _raised(says: dict[str, Json]) -> GraceError:
    told = f"{says.get('errorType', 'error')}: {str(says.get('errorMessage', ''))[:300]}"
    return IntegrityError(told) if says.get("errorType") == IntegrityError.__name__ else Unavailable(told)
