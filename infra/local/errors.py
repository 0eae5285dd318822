"""What can go wrong on this machine, each as one sentence a person can act on."""

from __future__ import annotations


class LocalError(Exception):
    """A failure of the embedded engine or of a deploy to it.

    The message is one sentence that ends with the fix, or with the path of the log to read; the `grace` command
    prints it as it stands and exits non-zero.
    """


class EngineNotRunning(LocalError):
    """No engine of this checkout answers."""


class DeployFailed(LocalError):
    """The CDK CLI, jsii or CloudFormation refused; the message names the log."""


class DeliveryRefused(LocalError):
    """The alert cannot be delivered the way AWS would deliver it."""
