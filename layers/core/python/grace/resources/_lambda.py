"""What an alias and its function have in common: names out of ARNs, the function's tags, whether it is being updated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from grace.errors import NotFound
from grace.model.base import Json
from grace.model.resource import Reach, ResourceRef
from grace.ports import Aws

FUNCTION_ARNS = ("arn:aws:lambda:{region}:{account}:function:*",)
"""IAM's resource for functions and their aliases: Lambda authorises alias calls on the function."""

CALLER_READS = ("lambda:GetPolicy",)
UNSCOPED_CALLER_READS = ("lambda:ListEventSourceMappings",)
"""What `callers` reads; IAM knows no function for a list of mappings."""

_MOST_CALLERS = 12
_PATH = re.compile(r"function:([A-Za-z0-9_-]{1,64})(?::([A-Za-z0-9_-]{1,128}))?")


def function_and_alias(path: str) -> tuple[str, str] | None:
    """Split the tail of an ARN (`function:shop:live`); the alias is empty for a function, None for anything else.

    A version (`function:shop:41`) never changes, so it is nothing to act on either.
    """
    found = _PATH.fullmatch(path)
    if not found or (found.group(2) or "").isdigit():
        return None
    return found.group(1), found.group(2) or ""


def names(ref: ResourceRef) -> tuple[str, str]:
    """Return function and alias of a reference to either."""
    found = function_and_alias(ref.path)
    if found is None:
        raise ValueError(f"{ref.arn} is neither a function nor an alias")
    return found


def function_tags(ref: ResourceRef, aws: Aws) -> dict[str, str]:
    """Return the tags of the function; aliases cannot be tagged."""
    function, _ = names(ref)
    arn = f"{ref.arn.rsplit(':function:', 1)[0]}:function:{function}"
    return dict(aws.call("lambda", "list_tags", Resource=arn).get("Tags") or {})


def update_in_progress(function: str, aws: Aws) -> str:
    """Return why the function is changing at the moment, or an empty string."""
    return moving(aws.call("lambda", "get_function_configuration", FunctionName=function), function)


def moving(configuration: dict[str, Json], function: str) -> str:
    """Return why a function with that configuration is changing at the moment, or an empty string."""
    if configuration.get("LastUpdateStatus") == "InProgress":
        return f"an update of the function {function} is in progress"
    if configuration.get("State") == "Pending":
        return f"the function {function} is being created"
    return ""


def callers(ref: ResourceRef, aws: Aws) -> Reach:
    """Return who calls the function or alias: the sources it polls, and whom its resource policy lets in."""
    function, alias = names(ref)
    answer = aws.call("lambda", "list_event_source_mappings", FunctionName=ref.arn)
    found = [_tail(str(each["EventSourceArn"])) for each in answer["EventSourceMappings"] if each.get("EventSourceArn")]
    try:
        policy = aws.call("lambda", "get_policy", FunctionName=function, **({"Qualifier": alias} if alias else {}))
    except NotFound:
        policy = {}
    found += _let_in(str(policy.get("Policy") or "{}"))
    return Reach(count=1, unit="alias" if alias else "function", dependents=tuple(dict.fromkeys(found))[:_MOST_CALLERS])


def _let_in(policy: str) -> Iterator[str]:
    for statement in json.loads(policy).get("Statement") or ():
        principal = statement.get("Principal")
        who = str(principal.get("Service") or principal.get("AWS")) if isinstance(principal, dict) else str(principal)
        source = ((statement.get("Condition") or {}).get("ArnLike") or {}).get("AWS:SourceArn", "")
        yield _tail(source) if source else who


def _tail(arn: str) -> str:
    """Return service and name of an ARN, for example `sqs orders`."""
    parts = arn.split(":", 5)
    return f"{parts[2]} {parts[5]}" if len(parts) == 6 else arn
