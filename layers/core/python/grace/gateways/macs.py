"""MACs under an HMAC key of KMS: no door ever holds the key."""

from __future__ import annotations

from grace.errors import AnswerLost, BadRequest, NotFound, Unavailable
from grace.gateways.translate import code_of
from grace.model.base import Json
from grace.ports import Aws

_ALGORITHM = "HMAC_SHA_256"
_NOT_MADE = frozenset({"KMSInvalidMacException", "DisabledException", "KMSInvalidStateException"})
"""Another MAC; or a key that is disabled, or waits to be deleted: what it once made counts no more."""


class KmsMacs:
    """`ports.Macs` over KMS GenerateMac and VerifyMac."""

    def __init__(self, aws: Aws, key: str) -> None:
        """Keep the port and the ARN of the key that makes new MACs; a door that only checks has none."""
        self._aws = aws
        self._key = key

    def generate(self, message: bytes) -> tuple[bytes, str]:
        """Return the MAC, and the ARN of the key it was made with."""
        answer = self._call("generate_mac", KeyId=self._key, MacAlgorithm=_ALGORITHM, Message=message)
        return bytes(answer["Mac"]), str(answer["KeyId"])

    def verify(self, message: bytes, mac: bytes, key_id: str) -> bool:
        """Return whether KMS says that the key made that MAC.

        The id of the key comes from our own record. That we may not ask about it is an error and no answer.
        """
        try:
            answer = self._call("verify_mac", KeyId=key_id, MacAlgorithm=_ALGORITHM, Message=message, Mac=mac)
        except NotFound:
            return False
        except BadRequest as exc:
            if code_of(exc) in _NOT_MADE:
                return False
            raise
        return bool(answer["MacValid"])

    def stands(self, key_id: str) -> bool:
        """Return whether the key is there and enabled."""
        try:
            answer = self._call("describe_key", KeyId=key_id)
        except NotFound:
            return False
        return bool(answer["KeyMetadata"]["Enabled"])

    def _call(self, operation: str, **arguments: Json) -> dict[str, Json]:
        try:
            return self._aws.call("kms", operation, **arguments)
        except AnswerLost as exc:  # neither operation changes anything
            raise Unavailable(str(exc)) from exc
