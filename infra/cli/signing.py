"""Requests to the API, signed with an IAM identity (Signature Version 4): who asks is proved, never said."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.cli.errors import CommandError
from infra.cli.reach import Reach

SERVICE = "execute-api"


def post(reach: Reach, path: str, document: dict[str, Any], credentials: Credentials) -> dict[str, Any]:
    """Send a document to a path of the API and return the answer.

    Raises:
        CommandError: the API refused it, with its own sentence, or did not answer.
    """
    url = reach.outputs["ApiUrl"].rstrip("/") + path
    body = json.dumps(document).encode()
    request = AWSRequest(
        method="POST",
        url=url,
        data=body,
        headers={"content-type": "application/json", "host": urlsplit(url).netloc},
    )
    SigV4Auth(credentials, SERVICE, reach.region).add_auth(request)
    connection = reach.connection(url)
    try:
        connection.request("POST", urlsplit(url).path, body, dict(request.headers.items()))
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
    except OSError as exc:
        raise CommandError(f"The API at {urlsplit(url).hostname} does not answer ({exc}): try again.") from exc
    finally:
        connection.close()
    return _read(status, text)


def _read(status: int, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise CommandError(f"The API answered {status} with something that is no JSON: look at the log of the API.")
    if status == http.client.OK:
        return answer
    told = answer.get("message") or answer.get("Message") or "no reason given"
    if "error" in answer:
        raise CommandError(f"Refused ({answer['error']}): {told}")
    if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        raise CommandError(f"Your identity may not call the API (execute-api:Invoke): {told}")
    raise CommandError(f"The API answered {status}: {told}")
