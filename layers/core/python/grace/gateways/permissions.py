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

    def __init__(self, aws: Aws, *, execute: str, rollback: str) -> None:
        """Keep the port and the ARNs of the two roles."""
        self._aws = aws
        self._execute = execute
        self._rollback = rollback

    def missing(self, acting: Sequence[str], restoring: Sequence[str], resource: str) -> list[str]:
        """Return what `execute` lacks of `acting`, and `rollback` of `restoring`, on a resource (its ARN), in order.

        Each role is asked for its own work alone: what only undoing needs is in no right of `execute`. The simulation
        is told what our policies' conditions look at: the opt-in tag, the region and the account.
        """
        _, _, _, region, account, _ = resource.split(":", 5)
        context = [
            _entry("aws:ResourceTag/grace:managed", "true"),
            *([_entry("aws:RequestedRegion", region)] if region else []),
            *([_entry("aws:ResourceAccount", account)] if account else []),
        ]
        lacking: list[str] = []
        for role, actions in ((self._execute, acting), (self._rollback, restoring)):
            if actions:
                results = self._results(role, list(actions), resource, context)
                allowed = {each["EvalActionName"].lower() for each in results if each["EvalDecision"] == _ALLOWED}
                lacking += [action for action in actions if action.lower() not in allowed]
        return list(dict.fromkeys(lacking))

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
