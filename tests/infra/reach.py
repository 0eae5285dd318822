"""Which services a door's code can reach, read from the source: every function it may call, in every branch."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from infra.constructs.layers import ROOT

PACKAGE = ROOT / "layers" / "core" / "python"
READ = ("grace/flow", "grace/web", "grace/policy")
Name = tuple[str, str]

_STATES = ("state_machine",)
_MESSAGES = ("notify_topic",)
SERVICES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "vault.put": (("s3:PutObject", "s3:GetObject", "kms:GenerateDataKey"), ("vault_bucket",)),
    "vault.get": (("s3:GetObject", "kms:Decrypt"), ("vault_bucket",)),
    "metrics.fetch": (("cloudwatch:GetMetricData",), ()),
    "alarms.describe": (("cloudwatch:DescribeAlarms",), ()),
    "alarms.in_alarm": (("cloudwatch:DescribeAlarms",), ()),
    "workflow.start": (("states:StartExecution",), _STATES),
    "workflow.status": (("states:DescribeExecution",), _STATES),
    "workflow.stop": (("states:DescribeExecution", "states:StopExecution"), _STATES),
    "workflow.wake": (("states:SendTaskSuccess",), _STATES),
    "messages.notify": (("sns:Publish",), _MESSAGES),
    "messages.publish": (("events:PutEvents",), ("bus",)),
    "messages.draft": (("lambda:InvokeFunction",), ("contract_function",)),
    "sealer.seal": (("kms:Encrypt",), ("vault_key",)),
    "sealer.unseal": (("kms:Decrypt",), ("vault_key",)),
    "macs.generate": (("kms:GenerateMac",), ("link_key",)),
    "macs.stands": (("kms:DescribeKey",), ()),
    "messages.remind": (("lambda:InvokeFunction",), ("ask_function",)),
    "macs.verify": (("kms:VerifyMac",), ()),
    "sessions.sign": (("kms:GenerateMac",), ("session_key",)),
    "sessions.read": (("kms:VerifyMac",), ("session_key",)),
    "issuer.address": ((), ("oidc",)),
    "issuer.identify": ((), ("oidc",)),
    "mail.base_url": ((), ("base_url",)),
    "log.head": (("dynamodb:BatchGetItem",), ()),
    "log.move": (("dynamodb:PutItem",), ()),
    "log.noted": (("dynamodb:BatchGetItem",), ()),
    "log.note": (("dynamodb:PutItem",), ()),
    "log.lane_heads": (("dynamodb:BatchGetItem",), ()),
    "log.entries": (("dynamodb:BatchGetItem",), ()),
    "archive.get": (("s3:GetObject", "s3:ListBucket"), ("log_bucket",)),
    "archive.put": (("s3:PutObject",), ("log_bucket", "log_lock")),
    "archive.newest": (("s3:GetObject",), ("log_bucket",)),
    "archive.publish": (("s3:PutObject",), ("log_bucket",)),
    "archive.paths": (("s3:ListBucket",), ("log_bucket",)),
    "archive.versions": (("s3:ListBucketVersions", "s3:GetObjectRetention"), ("log_bucket",)),
    "archive.listed": (("s3:ListBucketVersions",), ("log_bucket",)),
    "archive.locked": (("s3:GetObjectRetention",), ("log_bucket",)),
    "archive.lock": ((), ("log_lock_days",)),
    "record.read": (("dynamodb:BatchGetItem",), ("signer_table",)),
    "record.write": (("dynamodb:PutItem",), ("signer_table",)),
    "signing.public_key": (("kms:GetPublicKey",), ("log_key", "log_origin")),
    "signing.sign": (("kms:Sign",), ("log_key",)),
    "notary.sign": (("lambda:InvokeFunction",), ("sign_function",)),
    "witness.keep": ((), ("witness_bucket",)),
    "witness.kept": ((), ("witness_bucket",)),
    "witness.newest": ((), ("witness_bucket",)),
    "mail.send": (("ses:SendEmail",), ("mail_sender", "mail_configuration", "base_url")),
    "policy.ask": ((), ("home",)),
    "permissions.missing": (("iam:SimulatePrincipalPolicy",), ("execute_role", "rollback_role")),
}
"""IAM actions and settings of each method of a port; clock, store, catalogue and telemetry every door has."""

PORTS = {method.partition(".")[0] for method in SERVICES}


@cache
def services_reached(door: str) -> frozenset[str]:
    """Return the methods of ports that the door's handler can reach."""
    calls, uses = _graph()
    seen: set[Name] = set()
    waiting = [(f"functions.{door}", "handler")]
    while waiting:
        name = waiting.pop()
        if name in calls and name not in seen:
            seen.add(name)
            waiting += calls[name]
    return frozenset(use for name in seen for use in uses[name])


@cache
def _graph() -> tuple[dict[Name, set[Name]], dict[Name, set[str]]]:
    calls: dict[Name, set[Name]] = {}
    uses: dict[Name, set[str]] = {}
    for module, path in _modules().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported, modules = _imports(tree)
        parts = {each.name: each for each in tree.body if isinstance(each, (ast.FunctionDef, ast.ClassDef))}
        for name, part in parts.items():
            here = calls[module, name] = set()
            used = uses[module, name] = set()
            for node in ast.walk(part):
                if isinstance(node, ast.Name) and node.id in parts:
                    here.add((module, node.id))
                elif isinstance(node, ast.Name) and node.id in imported:
                    here.add(imported[node.id])
                elif isinstance(node, ast.Attribute):
                    if isinstance(node.value, ast.Name) and node.value.id in modules:
                        here.add((modules[node.value.id], node.attr))
                    port = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                    if port in PORTS:
                        used |= {f"{port}.{node.attr}"} & SERVICES.keys()
    return calls, uses


def _modules() -> dict[str, Path]:
    found = {f"functions.{path.stem}": path for path in (ROOT / "functions").glob("*.py")}
    for folder in READ:
        for path in (PACKAGE / folder).rglob("*.py"):
            found[".".join(path.relative_to(PACKAGE).with_suffix("").parts)] = path
    return found


def _imports(tree: ast.Module) -> tuple[dict[str, Name], dict[str, str]]:
    names: dict[str, Name] = {}
    modules: dict[str, str] = {}
    known = _modules()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                called = each.asname or each.name
                if f"{node.module}.{each.name}" in known:
                    modules[called] = f"{node.module}.{each.name}"
                else:
                    names[called] = (node.module, each.name)
    return names, modules
