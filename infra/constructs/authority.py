"""What the registries declare they need, as IAM statements: authority is declared beside the code that uses it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from grace.actions.base import actions
from grace.probes.base import probes
from grace.resources.base import OPT_IN_TAG, resource_types

ONLY_MANAGED = {"StringEquals": {f"aws:ResourceTag/{OPT_IN_TAG}": "true"}}


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """Actions on ARN patterns (with `{account}` and `{region}`, or `*`), perhaps on managed resources only."""

    arns: tuple[str, ...]
    managed_only: bool
    actions: tuple[str, ...]

    def statement(self) -> iam.PolicyStatement:
        """Return it as a statement for the account and region of the stack."""
        return iam.PolicyStatement(
            actions=list(self.actions),
            resources=[here(arn) for arn in self.arns],
            conditions=ONLY_MANAGED if self.managed_only else None,
        )


def here(arn: str) -> str:
    """Return an ARN pattern with this stack's partition, account and region."""
    return (
        arn.replace("arn:aws:", "arn:{partition}:", 1)
        .replace("{partition}", Aws.PARTITION)
        .replace("{account}", Aws.ACCOUNT_ID)
        .replace("{region}", Aws.REGION)
    )


def reads() -> list[Grant]:
    """What `find`, `tags` and `capture` of every resource type need."""
    found = _Union()
    for kind in resource_types().values():
        found.add(kind.arns, kind.reads, managed_only=False)
        found.add(("*",), kind.unscoped_reads, managed_only=False)
    return found.grants()


def writes() -> list[Grant]:
    """What `restore` of every resource type needs, on managed resources."""
    found = _Union()
    for kind in resource_types().values():
        found.add(kind.arns, kind.writes, managed_only=kind.tag_condition)
    return found.grants()


def acts() -> list[Grant]:
    """What `run` of every action needs, on managed resources."""
    found = _Union()
    kinds = resource_types()
    for action in actions().values():
        kind = kinds[action.on]
        found.add(kind.arns, action.iam, managed_only=kind.tag_condition)
    return found.grants()


def observations() -> list[Grant]:
    """What the probes need; what an `invoke` calls must be managed."""
    found = _Union()
    for probe in probes().values():
        found.add(probe.arns, probe.iam, managed_only=probe.tag_condition)
    return found.grants()


def proofs() -> list[Grant]:
    """What proving an expectation needs when a contract is drafted."""
    found = _Union()
    for probe in probes().values():
        found.add(probe.arns, probe.proof_iam, managed_only=probe.tag_condition)
    return found.grants()


def declared() -> list[str]:
    """Return every ARN pattern that a registry declares, as it stands in the policies."""
    grants = [*reads(), *writes(), *acts(), *observations(), *proofs()]
    return sorted({here(arn) for grant in grants for arn in grant.arns})


class _Union:
    """Collects actions per set of ARNs, so that a role has few statements whatever the number of members."""

    def __init__(self) -> None:
        self._actions: dict[tuple[tuple[str, ...], bool], set[str]] = defaultdict(set)

    def add(self, arns: Iterable[str], names: Iterable[str], *, managed_only: bool) -> None:
        names = set(names)
        if names:
            self._actions[tuple(sorted(arns)), managed_only] |= names

    def grants(self) -> list[Grant]:
        return sorted(Grant(arns, managed, tuple(sorted(names))) for (arns, managed), names in self._actions.items())
