"""What Grace acts on: a resource named by its ARN and its CloudFormation type."""

import re
from typing import Annotated

from pydantic import Field

from grace.model.base import Model

ARN = r"^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:[A-Za-z0-9_./:+=@%-]{1,512}$"
"""The strict form of an ARN: no blanks, no quotes, no brackets, so none can reach a query or a page unescaped."""

_ARN = re.compile(ARN)


class ResourceRef(Model):
    """One resource. `type` is the CloudFormation type name, for example `AWS::Lambda::Alias`."""

    type: str = Field(pattern=r"^AWS::[A-Za-z0-9]+::[A-Za-z0-9]+$")
    arn: str = Field(pattern=ARN)

    @property
    def service(self) -> str:
        """The service part of the ARN, for example `lambda`."""
        return self.arn.split(":", 5)[2]

    @property
    def region(self) -> str:
        """The region part of the ARN."""
        return self.arn.split(":", 5)[3]

    @property
    def account(self) -> str:
        """The account part of the ARN."""
        return self.arn.split(":", 5)[4]

    @property
    def path(self) -> str:
        """What follows the account in the ARN, for example `function:shop:live`."""
        return self.arn.split(":", 5)[5]


def is_arn(text: str) -> bool:
    """Return whether `text` has the strict form of an ARN."""
    return bool(_ARN.fullmatch(text))


class Owner(Model):
    """Who declares the resource: a change by hand to an owned resource is temporary and becomes drift."""

    kind: str = Field(pattern=r"^(cloudformation|cdk|argo|flux|terraform|none)$")
    name: str = ""


class Reach(Model):
    """How far an action on a resource is felt. `count` of `unit` would be touched; `dependents` are fed by it or feed it.

    None is not known, which is another thing than none: nobody looked, or there is nowhere to look.
    """

    count: int = Field(default=1, ge=0)
    unit: str = "resource"
    dependents: Annotated[tuple[str, ...], Field(max_length=12)] | None = None
