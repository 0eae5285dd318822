"""What both adapters share of the AWS SDK: how a client is made, and how an answer that is an error is read.

What an error means differs: a store's calls are all safe to repeat, a change of a resource is not. So each adapter
translates for itself (`stores.errors`, `gateways.translate`), from what is read here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from botocore.parsers import ResponseParserError

from grace.errors import AccessDenied
from grace.ports import Sdk

CONNECT_SECONDS = 2
READ_SECONDS = 10
"""The first rungs of the time-out ladder: connect < read < function < task < lease < deadline."""
AGENT = "grace"
"""What the trail of an account shows as our user agent; the SDK builds its own anew for every call, at a tenth of its
time."""

SdkError = ClientError | BotoCoreError | ResponseParserError
SDK_ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""Everything botocore raises about a call; an answer that it cannot parse is outside its own family of errors."""


def client(session: Sdk, service: str, *, parameter_validation: bool = True) -> Any:
    """Return a client that makes one attempt per call: an SDK that repeats by itself would hide who else repeats."""
    return session.client(
        service,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
            user_agent=AGENT,
            parameter_validation=parameter_validation,
        ),
    )


class Refusal(NamedTuple):
    """A service's own answer: its code, the HTTP status and its words, which may hold what was sent."""

    code: str
    status: int
    message: str


def refusal(exc: ClientError) -> Refusal:
    """Return what a service answered; what is missing is empty, and the status of a refusal is 400."""
    error = exc.response.get("Error", {})
    status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    return Refusal(str(error.get("Code", "")), status, str(error.get("Message", "")))


def error_code(exc: BaseException) -> str:
    """Return the service's own code for a refusal, empty for any other error."""
    return refusal(exc).code if isinstance(exc, ClientError) else ""


def no_credentials(exc: BaseException, where: str) -> AccessDenied | None:
    """Return what to say when the process has no credentials, or None when that is not what is wrong."""
    if not isinstance(exc, (NoCredentialsError, PartialCredentialsError)):
        return None
    return AccessDenied(f"{where}: there are no AWS credentials: give the process a role or a profile")
