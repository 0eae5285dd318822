"""One set of clients for all tests of this folder: making them is slow, and moto forgets everything between tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from grace.gateways.aws import BotoAws
from tests.support.aws import MotoAws


@pytest.fixture(scope="module")
def boto() -> BotoAws:
    return BotoAws(boto3.Session())


@pytest.fixture
def aws(boto: BotoAws) -> Iterator[MotoAws]:
    with mock_aws():
        yield MotoAws(boto)


@pytest.fixture
def fresh(boto: BotoAws) -> Iterator[Callable[[], MotoAws]]:
    """An account without anything in it, as often as asked."""
    mocks: list[Any] = []

    def renew() -> MotoAws:
        while mocks:
            mocks.pop().stop()
        mocks.append(mock_aws())
        mocks[0].start()
        return MotoAws(boto)

    yield renew
    for mock in mocks:
        mock.stop()
