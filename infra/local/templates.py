"""Reads a cloud assembly's templates with the names that the deployed stacks gave their resources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.errors import LocalError

_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")


@dataclass(frozen=True)
class Resource:
    """One resource of a deployed stack: where the template has it, what it is called, and its raw properties."""

    stack: str
    logical_id: str
    type: str
    physical_id: str
    properties: Mapping[str, Any]

    @property
    def label(self) -> str:
        """`stack/logical id`, as messages name it."""
        return f"{self.stack}/{self.logical_id}"


def stacks(assembly: Path) -> dict[str, Path]:
    """Stack name to template file, for every stack of the assembly in `assembly` (not nested ones)."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    return {
        artifact["properties"].get("stackName", identifier): assembly / artifact["properties"]["templateFile"]
        for identifier, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }


class Deployed:
    """The deployed stacks of one assembly: resources with their physical ids, and the values of intrinsics."""

    def __init__(self, cloudformation: Any, assembly: Path, *, account: str, region: str) -> None:
        self._pseudo = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._templates = {
            name: json.loads(file.read_text(encoding="utf-8")) for name, file in stacks(assembly).items()
        }
        self._physical = {name: _physical_ids(cloudformation, name) for name in self._templates}
        self._exports = {
            export["Name"]: export["Value"]
            for page in cloudformation.get_paginator("list_exports").paginate()
            for export in page["Exports"]
        }

    def resources(self, type_: str) -> Iterator[Resource]:
        """Every deployed resource of a CloudFormation type, in the templates' order."""
        for stack, template in self._templates.items():
            for logical_id, body in template.get("Resources", {}).items():
                if body["Type"] == type_ and (physical := self._physical[stack].get(logical_id)) is not None:
                    yield Resource(stack, logical_id, type_, physical, body.get("Properties", {}))

    def resolve(self, stack: str, value: Any) -> Any:
        """`value` with its intrinsics replaced by what was deployed.

        Knows Ref, Fn::GetAtt of `Arn`, Fn::Join, Fn::Sub and Fn::ImportValue; raises LocalError for any other.
        """
        if isinstance(value, list):
            return [self.resolve(stack, item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function == "Ref":
                return self._reference(stack, argument)
            if function.startswith("Fn::"):
                return self._intrinsic(stack, function, argument)
        return {key: self.resolve(stack, item) for key, item in value.items()}

    def _reference(self, stack: str, name: str) -> str:
        found = self._pseudo.get(name) or self._physical[stack].get(name)
        if found is None:
            raise LocalError(f"The template of {stack} refers to {name}, which was not deployed: deploy it again.")
        return found

    def _intrinsic(self, stack: str, function: str, argument: Any) -> Any:
        match function:
            case "Fn::GetAtt" if (argument if isinstance(argument, list) else argument.split("."))[1] == "Arn":
                logical_id = argument[0] if isinstance(argument, list) else argument.split(".")[0]
                return self._arn(stack, logical_id)
            case "Fn::Join":
                return str(argument[0]).join(str(self.resolve(stack, part)) for part in argument[1])
            case "Fn::Sub" if isinstance(argument, str):
                return _PLACEHOLDER.sub(lambda found: self._substitute(stack, found[1]), argument)
            case "Fn::ImportValue":
                return self._exports[self.resolve(stack, argument)]
            case _:
                raise LocalError(f"The template of {stack} uses {function} {argument} where templates.py must read it.")

    def _substitute(self, stack: str, name: str) -> str:
        return self._arn(stack, name.removesuffix(".Arn")) if name.endswith(".Arn") else self._reference(stack, name)

    def _arn(self, stack: str, logical_id: str) -> str:
        type_ = self._templates[stack]["Resources"][logical_id]["Type"]
        physical = self._reference(stack, logical_id)
        if physical.startswith("arn:"):
            return physical
        account, region = self._pseudo["AWS::AccountId"], self._pseudo["AWS::Region"]
        arns = {
            "AWS::S3::Bucket": f"arn:aws:s3:::{physical}",
            "AWS::KMS::Key": f"arn:aws:kms:{region}:{account}:key/{physical}",
            # The log group's Arn attribute ends in `:*`, on AWS and in the engine.
            "AWS::Logs::LogGroup": f"arn:aws:logs:{region}:{account}:log-group:{physical}:*",
            "AWS::SQS::Queue": f"arn:aws:sqs:{region}:{account}:{physical.rsplit('/', 1)[-1]}",
            "AWS::IAM::Role": f"arn:aws:iam::{account}:role/{physical}",
        }
        if type_ not in arns:
            raise LocalError(f"templates.py does not know how the ARN of a {type_} is written ({stack}/{logical_id}).")
        return arns[type_]


def _physical_ids(cloudformation: Any, stack: str) -> dict[str, str]:
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
        if resource.get("PhysicalResourceId")
    }
