"""The AWS services, behind the port `Aws`: clients made on first use, one attempt per call, errors translated.

Retrying is the caller's: the state machine repeats a step on `TransientError` with full jitter, and a change whose answer
was lost must be observed before it is repeated. An SDK that retries by itself would hide both.
"""

from __future__ import annotations

from typing import Any

from botocore.response import StreamingBody

from grace.gateways.translate import translate
from grace.model.base import Json
from grace.ports import Sdk
from grace.sdk import SDK_ERRORS, client, error_code

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
            self._clients[service] = client(self._session, service)
        return self._clients[service]
