"""A small Lambda service in memory: functions, versions, aliases, revisions, updates that take their time, real bounds."""

# ruff: noqa: N803  the arguments have boto3's names
from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from grace.errors import BadRequest, Mismatch, NotFound
from tests.support.effects import Effects, Handlers

ACCOUNT_CONCURRENCY, UNRESERVED_FLOOR = 1000, 100
UPDATE_SECONDS = 3
"""How long an update of a configuration stays in progress; no other is accepted meanwhile."""


class Lambdas:
    """Functions by name. `broken` are the versions whose calls fail; `changes` counts changes that took effect."""

    def __init__(
        self,
        account: str,
        region: str,
        now: Callable[[], datetime] = lambda: datetime(2026, 1, 31, tzinfo=UTC),
        effects: Effects | None = None,
    ) -> None:
        self.prefix = f"arn:aws:lambda:{region}:{account}:function:"
        self.functions: dict[str, dict[str, Any]] = {}
        self.aliases: dict[tuple[str, str], dict[str, Any]] = {}
        self.sources: dict[str, list[str]] = {}
        """Event sources by the ARN that they call."""
        self.policies: dict[tuple[str, str], dict[str, Any]] = {}
        """Resource policies by function and alias."""
        self.broken: set[str] = set()
        self.calls = 0
        self.effects = effects if effects is not None else Effects()
        self._now = now

    @property
    def changes(self) -> int:
        """How many changes took effect."""
        return len([each for each in self.effects.made if each.service == "lambda"])

    def function(self, name: str, *, tags: dict[str, str], versions: int, **settings: Any) -> str:
        """Add a function with so many published versions; return its ARN."""
        self.functions[name] = {
            "tags": tags,
            "versions": [str(n + 1) for n in range(versions)],
            "memory": 512,
            "timeout": 30,
            "reserved": None,
            "logging": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"},
            "variables": {"TABLE": "orders", "API_KEY": "planted-secret"},
            "revision": 1,
            "updating_until": datetime.min.replace(tzinfo=UTC),
            **settings,
        }
        return self.prefix + name

    def alias(self, function: str, name: str, version: str) -> None:
        """Point an alias somewhere, as somebody else would."""
        found = self.aliases.get((function, name), {"revision": 0})
        self.aliases[function, name] = {"version": version, "weights": {}, "revision": found["revision"] + 1}

    def version_of(self, function: str, alias: str) -> str:
        """Return where an alias points."""
        return str(self.aliases[function, alias]["version"])

    def handlers(self) -> Handlers:
        """Return what `MemoryAws` answers with."""
        return {
            ("lambda", "get_alias"): self.get_alias,
            ("lambda", "update_alias"): self.update_alias,
            ("lambda", "list_tags"): self.list_tags,
            ("lambda", "list_versions_by_function"): self.list_versions,
            ("lambda", "get_function_configuration"): self.configuration,
            ("lambda", "update_function_configuration"): self.update_configuration,
            ("lambda", "get_function_concurrency"): self.concurrency,
            ("lambda", "put_function_concurrency"): self.put_concurrency,
            ("lambda", "delete_function_concurrency"): self.delete_concurrency,
            ("lambda", "get_account_settings"): self.account_settings,
            ("lambda", "list_event_source_mappings"): self.mappings,
            ("lambda", "get_policy"): self.policy,
            ("lambda", "invoke"): self.invoke,
        }

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:
        found = self._alias(FunctionName, Name)
        return {
            "FunctionVersion": found["version"],
            "RoutingConfig": {"AdditionalVersionWeights": dict(found["weights"])},
            "RevisionId": str(found["revision"]),
        }

    def update_alias(
        self,
        FunctionName: str,
        Name: str,
        FunctionVersion: str,
        RoutingConfig: dict[str, Any],
        RevisionId: str = "",
    ) -> dict[str, Any]:
        found = self._alias(FunctionName, Name)
        if RevisionId and str(found["revision"]) != RevisionId:
            raise Mismatch("the RevisionId provided does not match the latest")
        if FunctionVersion not in {"$LATEST", *self._function(FunctionName)["versions"]}:
            raise NotFound(f"function {FunctionName} has no version {FunctionVersion}")
        found["version"], found["weights"] = FunctionVersion, dict(RoutingConfig["AdditionalVersionWeights"])
        found["revision"] += 1
        self.effects.note("lambda", "update_alias", f"{FunctionName}:{Name}")
        return self.get_alias(FunctionName, Name)

    def list_tags(self, Resource: str) -> dict[str, Any]:
        return {"Tags": dict(self._function(Resource)["tags"])}

    def list_versions(self, FunctionName: str, Marker: str = "") -> dict[str, Any]:
        return {"Versions": [{"Version": v} for v in ("$LATEST", *self._function(FunctionName)["versions"])]}

    def configuration(self, FunctionName: str, Qualifier: str = "") -> dict[str, Any]:
        found = self._function(FunctionName)
        if Qualifier.isdigit() and Qualifier not in found["versions"]:
            raise NotFound(f"function {FunctionName} has no version {Qualifier}")
        updating = self._now() < found["updating_until"] and not Qualifier.isdigit()
        return {
            "FunctionName": FunctionName,
            "State": "Active",
            "LastUpdateStatus": "InProgress" if updating else "Successful",
            "MemorySize": found["memory"],
            "Timeout": found["timeout"],
            "LoggingConfig": dict(found["logging"]),
            "Environment": {"Variables": dict(found["variables"])},
            "RevisionId": str(found["revision"]),
        }

    def update_configuration(self, FunctionName: str, RevisionId: str = "", **changes: Any) -> dict[str, Any]:
        found = self._function(FunctionName)
        if self._now() < found["updating_until"]:
            raise Mismatch(f"an update is in progress for {FunctionName}")
        if RevisionId and RevisionId != str(found["revision"]):
            raise Mismatch("the RevisionId provided does not match the latest")
        if not 128 <= changes.get("MemorySize", 128) <= 10240 or not 1 <= changes.get("Timeout", 1) <= 900:
            raise BadRequest("InvalidParameterValueException: MemorySize is 128 to 10240, Timeout 1 to 900")
        found["memory"] = changes.get("MemorySize", found["memory"])
        found["timeout"] = changes.get("Timeout", found["timeout"])
        found["logging"] = dict(changes.get("LoggingConfig", found["logging"]))
        found["variables"] = dict(changes.get("Environment", {"Variables": found["variables"]})["Variables"])
        found["revision"] += 1
        found["updating_until"] = self._now() + timedelta(seconds=UPDATE_SECONDS)
        self.effects.note("lambda", "update_function_configuration", FunctionName)
        return self.configuration(FunctionName)

    def concurrency(self, FunctionName: str) -> dict[str, Any]:
        reserved = self._function(FunctionName)["reserved"]
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def put_concurrency(self, FunctionName: str, ReservedConcurrentExecutions: int) -> dict[str, Any]:
        found = self._function(FunctionName)
        others = self._reserved() - (found["reserved"] or 0)
        if not 0 <= ReservedConcurrentExecutions <= ACCOUNT_CONCURRENCY - UNRESERVED_FLOOR - others:
            raise BadRequest("InvalidParameterValueException: the unreserved concurrency would fall below its minimum")
        found["reserved"] = ReservedConcurrentExecutions
        self.effects.note("lambda", "put_function_concurrency", FunctionName)
        return {"ReservedConcurrentExecutions": ReservedConcurrentExecutions}

    def delete_concurrency(self, FunctionName: str) -> dict[str, Any]:
        self._function(FunctionName)["reserved"] = None
        self.effects.note("lambda", "delete_function_concurrency", FunctionName)
        return {}

    def account_settings(self) -> dict[str, Any]:
        return {
            "AccountLimit": {
                "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - self._reserved(),
            }
        }

    def mappings(self, FunctionName: str) -> dict[str, Any]:
        return {"EventSourceMappings": [{"EventSourceArn": arn} for arn in self.sources.get(FunctionName, ())]}

    def policy(self, FunctionName: str, Qualifier: str = "") -> dict[str, Any]:
        if (FunctionName, Qualifier) not in self.policies:
            raise NotFound("The resource you requested does not exist.")
        return {"Policy": json.dumps(self.policies[FunctionName, Qualifier])}

    def invoke(self, FunctionName: str, Payload: bytes, **_: Any) -> dict[str, Any]:
        self.calls += 1
        name, alias = [*FunctionName.removeprefix(self.prefix).split(":"), ""][:2]
        version = self.version_of(name, alias) if alias else "$LATEST"
        if version in self.broken:
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": b'{"errorMessage": "bad release"}'}
        return {"StatusCode": 200, "Payload": json.dumps({"statusCode": 200, "version": version}).encode()}

    def _reserved(self) -> int:
        return sum(each["reserved"] or 0 for each in self.functions.values())

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
