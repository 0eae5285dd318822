"""The AWS services, behind the port `Aws`: clients made on first use, one attempt per call, errors translated.

Retrying is the caller's: the state machine repeats a step on `TransientError` with full jitter, and a change whose answer
was lost must be observed before it is repeated. An SDK that retries by itself would hide both.
"""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.response import StreamingBody

from grace.gateways.translate import SDK_ERRORS, error_code, translate
from grace.model.base import Json
from grace.ports import Sdk

CONNECT_SECONDS = 2
READ_SECONDS = 10
"""The first rungs of the time-out ladder: connect < read < function < task < lease < deadline."""
AGENT = "grace"
"""What the trail of an account shows as our user agent; the SDK builds its own anew for every call, at a tenth of its
time."""

_DRY_RUN_WOULD_HAVE_WORKED = "DryRunOperation"


class BotoAws:
    """`ports.Aws` over boto3.

    `session` brings the credentials and the region. Every client of a session is made when its service is first called.
    """

    def __init__(self, session: Sdk) -> None:
        """Keep the session; nothing is opened."""
        self._session = session
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, /, **arguments: Json) -> dict[str, Json]:
        """Call one operation and return its answer without metadata; a streamed body is returned as bytes.

        EC2 answers a dry run that would have succeeded with an error; here it is an empty answer.

        Raises:
            Throttled, Unavailable, AnswerLost, NotFound, AccessDenied, BadRequest, Mismatch: see `translate`.
        """
        try:
            answer = dict(getattr(self._client(service), operation)(**arguments))
            for key, value in answer.items():
                if isinstance(value, StreamingBody):
                    answer[key] = value.read()
        except SDK_ERRORS as exc:
            if error_code(exc) == _DRY_RUN_WOULD_HAVE_WORKED:
                return {}
            raise translate(exc, service, operation) from exc
        answer.pop("ResponseMetadata", None)
        return answer

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(
                service,
                config=Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    user_agent=AGENT,
                ),
            )
        return self._clients[service]
