"""Playbooks for tests of the flow: what they promise is small, and does not change when a built-in one does."""

from __future__ import annotations

from grace.model.base import canonical, sha256_hex
from grace.model.catalogue import CataloguedPlaybook
from grace.model.playbook import PlaybookSpec


def catalogued(spec: PlaybookSpec) -> CataloguedPlaybook:
    """Return a playbook as the catalogue holds it."""
    return CataloguedPlaybook(spec=spec, digest=sha256_hex(canonical(spec.model_dump(mode="json"))))


def roll_back_alias(tier: int = 1) -> CataloguedPlaybook:
    """Return the way back from a bad release, with a ratio, a state, real calls and the alarm as its promises."""
    return catalogued(
        PlaybookSpec.model_validate(
            {
                "name": "roll_back_lambda_alias",
                "summary": "Point the alias back at the release before",
                "diagnoses": ["elevated_errors", "service_down", "deployment_regression"],
                "resource": "AWS::Lambda::Alias",
                "action": {"use": "shift_alias", "to": "previous_version"},
                "tier": tier,
                "expect": [
                    {
                        "metric": {"ratio": ["AWS/Lambda Errors", "AWS/Lambda Invocations"]},
                        "within": "5m",
                        "is": {"below": 0.02},
                    },
                    {"state": {"path": "function_version", "equals": "{{ plan.to }}"}},
                    {"invoke": {"payload": {"ping": True}, "expect": {"statusCode": 200}, "times": 20}},
                    {"alarm": {"becomes": "OK", "within": "10m"}},
                ],
                "guard": [{"metric": "AWS/Lambda Duration p95"}],
                "example": "alarm_lambda_errors.eventbridge.json",
            }
        )
    )


ROLL_BACK_ALIAS = roll_back_alias()
