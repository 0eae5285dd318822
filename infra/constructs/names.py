"""Physical names and the ARNs that follow from them.

Names are given, not generated: a role can then name a function or the state machine before it exists, so no right is
wider than it must be and no dependency goes round in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Aws


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one deployment; `prefix` comes first in each."""

    prefix: str

    def of(self, part: str) -> str:
        """Return the name of a part: `grace-state`."""
        return f"{self.prefix}-{part}"

    def function_arn(self, door: str) -> str:
        """Return the ARN of a door's function."""
        return _arn("lambda", f"function:{self.of(door)}")

    def role_name(self, door: str) -> str:
        """Return the name of a door's role; the region is in it because roles are global."""
        return f"{self.of(door)}-{Aws.REGION}"

    def role_arn(self, door: str) -> str:
        """Return the ARN of a door's role."""
        return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{self.role_name(door)}"

    def session_arn(self, door: str) -> str:
        """Return the ARN of any session of a door's role."""
        return f"arn:{Aws.PARTITION}:sts::{Aws.ACCOUNT_ID}:assumed-role/{self.role_name(door)}/*"

    @property
    def bus_arn(self) -> str:
        """Our event bus."""
        return _arn("events", f"event-bus/{self.prefix}")

    @property
    def machine_arn(self) -> str:
        """The state machine."""
        return _arn("states", f"stateMachine:{self.of('remediation')}")

    @property
    def executions_arn(self) -> str:
        """Every execution of the state machine."""
        return _arn("states", f"execution:{self.of('remediation')}:*")

    def identity_arn(self, name: str) -> str:
        """Return the ARN of an SES identity: an address or a domain."""
        return _arn("ses", f"identity/{name}")

    @property
    def configuration_set_arn(self) -> str:
        """The SES configuration set of our mail."""
        return _arn("ses", f"configuration-set/{self.prefix}")

    def log_origin(self, chosen: str | None) -> str:
        """Return the log's name: the one that was chosen, or one that says where it is."""
        return chosen or f"{self.of('log')}/{Aws.ACCOUNT_ID}/{Aws.REGION}"


def _arn(service: str, resource: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"
