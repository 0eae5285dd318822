"""What of the dependencies is never used on Lambda and does not travel: the reasons are in decision 0010."""

from __future__ import annotations

import shutil
from pathlib import Path

SERVICES = frozenset(
    {
        "application-autoscaling",
        "autoscaling",
        "cloudformation",
        "cloudtrail",
        "cloudwatch",
        "dynamodb",
        "ec2",
        "ecs",
        "events",
        "iam",
        "kms",
        "lambda",
        "s3",
        "sesv2",
        "sns",
        "sqs",
        "stepfunctions",
        "sts",
    }
)
"""The services Grace calls; botocore carries the descriptions of four hundred."""

UNUSED = (
    "bin",
    "yaml",  # the catalogue is JSON by the time it gets here
    "_yaml",
    "pydantic/v1",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/auth_alpha",
    "aws_lambda_powertools/utilities/circuit_breaker",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parameters",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
)


def prune(packages: Path) -> None:
    """Remove what is not used from a folder of installed packages."""
    for name in UNUSED:
        shutil.rmtree(packages / name, ignore_errors=True)
    for information in packages.glob("*.dist-info"):
        for record in ("RECORD", "REQUESTED", "INSTALLER", "WHEEL"):
            (information / record).unlink(missing_ok=True)
        shutil.rmtree(information / "sboms", ignore_errors=True)
    (packages / "pydantic" / "mypy.py").unlink(missing_ok=True)  # a plugin of the type checker's
    for library in ("botocore", "boto3"):
        for service in (packages / library / "data").glob("*"):
            if service.is_dir() and service.name not in SERVICES:
                shutil.rmtree(service)
            elif service.is_dir():
                _keep_newest(service)
    for examples in packages.glob("botocore/data/*/*/examples-1.json*"):
        examples.unlink()
    for marker in packages.rglob(".lock"):
        marker.unlink()


def _keep_newest(service: Path) -> None:
    """Drop all but the newest version of a service's description: botocore takes the newest unless told otherwise."""
    versions = sorted(path for path in service.iterdir() if path.is_dir())
    for old in versions[:-1]:
        shutil.rmtree(old)
