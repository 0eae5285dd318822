"""That each body is the port's, by its types: the type checker reads this, running it shows that nothing is abstract."""

from __future__ import annotations

from typing import Any

from grace.ports import Store, Vault
from grace.stores.dynamo import DynamoStore
from grace.stores.memory import MemoryStore, MemoryVault
from grace.stores.s3 import S3Vault


def test_two_bodies_for_each_port(dynamodb: Any, s3: Any) -> None:
    stores: list[Store] = [MemoryStore(), DynamoStore(dynamodb, "grace-state", "grace-log", 16)]
    vaults: list[Vault] = [MemoryVault(), S3Vault(s3, "grace-vault")]

    assert [type(body).__name__ for body in (*stores, *vaults)] == [
        "MemoryStore",
        "DynamoStore",
        "MemoryVault",
        "S3Vault",
    ]
