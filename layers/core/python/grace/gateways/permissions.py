"""Whether the roles that would act may act, asked of IAM itself before anyone is disturbed.

Where IAM cannot be asked the error goes to the caller: a permission is proved or it is missing, it is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from grace.ports import Aws

_ALLOWED = "allowed"


class SimulatedPermissions:
    """`ports.Permissions` over SimulatePrincipalPolicy, which applies the role's permission boundary as well."""

    def __init__(self, aws: Aws, roles: Sequence[str]) -> None:
        """Keep the port and the ARNs of the roles that must all be allowed: `execute` and `rollback`."""
        self._aws = aws
        self._roles = tuple(roles)

    def missing(self, actions: Sequence[str], resource: str) -> list[str]:
        """Return the actions that any of the roles lacks on a resource (its ARN), in the order they were asked.

        The simulation is told what our policies' conditions look at: the opt-in tag, the region and the account.
        """
        if not actions:
            return []
        _, _, _, region, account, _ = resource.split(":", 5)
        context = [
            _entry("aws:ResourceTag/grace:managed", "true"),
            *([_entry("aws:RequestedRegion", region)] if region else []),
            *([_entry("aws:ResourceAccount", account)] if account else []),
        ]
        proved = [
            {
                result["EvalActionName"].lower()
                for result in self._results(role, list(actions), resource, context)
                if result["EvalDecision"] == _ALLOWED
            }
            for role in self._roles
        ]
        return [action for action in actions if not all(action.lower() in allowed for allowed in proved)]

    def _results(
        self, role: str, actions: list[str], resource: str, context: list[dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        arguments: dict[str, Any] = {
            "PolicySourceArn": role,
            "ActionNames": actions,
            "ResourceArns": [resource],
            "ContextEntries": context,
        }
        while True:
            answer = self._aws.call("iam", "simulate_principal_policy", **arguments)
            yield from answer["EvaluationResults"]
            if not answer.get("IsTruncated"):
                return
            arguments["Marker"] = answer["Marker"]


def _entry(key: str, value: str) -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
