"""The catalogue of a deployment, linted and rendered at synth."""

from __future__ import annotations

from grace.model.catalogue import Catalogue
from infra.config import Deployment


def catalogue_of(deployment: Deployment) -> str:
    """Return the catalogue as JSON."""
    return Catalogue(
        playbooks=(), rules=(), modes=deployment.modes, approvers=deployment.approvers, http_hosts=deployment.http_hosts
    ).model_dump_json()
