"""Whether the CloudFormation stack that declares a resource is being deployed."""

from __future__ import annotations

from grace.errors import NotFound
from grace.ports import Aws

STACK_READS = ("cloudformation:DescribeStacks",)
"""Granted on `*`: which stack declares a resource is known only when its tags are read."""

_STACK_ID = "aws:cloudformation:stack-id"
_STACK_NAME = "aws:cloudformation:stack-name"


def stack_in_progress(tags: dict[str, str], aws: Aws) -> str:
    """Return that the stack named by a resource's tags is being changed, or an empty string."""
    stack = tags.get(_STACK_ID) or tags.get(_STACK_NAME)
    if not stack:
        return ""
    try:
        found = aws.call("cloudformation", "describe_stacks", StackName=stack)["Stacks"]
    except NotFound:
        return ""  # The stack is gone and left the resource behind: nobody deploys it.
    moving = [each for each in found if str(each["StackStatus"]).endswith("_IN_PROGRESS")]
    return f"the stack {moving[0]['StackName']} is {moving[0]['StackStatus']}" if moving else ""
