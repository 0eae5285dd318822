"""A small Lambda service in memory: versions, aliases with revisions, tags, and calls that fail on broken versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from grace.errors import Mismatch, NotFound


class Lambdas:
    """Functions by name. `broken` are the versions whose calls fail; `changes` counts changes that took effect."""

    def __init__(self, account: str, region: str) -> None:
        self.prefix = f"arn:aws:lambda:{region}:{account}:function:"
        self.functions: dict[str, dict[str, Any]] = {}
        self.aliases: dict[tuple[str, str], dict[str, Any]] = {}
        self.broken: set[str] = set()
        self.changes = 0
        self.calls = 0

    def function(self, name: str, *, tags: dict[str, str], versions: int) -> str:
        """Add a function with so many published versions; return its ARN."""
        self.functions[name] = {"tags": tags, "versions": [str(n + 1) for n in range(versions)]}
        return self.prefix + name

    def alias(self, function: str, name: str, version: str) -> None:
        """Point an alias somewhere, as somebody else would."""
        found = self.aliases.get((function, name), {"revision": 0})
        self.aliases[function, name] = {"version": version, "weights": {}, "revision": found["revision"] + 1}

    def version_of(self, function: str, alias: str) -> str:
        """Return where an alias points."""
        return str(self.aliases[function, alias]["version"])

    def handlers(self) -> dict[tuple[str, str], Callable[..., dict[str, Any]]]:
        """Return what `MemoryAws` answers with."""
        return {
            ("lambda", "get_alias"): self.get_alias,
            ("lambda", "update_alias"): self.update_alias,
            ("lambda", "list_tags"): self.list_tags,
            ("lambda", "list_versions_by_function"): self.list_versions,
            ("lambda", "get_function_configuration"): self.configuration,
            ("lambda", "invoke"): self.invoke,
        }

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        found = self._alias(FunctionName, Name)
        return {
            "FunctionVersion": found["version"],
            "RoutingConfig": {"AdditionalVersionWeights": dict(found["weights"])},
            "RevisionId": str(found["revision"]),
        }

    def update_alias(
        self,
        FunctionName: str,  # noqa: N803
        Name: str,  # noqa: N803
        FunctionVersion: str,  # noqa: N803
        RoutingConfig: dict[str, Any],  # noqa: N803
        RevisionId: str,  # noqa: N803
    ) -> dict[str, Any]:
        found = self._alias(FunctionName, Name)
        if str(found["revision"]) != RevisionId:
            raise Mismatch("the RevisionId provided does not match the latest")
        found["version"], found["weights"] = FunctionVersion, dict(RoutingConfig["AdditionalVersionWeights"])
        found["revision"] += 1
        self.changes += 1
        return self.get_alias(FunctionName, Name)

    def list_tags(self, Resource: str) -> dict[str, Any]:  # noqa: N803
        return {"Tags": dict(self._function(Resource)["tags"])}

    def list_versions(self, FunctionName: str, Marker: str = "") -> dict[str, Any]:  # noqa: N803
        return {"Versions": [{"Version": v} for v in ("$LATEST", *self._function(FunctionName)["versions"])]}

    def configuration(self, FunctionName: str, Qualifier: str = "") -> dict[str, Any]:  # noqa: N803
        self._function(FunctionName)
        return {"State": "Active", "LastUpdateStatus": "Successful"}

    def invoke(self, FunctionName: str, Payload: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        name, _, alias = FunctionName.removeprefix(self.prefix).partition(":")
        version = self.version_of(name, alias) if alias else "$LATEST"
        if version in self.broken:
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": b'{"errorMessage": "bad release"}'}
        return {"StatusCode": 200, "Payload": json.dumps({"statusCode": 200, "version": version}).encode()}

    def _alias(self, function: str, name: str) -> dict[str, Any]:
        key = (function.removeprefix(self.prefix), name)
        if key not in self.aliases:
            raise NotFound(f"alias {function}:{name} does not exist")
        return self.aliases[key]

    def _function(self, name: str) -> dict[str, Any]:
        short = name.removeprefix(self.prefix).split(":")[0]
        if short not in self.functions:
            raise NotFound(f"function {name} does not exist")
        return self.functions[short]
