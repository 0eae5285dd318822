"""The templates hold to what CloudFormation publishes of its resources: the nearest there is to a deploy on AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from tests.infra.template import Template

TOLD_TWICE = "W3005"
"""The CDK names a dependency that a reference implies already."""


def findings(template: dict[str, Any]) -> list[str]:
    config = ManualArgs(regions=["us-east-1", "eu-west-1"], ignore_checks=[TOLD_TWICE])
    found = lint(json.dumps(template), config=config)
    return [f"{each.rule.id} at {'/'.join(map(str, each.path or ()))}: {each.message}" for each in found]


@pytest.mark.parametrize("name", ["vault", "engine"])
def test_a_template_holds_to_the_published_schemas(templates: dict[str, Template], name: str) -> None:
    assert findings(templates[name].body) == []


def test_a_value_that_aws_would_refuse_is_found(templates: dict[str, Template]) -> None:
    body = json.loads(json.dumps(templates["engine"].body))
    function = next(each for each in body["Resources"].values() if each["Type"] == "AWS::Lambda::Function")
    function["Properties"]["MemorySize"] = 64
    [said] = findings(body)
    assert "MemorySize" in said
