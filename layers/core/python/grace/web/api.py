"""What `POST /decide` and `POST /operate` share: the caller is who API Gateway proved, never who the body says."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from grace.errors import Conflict, GraceError, NotFound, Refused, TransientError
from grace.model.base import Json
from grace.ports import Services

BODY_BYTES = 8192
M = TypeVar("M", bound=BaseModel)

_STATUS = {
    "unknown_person": 403,
    "not_yours": 403,
    "closed": 410,
    "decided_otherwise": 409,
    "digest": 409,
    "ended": 409,
}


class _Bad(Exception):
    """The request itself is wrong; the message says how to make it right."""


def respond(event: dict[str, Json], act: Callable[[str], dict[str, Json]], services: Services) -> dict[str, Json]:
    """Answer 200 with what `act` returns for the proved principal, or say why not."""
    try:
        return _response(200, act(_principal(event)))
    except _Bad as exc:
        return _response(400, {"error": "bad_request", "message": str(exc)})
    except Refused as exc:
        return _response(_STATUS.get(exc.code, 409), {"error": exc.code, "message": str(exc)})
    except NotFound as exc:
        return _response(404, {"error": "not_found", "message": str(exc)})
    except (Conflict, TransientError) as exc:
        services.telemetry.trouble("the request could not be answered", exc)
        return _response(503, {"error": "try_again", "message": str(exc)})
    except GraceError as exc:
        services.telemetry.trouble("the request failed", exc)
        return _response(500, {"error": "failed", "message": f"{type(exc).__name__}: {exc}"})


def _principal(event: dict[str, Any]) -> str:
    """Return the ARN that API Gateway authenticated; without one nobody asked.

    Raises:
        Refused: `unknown_person`.
    """
    proved: Json = event
    for key in ("requestContext", "authorizer", "iam", "userArn"):
        proved = proved.get(key) if isinstance(proved, dict) else None
    if not isinstance(proved, str) or not proved:
        raise Refused("unknown_person", "the request carries no proved identity: sign it with your IAM credentials")
    return proved


def body_of(event: dict[str, Any], model: type[M]) -> M:
    """Return the request's body as that model; what is wrong with it is answered with 400 by `respond`."""
    raw = event.get("body") or ""
    try:
        text = base64.b64decode(raw, validate=True) if event.get("isBase64Encoded") else str(raw).encode()
    except (binascii.Error, ValueError) as exc:
        raise _Bad("the body is not base64 as announced") from exc
    if len(text) > BODY_BYTES:
        raise _Bad(f"the body has {len(text)} bytes, {BODY_BYTES} are allowed")
    try:
        return model.model_validate_json(text)
    except ValidationError as exc:
        first = exc.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise _Bad(f"{where}: {first['msg']}") from exc


def _response(status: int, document: dict[str, Json]) -> dict[str, Json]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": json.dumps(document),
    }
