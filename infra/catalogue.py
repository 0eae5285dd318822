"""The catalogue of a deployment: playbooks, rules and people, linted and put together at synth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grace.diagnoses.loader import built_in
from grace.errors import InvalidPlaybook
from grace.gateways.cedar import problems
from grace.model.policy import PolicyFile, PolicySource
from grace.playbooks.catalogue import build
from grace.policy import sources
from grace.registry import names
from infra.config import ConfigError, Deployment
from infra.constructs.layers import ROOT

EXAMPLES = ROOT / "tests" / "events"
"""The alerts that the playbooks which come with Grace name as their examples."""


def catalogue_of(deployment: Deployment) -> str:
    """Return the catalogue as JSON; paths in the configuration are taken from the checkout.

    Raises:
        ConfigError: a folder or file is not there, or one sentence a line for everything the linter found.
    """
    folders = [_there("playbooks", name, (ROOT / name).is_dir()) for name in deployment.playbooks]
    people = _there("people", deployment.people, (ROOT / deployment.people).is_file()) if deployment.people else None
    try:
        catalogue = build(
            folders,
            rules=built_in().rules,
            people=people,
            modes=deployment.modes,
            examples=[EXAMPLES],
            signs_in=deployment.oidc is not None,
            lifted=deployment.lifted,
            approvers=deployment.approvers,
            approvers_for=deployment.approvers_for,
            escalation=deployment.escalation,
            approval_seconds={2: 60 * deployment.approval_minutes.tier2, 3: 60 * deployment.approval_minutes.tier3},
            operators=deployment.operators,
            http_hosts=deployment.http_hosts,
            policy=policy_of(deployment),
            calendar=deployment.calendar,
            group_window=deployment.group_window,
            global_in_flight=deployment.global_in_flight,
        )
    except InvalidPlaybook as exc:
        raise ConfigError(str(exc)) from exc
    return catalogue.model_dump_json()


def policy_of(deployment: Deployment, more: Sequence[Path] = ()) -> PolicySource:
    """Return the policies of a deployment, and of further folders, checked against the schema of the actions there are.

    Raises:
        ConfigError: a folder is not there, or one sentence a line for everything wrong in the policies.
    """
    folders = [_there("policies", name, (ROOT / name).is_dir()) for name in deployment.policies]
    own = tuple(
        PolicyFile(name=path.name, text=path.read_text(encoding="utf-8"))
        for folder in (*folders, *more)
        for path in sorted(folder.glob("*.cedar"))
    )
    ours = sources.built_in()
    replaced = {file.name for file in own} & {sources.DEFAULT}
    files = (*(file for file in ours if file.name not in replaced), *own)
    text = sources.schema(names("grace.actions"))
    found = problems((sources.constitution(), *files), text, ours=(sources.constitution(), *ours))
    if found:
        raise ConfigError("\n".join(found))
    return PolicySource(files=files, own_schema=text, digest=sources.digest(files, text))


def _there(key: str, name: str, is_there: bool) -> Path:
    if not is_there:
        raise ConfigError(
            f"cdk.json context: `{key}` names {name}, which is not there: write a path from the checkout."
        )
    return ROOT / name
