"""The log's world over the AWS bodies of its ports, DynamoDB and S3 being moto's; and a fault at any call to either.

KMS, Lambda, SNS, EventBridge and CloudWatch are each one call behind a port: those are broken at the port.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ReadTimeoutError

from grace.errors import Unavailable
from grace.flow.integrate import PARTIAL_LOCK
from grace.stores.archive import S3Archive, S3Witness
from grace.stores.calling import Patience, client
from grace.stores.dynamo import DynamoStore
from grace.stores.log import DynamoLog, DynamoSignerRecord
from tests.stores.conftest import LOG, REGION, STATE, make_tables
from tests.support.ledger import DirectNotary, Killed, Ledger, Tapped, Worker

LANES = 2
SIGNER, BUCKET, ELSEWHERE = "grace-signer", "grace-log-objects", "elsewhere-log"
PORTS = ("signing", "notary", "messages", "metrics")

Error = Callable[[], BaseException]


def killed() -> BaseException:
    """The worker dies there."""
    return Killed()


def silence() -> BaseException:
    """Nobody answers."""
    error: BaseException = ReadTimeoutError(endpoint_url="aws")
    return error


class Breaking:
    """Breaks the `at`-th call from now on (0: none), before it takes effect or after; counts and names them all."""

    def __init__(self, *clients: Any) -> None:
        self.clients = clients
        self.off()
        for each in clients:
            each.meta.events.register("before-call.*.*", self._before)
            each.meta.events.register("after-call.*.*", self._after)

    def off(self) -> None:
        """Break nothing."""
        self.at, self.after, self.error, self.names = 0, False, killed, list[str]()

    def on(self, at: int, error: Error, *, after: bool) -> None:
        """Count from here, and break that call."""
        self.at, self.after, self.error, self.names = at, after, error, []

    @property
    def hit(self) -> str:
        """The call that was broken, or nothing."""
        return self.names[self.at - 1] if 0 < self.at <= len(self.names) else ""

    def _before(self, model: Any, **_: Any) -> None:
        self.names.append(f"{model.service_model.service_name}.{model.name}")
        if len(self.names) == self.at and not self.after:
            raise self.error()

    def _after(self, **_: Any) -> None:
        if len(self.names) == self.at and self.after:
            raise self.error()

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Pass a port's call on, as `Tapped` does; the calls that it makes itself count for themselves."""
        self.names.append(name)
        mine = len(self.names)
        if mine == self.at and not self.after:
            raise self._as_port()
        answer = function(*args, **kwargs)
        if mine == self.at and self.after:
            raise self._as_port()
        return answer

    def _as_port(self) -> BaseException:
        """The error as the port says it."""
        error = self.error()
        return error if isinstance(error, Killed) else Unavailable("no answer")


class HeadedArchive(S3Archive):
    """Moto has no GetObjectRetention: HeadObject says the same there. And it dates objects by the clock on the wall."""

    def put(self, path: str, body: bytes, until: datetime | None = None) -> None:
        now = datetime.now(UTC)
        super().put(path, body, now + PARTIAL_LOCK if until and until < now else until)

    def locked(self, path: str, version: str) -> Any:
        answer = self._bucket.call(self._bucket.client.head_object, Key=path, VersionId=version)
        return answer.get("ObjectLockRetainUntilDate")


@cache
def session() -> boto3.Session:
    """One for all: reading the services' descriptions is most of what a new client costs."""
    return boto3.Session(region_name=REGION)


def build() -> tuple[Ledger, Breaking]:
    """Return a log on AWS, which is moto's, and what breaks its calls."""
    dynamodb, s3 = client(session(), "dynamodb"), client(session(), "s3")
    make_tables(dynamodb)
    dynamodb.create_table(
        TableName=SIGNER,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    there = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=there, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=BUCKET,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 365}},
        },
    )
    s3.create_bucket(Bucket=ELSEWHERE, CreateBucketConfiguration=there)
    calm = Patience(jitter=lambda: 0.0, sleep=lambda _seconds: None)
    ledger = Ledger(LANES)
    ledger.store = DynamoStore(dynamodb, STATE, LOG, LANES, calm)
    ledger.log = DynamoLog(dynamodb, LOG, LANES, calm)
    ledger.record = DynamoSignerRecord(dynamodb, SIGNER, calm)
    ledger.archive = HeadedArchive(s3, BUCKET, "GOVERNANCE", calm, days=365)
    ledger.witness = S3Witness(s3, ELSEWHERE, calm)
    return ledger, Breaking(dynamodb, s3)


def worker(ledger: Ledger, breaking: Breaking) -> Any:
    """Return the same world as a worker sees it whose calls go past the fault."""
    made: Any = Worker(ledger)
    for name in PORTS:
        setattr(made, name, Tapped(name, getattr(ledger, name), breaking))
    made.notary = Tapped("notary", DirectNotary(made), breaking)
    return made
