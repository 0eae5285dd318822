"""The SDK's session of every door reads an answer's times as the SDK does, and in less of its time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import Session

from grace.bootstrap import lean_session

AT = datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)


def read(session: Session, service: str, operation: str, protocol: str, body: bytes) -> dict[str, Any]:
    shape = session.get_service_model(service).operation_model(operation).output_shape
    parser = session.get_component("response_parser_factory").create_parser(protocol)
    found: dict[str, Any] = parser.parse({"status_code": 200, "headers": {}, "body": body}, shape)
    return found


@pytest.mark.parametrize("session", [lean_session(), Session()], ids=["ours", "the SDK's"])
@pytest.mark.parametrize("stamp", ["1769860800.5", '"2026-01-31T12:00:00.500Z"', '"2026-01-31T13:00:00.500+01:00"'])
def test_a_time_is_the_same_time_however_it_is_written(session: Session, stamp: str) -> None:
    body = f'{{"Table": {{"CreationDateTime": {stamp}}}}}'.encode()

    found = read(session, "dynamodb", "DescribeTable", "json", body)["Table"]["CreationDateTime"]

    assert found == AT
    assert found.tzinfo is not None


def test_a_number_is_read_in_utc() -> None:
    body = b'{"Table": {"CreationDateTime": 1769860800}}'

    found = read(lean_session(), "dynamodb", "DescribeTable", "json", body)["Table"]["CreationDateTime"]

    assert found.tzinfo is UTC
