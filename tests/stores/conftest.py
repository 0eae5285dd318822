"""The two bodies of each port, side by side; DynamoDB and S3 are moto's, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from grace.stores import keys
from grace.stores.calling import Patience, client
from grace.stores.dynamo import DynamoStore
from grace.stores.memory import MemoryStore, MemoryVault
from grace.stores.s3 import S3Vault

STATE, LOG, BUCKET = "grace-state", "grace-log", "grace-vault"
REGION = "eu-central-1"
LANES = 4


class Waits(Patience):
    """No waiting: what would have been waited is noted. The jitter is always the longest."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        super().__init__(jitter=lambda: 1.0, sleep=self.waited.append)


def make_tables(dynamodb: Any) -> None:
    address = [
        {"AttributeName": keys.PARTITION, "KeyType": "HASH"},
        {"AttributeName": keys.SORT, "KeyType": "RANGE"},
    ]
    text = [{"AttributeName": name, "AttributeType": "S"} for name in (keys.PARTITION, keys.SORT)]
    index = [{"AttributeName": name, "AttributeType": "S"} for name in (keys.OPEN_PARTITION, keys.OPEN_SORT)]
    dynamodb.create_table(
        TableName=STATE,
        KeySchema=address,
        AttributeDefinitions=text + index,
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": keys.OPEN_INDEX,
                "KeySchema": [
                    {"AttributeName": keys.OPEN_PARTITION, "KeyType": "HASH"},
                    {"AttributeName": keys.OPEN_SORT, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    dynamodb.create_table(TableName=LOG, KeySchema=address, AttributeDefinitions=text, BillingMode="PAY_PER_REQUEST")


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One for all tests: reading the services' descriptions is most of what a new client costs."""
    return boto3.Session(region_name=REGION)


@pytest.fixture
def aws(session: boto3.Session) -> Iterator[boto3.Session]:
    with mock_aws():
        yield session


@pytest.fixture
def dynamodb(aws: boto3.Session) -> Any:
    """A client of the kind the stores use, and the two tables."""
    made = client(aws, "dynamodb")
    make_tables(made)
    return made


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def dynamo(dynamodb: Any, waits: Waits) -> DynamoStore:
    return DynamoStore(dynamodb, STATE, LOG, LANES, waits)


@pytest.fixture(params=["memory", "dynamo"])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryStore(LANES)
    return request.getfixturevalue("dynamo")


@pytest.fixture
def s3(aws: boto3.Session) -> Any:
    made = client(aws, "s3")
    made.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return made


@pytest.fixture(params=["memory", "s3"])
def vault(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryVault()
    return S3Vault(request.getfixturevalue("s3"), BUCKET, request.getfixturevalue("waits"))
