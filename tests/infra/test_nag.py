"""The rule packs look at every synth: what nobody has answered for ends it."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from infra.constructs import nag


def _judged(fill: Any) -> None:
    app = App()
    fill(Stack(app, "stack"))
    nag.check(app)
    app.synth()


def _role(stack: Stack, *resources: str) -> tuple[iam.Role, list[iam.PolicyStatement]]:
    rights = [iam.PolicyStatement(actions=["s3:GetObject"], resources=[*resources])]
    role = iam.Role(
        stack,
        "role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"rights": iam.PolicyDocument(statements=rights)},
    )
    nag.acknowledge(role, nag.ROLES)
    return role, rights


def test_a_finding_without_an_answer_ends_the_synth() -> None:
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        _judged(lambda stack: s3.Bucket(stack, "bucket"))


def test_a_wildcard_that_is_in_no_list_ends_the_synth() -> None:
    def fill(stack: Stack) -> None:
        role, rights = _role(stack, "arn:aws:s3:::somewhere/*")
        nag.acknowledge_wildcards(role, rights)

    with pytest.raises(RuntimeError, match=r"AwsSolutions-IAM5\[Resource::arn:aws:s3:::somewhere/\*\]"):
        _judged(fill)


def test_a_wildcard_of_the_list_or_of_a_registry_passes() -> None:
    def fill(stack: Stack) -> None:
        role, rights = _role(stack, "arn:aws:s3:::vault/snapshots/*", "arn:aws:s3:::declared/*")
        nag.acknowledge_wildcards(role, rights, ["arn:aws:s3:::declared/*"])

    _judged(fill)


def test_every_answer_has_a_reason() -> None:
    answers = [value for name, value in vars(nag).items() if name.isupper() and isinstance(value, dict)]
    assert len(answers) >= 8
    for reasons in answers:
        for rule, reason in reasons.items():
            assert len(reason.split()) >= 7, rule
