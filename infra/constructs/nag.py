"""The rule packs every synth has to pass, and what we answer where a rule does not fit, with the reason.

An answer names exactly one finding. For wildcards in a policy that means one resource text on one role, so a new
wildcard ends the synth until somebody writes down why it must be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from aws_cdk import Acknowledgment, App, Stack, Validations
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks
from constructs import IConstruct

SOLUTIONS, SERVERLESS, NIST = "AwsSolutions", "Serverless", "NIST.800.53.R5"

FUNCTIONS = {
    f"{SOLUTIONS}-L1": "Python 3.13 is the newest version that the whole house is tested on (3.11 to 3.13).",
    f"{SERVERLESS}-LambdaLatestVersion": "Python 3.13 is the newest version that the whole house is tested on.",
    f"{SERVERLESS}-LambdaDLQ": (
        "Doors are called by the workflow, a queue or a stream, which keep what failed; the one asynchronous call "
        "(contract) is found missing and repeated by the sweep."
    ),
    f"{NIST}-LambdaDLQ": "As Serverless-LambdaDLQ: what calls a door keeps what failed.",
    f"{NIST}-LambdaConcurrency": (
        "Reserved concurrency takes from the account's pool and cannot be had at all in a new account; triage is capped "
        "by its event source, the workflow by the global limit of contracts in flight."
    ),
    f"{NIST}-LambdaInsideVPC": (
        "Doors call AWS's own APIs with IAM and hold no network resource; a VPC would add a NAT and no protection."
    ),
}

ROLES = {
    f"{NIST}-IAMNoInlinePolicy": (
        "A door's rights are its row of the floor plan and belong to nothing else: inline they are created, changed "
        "and deleted with the role, and cannot be attached elsewhere."
    ),
    f"{SERVERLESS}-LambdaStarPermissions": "Each wildcard is acknowledged by its own text, with its own reason.",
}

PUBLIC_ROUTES = {
    f"{SOLUTIONS}-APIG4": (
        "The approval page is public by design: it shows what a link opens that is proved by a MAC, decides nothing on "
        "GET, and decides on POST only with the link, a typed challenge and, at tier 3, a signed-in person."
    ),
}

TABLES = {
    f"{NIST}-DynamoDBInBackupPlan": (
        "Point-in-time recovery is on (35 days) with deletion protection; a backup plan belongs to the account's owner."
    ),
}

BUCKETS = {
    f"{NIST}-S3BucketReplicationEnabled": (
        "A snapshot serves a rollback in its own region within the hour; versions and retention cover loss by mistake."
    ),
}

LOG_OBJECTS = {
    f"{NIST}-S3DefaultEncryptionKMS": (
        "The log is for outsiders to read and holds no secret; under a key it would be lost with the key."
    ),
}

ACCESS_LOGS = {
    f"{NIST}-S3DefaultEncryptionKMS": "Access logs name requests, not contents; S3-managed keys need no key policy.",
}

MAIL = {
    f"{SERVERLESS}-SNSRedrivePolicy": (
        "What a mail server refuses is not delivered better from a queue; everything told is an entry of the log, too."
    ),
}

DEAD_LETTERS = {
    f"{SOLUTIONS}-SQS3": "This is itself a dead-letter queue, with an alarm on its depth.",
    f"{SERVERLESS}-SQSRedrivePolicy": "This is itself a dead-letter queue, with an alarm on its depth.",
}

WAKING = {
    f"{SERVERLESS}-EventBusDLQ": (
        "A sweep that was not delivered is followed by the next one; that none comes at all raises the alarm reap-silent."
    ),
    f"{SERVERLESS}-LambdaEventSourceMappingDestination": (
        "The alert queue itself moves what failed five times to its dead-letter queue; the log's stream only rings a bell."
    ),
    f"{SERVERLESS}-LambdaAsyncFailureDestination": (
        "A draft that was lost is found by the sweep: a mission older than two minutes without a contract is drafted again."
    ),
}

WILDCARDS: tuple[tuple[str, str], ...] = (
    (
        r"\*",
        "Tracing, reading CloudWatch and a service's lists know no resource in IAM; every such action only reads or traces.",
    ),
    (r".*:log-group:/aws/lambda/[\w-]+:\*", "The log streams of the function's own group."),
    (r".*:execution:[\w-]+:\*", "The executions of our own state machine; their names are contract ids."),
    (
        r".*/(snapshots|quarantine)/\*",
        "The objects of one folder of the vault; their names are contract ids and digests.",
    ),
    (
        r".*LogObjects.*/(\*|tile/\*|checkpoints/\*)",
        "The log's objects: their names follow from the tree's size.",
    ),
    (r"arn:.*:s3:::[a-z0-9.-]+/checkpoints/\*", "Copies of checkpoints, named by size, in the witness's bucket."),
)
"""Which wildcards a policy may hold, as a pattern over the resource's text, and why."""

DECLARED = (
    "Which resource it is becomes known when the alert arrives; the pattern is declared by the resource type or probe, "
    "pinned to this account and region, and writes are limited to resources tagged as managed where IAM can tell."
)
BOUNDARY = (
    "A boundary grants nothing: it lists the only actions its roles may ever be given, and denies the dangerous ones."
)
WORKFLOW = "Log delivery and tracing of Step Functions know no resource in IAM."


def check(app: App) -> None:
    """Let the packs judge the app; a finding without an acknowledgement ends the synth."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app), NIST80053R5Checks(app))


def acknowledge(scope: IConstruct, *answers: dict[str, str]) -> None:
    """Answer findings on a construct and all below it."""
    rules = [
        Acknowledgment(id=f"{name.rsplit('-', 1)[0]}::{name}", reason=reason)
        for each in answers
        for name, reason in each.items()
    ]
    Validations.of(scope).acknowledge(*rules)


def acknowledge_wildcards(
    role: IConstruct, statements: Iterable[iam.PolicyStatement], declared: Iterable[str] = ()
) -> None:
    """Answer each wildcard of a role's statements that is in the list or was declared by a registry; no other."""
    stack = Stack.of(role)
    declared_texts = {text(stack.resolve(arn)) for arn in declared}
    answers: dict[str, str] = {}
    for statement in statements:
        for resource in statement.resources:
            found = text(stack.resolve(resource))
            reason = next((why for pattern, why in WILDCARDS if re.fullmatch(pattern, found)), None)
            if reason is None and found in declared_texts:
                reason = DECLARED
            if "*" in found and reason:
                answers[f"{SOLUTIONS}-IAM5[Resource::{found}]"] = reason
    _acknowledge_exactly(role, answers)


def acknowledge_resource_star(scope: IConstruct, reason: str) -> None:
    """Answer a policy whose statements stand on every resource."""
    _acknowledge_exactly(scope, {f"{SOLUTIONS}-IAM5[Resource::*]": reason})


def text(resolved: Any) -> str:
    """Return a resolved ARN as the rule pack writes it: `arn:<AWS::Partition>:…`, an import by its name."""
    if isinstance(resolved, str):
        return resolved
    [(function, value)] = resolved.items()
    if function == "Ref":
        return f"<{value}>"
    if function == "Fn::GetAtt":
        return f"<{'.'.join(value)}>"
    if function == "Fn::Join":
        return str(value[0]).join(text(part) for part in value[1])
    return text(value)


def _acknowledge_exactly(scope: IConstruct, answers: dict[str, str]) -> None:
    if answers:
        rules = [Acknowledgment(id=f"{SOLUTIONS}::{name}", reason=reason) for name, reason in answers.items()]
        Validations.of(scope).acknowledge(*rules)
