"""One description of the infrastructure: what goes to the embedded engine is what goes to AWS."""

from __future__ import annotations

from typing import Any

from tests.infra.conftest import MAIL, OIDC
from tests.infra.template import Template

DEPENDENCIES = ("DoorsDependencies", "DoorsCedar", "DoorsCrypto", "DoorsWeb")


def test_the_platforms_differ_in_the_layers_of_packages_alone(templates: dict[str, Template], synth: Any) -> None:
    host = synth(platform="host", mail=MAIL, oidc=OIDC)
    assert host["vault"].body == templates["vault"].body
    ours, theirs = templates["engine"].body, host["engine"].body
    layers = [name for name in ours["Resources"] if name.startswith(DEPENDENCIES)]
    assert len(layers) == len(DEPENDENCIES)
    for layer in layers:
        there, here = theirs["Resources"][layer], ours["Resources"][layer]
        assert here["Properties"]["Content"].keys() == there["Properties"]["Content"].keys()
        assert here["Properties"]["Content"]["S3Key"] != there["Properties"]["Content"]["S3Key"]
        ours, theirs = _without_key(ours, layer), _without_key(theirs, layer)
    assert ours == theirs


def test_the_engine_is_deployed_the_same_resources(synth: Any) -> None:
    """With the caller's own credentials: the bootstrap's roles, its version check and its bucket's name are the CDK's."""
    usual, engine = synth(platform="host"), synth(platform="host", engine="true")
    for stack in ("vault", "engine"):
        assert engine[stack].body["Resources"] == usual[stack].body["Resources"]
        assert engine[stack].body["Outputs"] == usual[stack].body["Outputs"]


def _without_key(body: dict[str, Any], layer: str) -> dict[str, Any]:
    resource = body["Resources"][layer]
    content = resource["Properties"]["Content"] | {"S3Key": ""}
    changed = resource | {
        "Properties": resource["Properties"] | {"Content": content},
        "Metadata": resource.get("Metadata", {}) | {"aws:asset:path": ""},
    }
    return body | {"Resources": body["Resources"] | {layer: changed}}
