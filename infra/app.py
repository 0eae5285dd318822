"""The CDK app: `cdk.json` runs it as `python -m infra.app`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from aws_cdk import Annotations, App, CliCredentialsStackSynthesizer, Tags

from grace.model.catalogue import Catalogue
from grace.playbooks.catalogue import unstoppable
from infra.catalogue import catalogue_of
from infra.config import ConfigError, deployment
from infra.constructs import layers, nag
from infra.stacks.engine import EngineStack
from infra.stacks.vault import VaultStack

FLAGS = {
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
    "@aws-cdk/core:target-partitions": ["aws", "aws-cn", "aws-us-gov"],
}
"""The CDK's newer ways, chosen here and not in `cdk.json`, so that a test synthesises what a deploy does."""


def build(context: Mapping[str, Any] | None = None, outdir: str | None = None) -> App:
    """Return the app with both stacks; `context` stands in for `cdk.json` in tests.

    Raises:
        ConfigError: a key, a value, a playbook or the people file is wrong.
    """
    app = App(analytics_reporting=False, context={**FLAGS, **(context or {})}, outdir=outdir)
    chosen = deployment(app.node.get_all_context())
    catalogue = catalogue_of(chosen)

    def synthesizer() -> CliCredentialsStackSynthesizer | None:
        return CliCredentialsStackSynthesizer() if chosen.engine else None

    vault = VaultStack(app, chosen, synthesizer=synthesizer(), description="Grace: what is kept")
    engine = EngineStack(app, chosen, vault, catalogue, synthesizer=synthesizer(), description="Grace: what works")
    engine.add_stack_dependency(vault)
    for key, value in {"grace:part": chosen.prefix, **chosen.tags}.items():
        Tags.of(app).add(key, value)
    if warning := unstoppable(Catalogue.model_validate_json(catalogue)):
        Annotations.of(engine).add_warning_v2("grace:operators", warning)
    nag.check(app)
    return app


def main() -> int:
    """Synthesise; a configuration error is one sentence, not a stack trace. Returns the exit code."""
    try:
        app = build()
    except ConfigError as error:
        sys.stderr.write(f"grace: {error}\n")
        return 1
    for note in layers.notes():
        sys.stderr.write(f"grace: {note}\n")
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
