"""What the AWS SDK raises, in the house's own words. What is read of an error is said in `grace.sdk`.

The question that matters for a change is whether it may have happened. Only what is known to come before the request was
sent, or is documented to do nothing, counts as `Unavailable`; everything else that gives no answer is `AnswerLost`.
"""

from __future__ import annotations

import re

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoRegionError,
    ParamValidationError,
    ProxyConnectionError,
)

from grace.errors import (
    AccessDenied,
    AnswerLost,
    BadRequest,
    GraceError,
    Mismatch,
    NotFound,
    Throttled,
    Unavailable,
)
from grace.sdk import SdkError, error_code, no_credentials, refusal

_READS = ("get_", "describe_", "list_", "lookup_", "head_", "query", "simulate_", "search_", "batch_get_")

_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, CredentialRetrievalError)

_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    },
)
"""The codes botocore's standard retry mode counts as throttling."""

_DID_NOTHING = frozenset(
    {
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceContention",
        "ResourceContentionFault",
        "ScalingActivityInProgress",
        "ScalingActivityInProgressFault",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "UpdateInProgressException",
    },
)
"""The service says it could not begin: the same call later is safe."""

_DENIED = ("AccessDenied", "Unauthorized", "NotAuthorized", "AuthFailure", "ExpiredToken", "InvalidClientTokenId")
_ABSENT = ("NotFound", "NoSuch", "DoesNotExist")
_ABSENT_CODES = frozenset({"ServiceNotActiveException", "404"})
_VAGUE = frozenset({"ValidationError", "ClientException", "InvalidParameterException"})
"""Codes under which Auto Scaling, CloudFormation and ECS also say that something is not there."""

_ABSENT_WORDS = ("not found", "does not exist", "unable to describe task definition")
_MISMATCH = frozenset({"PreconditionFailedException", "PreconditionFailed", "ResourceConflictException"})

_QUOTED = re.compile(r"""(?<!\w)(['"`]).*(?:\1|$)""", re.DOTALL)
"""What a service quotes in a message, to the last mark of the kind: it may be the value that it was sent."""

_PARAMETER = re.compile(r'parameter "?([A-Za-z0-9_.\[\]]+)')


def is_read(operation: str) -> bool:
    """Return whether an operation (boto3's name) changes nothing, so that repeating it is always safe."""
    return operation.startswith(_READS)


def translate(exc: SdkError, service: str, operation: str) -> GraceError:
    """Return the house's error for one of the SDK's; the caller raises it `from` the original."""
    where = f"{service}.{operation}"
    if isinstance(exc, ClientError):
        return _refusal(exc, where, is_read(operation))
    if isinstance(exc, ParamValidationError):
        # The SDK's text repeats the values, which may be secret; the names are enough to mend it.
        names = ", ".join(sorted(set(_PARAMETER.findall(str(exc))))) or "see the service's reference"
        return BadRequest(f"{where}: the arguments do not have the service's shape ({names})")
    if missing := no_credentials(exc, where):
        return missing
    if isinstance(exc, NoRegionError):
        return BadRequest(f"{where}: no region is set: set AWS_REGION")
    if isinstance(exc, _NEVER_SENT):
        return Unavailable(f"{where}: could not be reached ({type(exc).__name__})")
    return _unanswered(f"{where}: no answer ({type(exc).__name__})", is_read(operation))


def _unanswered(text: str, read: bool) -> GraceError:
    return Unavailable(text) if read else AnswerLost(text)


def _refusal(exc: ClientError, where: str, read: bool) -> GraceError:
    said = refusal(exc)
    code, status, message = said.code, said.status, said.message
    # These words go into entries that nobody can take back.
    told = _QUOTED.sub("'…'", message)
    text = f"{where}: {code}: {told[:300]}"
    if code in _THROTTLED or status == 429:
        return Throttled(text)
    if code in _DID_NOTHING or status == 503:
        return Unavailable(text)
    if status >= 500:
        # An internal error says nothing of how far the service had come.
        return _unanswered(text, read)
    if code in _MISMATCH or status == 412:
        return Mismatch(text)
    if any(word in code for word in _DENIED) or status in {401, 403}:
        return AccessDenied(text)
    return NotFound(text) if _absent(code, status, message.lower()) else BadRequest(text)


def _absent(code: str, status: int, message: str) -> bool:
    if code in _ABSENT_CODES or status == 404 or any(word in code for word in _ABSENT):
        return True
    return code in _VAGUE and any(word in message for word in _ABSENT_WORDS)


def code_of(exc: GraceError) -> str:
    """Return the service's code behind one of our errors, where one answer among the refusals means something else."""
    return error_code(exc.__cause__) if exc.__cause__ is not None else ""
