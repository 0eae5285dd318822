"""The AWS port over moto, with the answers moto lacks or gives only with more packages than we install. What is said of AWS here is AWS's documented behaviour."""

from __future__ import annotations

import uuid
from typing import Any

from grace.errors import Mismatch, NotFound, Unavailable
from grace.gateways.aws import BotoAws

ACCOUNT = "123456789012"
REGION = "eu-central-1"


class MotoAws:
    """`BotoAws` over moto, which keeps no Lambda revisions and logging configurations, no instance refreshes, no trail
    and, without its extras, no stacks; and whose ECS rollouts never end.

    `calls` are all calls made; `before` and `after` may hold an error to raise once, by operation: `before` the call
    reaches the service, `after` it has taken effect.
    """

    def __init__(self, boto: BotoAws) -> None:
        self.boto = boto
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.before: dict[str, Exception] = {}
        self.after: dict[str, Exception] = {}
        self.revisions: dict[tuple[str, str], str] = {}
        self.logging: dict[str, dict[str, Any]] = {}
        self.updating: set[str] = set()
        self.environment_error = False
        self.unreserved = 900
        self.stacks: dict[str, str] = {}
        self.deployments: list[dict[str, Any]] = []
        self.refreshes: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        self.calls.append((service, operation, arguments))
        if operation in self.before:
            raise self.before.pop(operation)
        special = getattr(self, f"_{operation}", None)
        answer = special(arguments) if special else self.boto.call(service, operation, **arguments)
        if operation in self.after:
            raise self.after.pop(operation)
        return dict(answer)

    def changes(self) -> list[str]:
        """The operations called that change something."""
        reads = ("get_", "list_", "describe_", "lookup_")
        return [operation for _, operation, _ in self.calls if not operation.startswith(reads)]

    def _revision(self, key: tuple[str, str], *, new: bool = False) -> str:
        if new or key not in self.revisions:
            self.revisions[key] = str(uuid.uuid4())
        return self.revisions[key]

    def _compare(self, key: tuple[str, str], arguments: dict[str, Any]) -> None:
        revision = arguments.pop("RevisionId", None)
        if revision and revision != self._revision(key):
            raise Mismatch("PreconditionFailedException: the RevisionId provided does not match the latest RevisionId")

    def _get_alias(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = self.boto.call("lambda", "get_alias", **arguments)
        return {**answer, "RevisionId": self._revision((arguments["FunctionName"], arguments["Name"]))}

    def _update_alias(self, arguments: dict[str, Any]) -> dict[str, Any]:
        key = (arguments["FunctionName"], arguments["Name"])
        self._compare(key, arguments)
        answer = self.boto.call("lambda", "update_alias", **arguments)
        return {**answer, "RevisionId": self._revision(key, new=True)}

    def _get_function_configuration(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = self.boto.call("lambda", "get_function_configuration", **arguments)
        name = arguments["FunctionName"]
        answer |= {
            "RevisionId": self._revision((name, "")),
            "LoggingConfig": self.logging.get(name, {"LogFormat": "Text"}),
        }
        if name in self.updating:
            answer["LastUpdateStatus"] = "InProgress"
        if self.environment_error:
            answer["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms:Decrypt"}}
        return answer

    def _update_function_configuration(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments["FunctionName"]
        self._compare((name, ""), arguments)
        if name in self.updating:
            raise Unavailable("ResourceConflictException: an update is in progress")
        if "LoggingConfig" in arguments:
            self.logging[name] = arguments.pop("LoggingConfig")
        answer = self.boto.call("lambda", "update_function_configuration", **arguments)
        return {**answer, "RevisionId": self._revision((name, ""), new=True)}

    def _get_account_settings(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": self.unreserved}}

    def _describe_services(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Rollouts are over at once, unless `deployments` says how they stand."""
        answer = self.boto.call("ecs", "describe_services", **arguments)
        for service in answer["services"]:
            for deployment in service["deployments"]:
                deployment["rolloutState"] = "COMPLETED"
            service["deployments"] = self.deployments or service["deployments"]
        return answer

    def _describe_stacks(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments["StackName"].split("/")[1] if "/" in arguments["StackName"] else arguments["StackName"]
        if name not in self.stacks:
            raise NotFound(f"ValidationError: Stack with id {name} does not exist")
        return {"Stacks": [{"StackName": name, "StackStatus": self.stacks[name]}]}

    def _describe_instance_refreshes(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"InstanceRefreshes": self.refreshes}

    def _lookup_events(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"Events": self.events}
