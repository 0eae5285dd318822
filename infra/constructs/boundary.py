"""The permission boundary of the roles that touch targets: what no declaration of an action can ever give them."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import aws_iam as iam
from constructs import Construct

from grace.resources.base import OPT_IN_TAG
from infra.constructs import nag
from infra.constructs.names import Names

DENIED = (
    "account:*",
    "cloudtrail:Delete*",
    "cloudtrail:Stop*",
    "cloudtrail:Update*",
    "dynamodb:Delete*",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "iam:*",
    "kms:Create*",
    "kms:Delete*",
    "kms:Disable*",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:UpdateAlias",
    "organizations:*",
    "s3:BypassGovernanceRetention",
    "s3:Delete*",
    "s3:PutBucket*",
    "s3:PutLifecycleConfiguration",
    "sts:AssumeRole",
)

TAG_NAMESPACE = f"{OPT_IN_TAG.split(':', 1)[0]}:*"


def boundary(scope: Construct, names: Names, statements: Iterable[iam.PolicyStatement]) -> iam.ManagedPolicy:
    """Return the policy: the actions its roles declare, on any resource, and never what is denied.

    Whoever attaches a wider policy to one of these roles later gains nothing by it.
    """
    allowed = sorted({action for statement in statements for action in statement.actions})
    policy = iam.ManagedPolicy(
        scope,
        "Boundary",
        managed_policy_name=names.role_name("boundary"),
        description="Grace: the most that roles which touch targets may ever do",
        statements=[
            iam.PolicyStatement(sid="WhatIsDeclared", actions=allowed, resources=["*"]),
            iam.PolicyStatement(sid="NeverThese", effect=iam.Effect.DENY, actions=list(DENIED), resources=["*"]),
            iam.PolicyStatement(
                # Opting in by tag would mean nothing if these roles could set the tag.
                sid="NeverOurTags",
                effect=iam.Effect.DENY,
                actions=["*"],
                resources=["*"],
                conditions={"ForAnyValue:StringLike": {"aws:TagKeys": [TAG_NAMESPACE]}},
            ),
        ],
    )
    nag.acknowledge_resource_star(policy, nag.BOUNDARY)
    return policy
