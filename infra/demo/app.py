"""The CDK app of the demo shop, apart from Grace's own: `python -m infra.demo.app`."""

from __future__ import annotations

import sys

from aws_cdk import App, CliCredentialsStackSynthesizer

from infra.demo.shop import ShopStack

TOPIC = "grace-alarms"


def main() -> int:
    """Synthesise the shop; returns the exit code."""
    app = App(analytics_reporting=False)
    ShopStack(app, topic=TOPIC, synthesizer=CliCredentialsStackSynthesizer(), description="Grace: the demo shop")
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
