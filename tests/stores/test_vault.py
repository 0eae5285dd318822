"""`ports.Vault`: written once, read by digest. Each test runs on memory and on S3."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from grace.errors import IntegrityError, InvalidSetting, NotFound, Throttled, Unavailable
from grace.model.contract import Pointer
from grace.stores.calling import ANSWERED, UNANSWERED
from grace.stores.s3 import S3Vault
from tests.stores.builders import refusal

BODY = b'{"memory":512}'
DIGEST = hashlib.sha256(BODY).hexdigest()


def test_what_is_put_is_got(vault: Any) -> None:
    pointer = vault.put("snapshots/c-1/1.json", BODY)

    assert pointer == Pointer(key="snapshots/c-1/1.json", sha256=DIGEST)
    assert vault.get(pointer) == BODY


def test_written_once(vault: Any) -> None:
    pointer = vault.put("k", BODY)

    assert vault.put("k", BODY) == pointer
    with pytest.raises(IntegrityError, match="other bytes"):
        vault.put("k", b"other")
    assert vault.get(pointer) == BODY


def test_other_bytes_than_the_pointers_are_never_returned(vault: Any) -> None:
    pointer = vault.put("k", BODY)

    with pytest.raises(IntegrityError, match="does not have the bytes"):
        vault.get(pointer.model_copy(update={"sha256": "0" * 64}))


def test_a_missing_object_is_named(vault: Any) -> None:
    with pytest.raises(NotFound, match="gone is not in the vault"):
        vault.get(Pointer(key="gone", sha256=DIGEST))


def test_s3_checks_the_bytes_it_is_given(s3: Any, waits: Any) -> None:
    sent = []
    s3.meta.events.register("before-parameter-build.s3.PutObject", lambda params, **_: sent.append(params))

    S3Vault(s3, "grace-vault", waits).put("k", BODY)

    assert sent[0]["IfNoneMatch"] == "*"
    assert sent[0]["ChecksumAlgorithm"] == "SHA256"
    assert s3.get_object(Bucket="grace-vault", Key="k")["Body"].read() == BODY


def _once(events: Any, name: str, *answers: Any) -> list[Any]:
    """Give these answers (or raise them) to the next calls, one each."""
    left = list(answers)

    def handler(**_: Any) -> Any:
        answer = left.pop(0) if left else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    events.register(name, handler)
    return left


@pytest.mark.parametrize("when", ["before-call", "after-call"])
@pytest.mark.parametrize("operation", ["PutObject", "GetObject"])
@pytest.mark.parametrize(
    "fault",
    [
        EndpointConnectionError(endpoint_url="s3"),
        ConnectionClosedError(endpoint_url="s3"),
        ReadTimeoutError(endpoint_url="s3"),
    ],
)
def test_a_lost_call_or_answer_is_repeated(s3: Any, waits: Any, when: str, operation: str, fault: Exception) -> None:
    left = _once(s3.meta.events, f"{when}.s3.{operation}", fault)
    vault = S3Vault(s3, "grace-vault", waits)

    assert vault.get(vault.put("k", BODY)) == BODY
    assert left == []
    assert len(waits.waited) == 1


@pytest.mark.parametrize(
    ("code", "status"), [("ConditionalRequestConflict", 409), ("SlowDown", 503), ("InternalError", 500)]
)
def test_s3_asks_to_come_again(s3: Any, waits: Any, code: str, status: int) -> None:
    """F09: a 409 means that somebody writes there at this moment."""
    left = _once(s3.meta.events, "before-call.s3.PutObject", refusal(code, status))
    vault = S3Vault(s3, "grace-vault", waits)

    assert vault.get(vault.put("k", BODY)) == BODY
    assert left == []


def test_repeating_ends(s3: Any, waits: Any) -> None:
    vault = S3Vault(s3, "grace-vault", waits)
    _once(s3.meta.events, "before-call.s3.PutObject", *[refusal("SlowDown", 503)] * 99)
    with pytest.raises(Throttled, match="SlowDown"):
        vault.put("k", BODY)
    assert len(waits.waited) == ANSWERED

    waits.waited.clear()
    _once(s3.meta.events, "before-call.s3.GetObject", *[ReadTimeoutError(endpoint_url="s3")] * 99)
    with pytest.raises(Unavailable, match="get_object"):
        vault.get(Pointer(key="k", sha256=DIGEST))
    assert len(waits.waited) == UNANSWERED


def test_a_missing_bucket_is_a_setting(s3: Any, waits: Any) -> None:
    with pytest.raises(InvalidSetting, match="nowhere does not exist"):
        S3Vault(s3, "nowhere", waits).put("k", BODY)
