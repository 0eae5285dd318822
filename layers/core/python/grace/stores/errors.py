"""What DynamoDB and S3 answer, in the house's own words.

Every call of the stores is safe to repeat: reads change nothing, a transaction is guarded by its command id, an object
is written only if absent. So no answer and a refusal to begin are the same here: `Unavailable`.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from grace.errors import (
    AccessDenied,
    BadRequest,
    Conflict,
    GraceError,
    InvalidSetting,
    Mismatch,
    NotFound,
    Throttled,
    Unavailable,
)
from grace.sdk import SdkError, no_credentials, refusal

_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "ThrottlingError",
        "ThrottlingException",
    },
)
_UNDECIDED = frozenset(
    {
        "ConditionalRequestConflict",
        "OperationAborted",
        "TransactionConflictException",
        "TransactionInProgressException",
    },
)
"""Somebody else is writing there this very moment: nothing was decided, asking again decides."""
_DENIED = ("AccessDenied", "Unauthorized", "UnrecognizedClient", "ExpiredToken", "InvalidClientTokenId", "Signature")
_OTHER_VERSION = frozenset({"PreconditionFailed", "ConditionalCheckFailedException"})
_NO_TABLE = frozenset({"ResourceNotFoundException", "NoSuchBucket"})
_NO_OBJECT = frozenset({"NoSuchKey", "404", "NoSuchObjectLockConfiguration"})


class Cancelled(GraceError):
    """A transaction was cancelled as a whole; `reasons` holds one answer per action, in the order of the request."""

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        """Keep the reasons."""
        super().__init__("the transaction was cancelled: " + ", ".join(str(r.get("Code")) for r in reasons))
        self.reasons = reasons


def translate(exc: SdkError, operation: str, where: str) -> GraceError:
    """Return the house's error for one of the SDK's; `where` is the table or bucket, for a person to read."""
    if isinstance(exc, ClientError):
        return _refusal(exc, f"{operation} on {where}", where)
    if missing := no_credentials(exc, operation):
        return missing
    return Unavailable(f"{operation} on {where}: no answer ({type(exc).__name__})")


def _refusal(exc: ClientError, what: str, where: str) -> GraceError:
    said = refusal(exc)
    code = said.code
    if code == "TransactionCanceledException":
        return Cancelled(list(exc.response.get("CancellationReasons", [])))
    if code in _NO_TABLE:
        return InvalidSetting(f"{where} does not exist: deploy the stack again, or mend the function's settings")
    return _kind(code, said.status)(f"{what}: {code}: {said.message[:300]}")


def _kind(code: str, status: int) -> type[GraceError]:
    rules: tuple[tuple[bool, type[GraceError]], ...] = (
        (code in _THROTTLED or status == 429, Throttled),
        (code in _UNDECIDED, Conflict),
        (status >= 500, Unavailable),
        (code in _OTHER_VERSION or status == 412, Mismatch),
        (any(word in code for word in _DENIED) or status in {401, 403}, AccessDenied),
        (code in _NO_OBJECT, NotFound),
    )
    return next((kind for applies, kind in rules if applies), BadRequest)
