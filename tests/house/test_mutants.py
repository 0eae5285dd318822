"""Each rule, on a small invented house: silent when it is in order, and speaking when one thing is broken.

A rule nobody has seen fail is not a rule; `test_every_rule_has_a_mutant` keeps it so.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.house.rules import all_rules
from tests.house.tree import PACKAGE, Tree

RULES = all_rules()
RETRY = [{"ErrorEquals": ["TransientError"], "JitterStrategy": "FULL", "MaxAttempts": 3}]


def task(door: str, then: str | None, trouble: str) -> dict[str, Any]:
    state: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": f"${{{door}}}", "Payload.$": "$"},
        "TimeoutSeconds": 60,
        "Retry": RETRY,
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": trouble}],
    }
    return state | ({"Next": then} if then else {"End": True})


MACHINE: dict[str, Any] = {
    "StartAt": "Snapshot",
    "States": {
        "Snapshot": task("Snapshot", "Execute", "Rollback"),
        "Execute": task("ExecuteArn", "Settle", "Rollback"),
        "Settle": {"Type": "Wait", "SecondsPath": "$.settle", "Next": "Verdict"},
        "Verdict": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.verdict", "StringEquals": "verified", "Next": "Close"}],
            "Default": "Rollback",
        },
        "Rollback": task("rollback_arn", "Close", "Lost"),
        "Close": task("Close", None, "Lost"),
        "Lost": {"Type": "Fail", "Error": "Lost"},
    },
}
DOOR = '''"""Door."""

from aws_lambda_powertools import Logger

from grace.bootstrap import services
from grace.flow.snapshot import snapshot


def handler(event: dict, context: object) -> dict:
    """Decorate, parse, one call, dump."""
    return snapshot(event, services())
'''
HASH = "--hash=sha256:" + "0" * 64
GOOD: dict[str, str] = {
    f"{PACKAGE}/__init__.py": '"""Grace."""\n',
    f"{PACKAGE}/errors.py": 'class TransientError(Exception):\n    """Try again."""\n',
    f"{PACKAGE}/ports.py": "from grace.model.noun import Noun\n",
    f"{PACKAGE}/settings.py": 'import os\n\n\ndef load() -> str:\n    return os.environ["TABLE"]\n',
    f"{PACKAGE}/bootstrap.py": (
        "import boto3\n\nfrom grace.errors import TransientError\nfrom grace.flow.snapshot import snapshot\n"
        "from grace.settings import load\nfrom grace.stores.dynamo import S, client\nfrom grace.stores.keys import contract\n"
    ),
    f"{PACKAGE}/model/__init__.py": '"""Nouns."""\n',
    f"{PACKAGE}/model/noun.py": "from datetime import datetime\n\nfrom pydantic import BaseModel\n",
    f"{PACKAGE}/flow/__init__.py": '"""Verbs."""\n',
    f"{PACKAGE}/flow/snapshot.py": (
        "from datetime import datetime\nfrom uuid import UUID\n\nfrom ..model.noun import Noun\n\n\n"
        "def snapshot(event: object, clock: object) -> datetime:\n    return clock.now()\n"
    ),
    f"{PACKAGE}/stores/__init__.py": '"""Stores."""\n',
    f"{PACKAGE}/stores/keys.py": 'def contract(name: str) -> str:\n    return f"C#{name}"\n',
    f"{PACKAGE}/stores/dynamo.py": (
        '"""C# is explained here."""\nimport boto3\n\n\ndef client():\n    """M# too."""\n    return boto3.client("dynamodb")\n'
    ),
    **{f"functions/{door}.py": DOOR for door in ("snapshot", "execute", "rollback", "close", "triage")},
    "infra/__init__.py": '"""Infrastructure."""\n',
    "infra/app.py": "import aws_cdk\n\nimport grace.settings\n",
    "statemachines/remediation.asl.json": json.dumps(MACHINE),
    "requirements/uv.in": "uv==1.0\n",
    "requirements/uv.txt": f"uv==1.0 \\\n    {HASH}\n",
    "requirements/runtime.in": "# the runtime\nboto3\n",
    "requirements/runtime.txt": f"boto3==2.0 \\\n    {HASH} \\\n    {HASH}\n    # via -r requirements/runtime.in\n",
    "requirements/dev.in": "-r runtime.in\n-r uv.in\nmoto[all]==3.0\n",
    "requirements/dev.txt": (
        f"boto3==2.0 ; python_version >= '3' \\\n    {HASH}\nmoto==3.0 \\\n    {HASH}\nuv==1.0 \\\n    {HASH}\n"
    ),
    "package.json": '{"devDependencies": {"aws-cdk": "2.1.0"}}',
    "package-lock.json": '{"packages": {"": {}, "node_modules/aws-cdk": {"version": "2.1.0", "integrity": "sha512-x"}}}',
}


def mutated(change: Callable[[dict[str, Any]], object]) -> str:
    machine = copy.deepcopy(MACHINE)
    change(machine["States"])
    return json.dumps(machine)


ASL = "statemachines/remediation.asl.json"
LONG_BODY = "".join(f"    step{n} = {n}\n" for n in range(26))
# (rule, file, its broken content, what the rule must say about it)
MUTANTS: list[tuple[str, str, str, str]] = [
    (
        "clients_are_made_in_one_place",
        f"{PACKAGE}/stores/own.py",
        "from botocore.config import Config\n",
        "make the client with grace.sdk",
    ),
    (
        "public_names_are_used",
        f"{PACKAGE}/model/dead.py",
        "def forgotten() -> int:\n    return 1\n",
        "forgotten is used",
    ),
    ("public_names_are_used", f"{PACKAGE}/model/dead.py", "class Forgotten:\n    pass\n", "Forgotten is used"),
    ("public_names_are_used", f"{PACKAGE}/model/dead.py", "AS_OF: str = '2026'\n", "AS_OF is used"),
    ("public_names_are_used", f"{PACKAGE}/model/dead.py", "AS_OF = '2026'\n", "AS_OF is used"),
    (
        "imports_follow_the_arrows",
        f"{PACKAGE}/model/bad.py",
        "from grace.flow import snapshot\n",
        "model may not import",
    ),
    ("imports_follow_the_arrows", f"{PACKAGE}/model/bad.py", "import grace\n", "model may not import grace"),
    ("imports_follow_the_arrows", f"{PACKAGE}/flow/bad.py", "import grace.stores.dynamo\n", "flow may not import"),
    ("imports_follow_the_arrows", f"{PACKAGE}/flow/bad.py", "from ..gateways import aws\n", "flow may not import"),
    ("imports_follow_the_arrows", f"{PACKAGE}/flow/bad.py", "from .. import bootstrap\n", "flow may not import"),
    (
        "imports_follow_the_arrows",
        f"{PACKAGE}/stores/bad.py",
        "def f():\n    from grace.flow import x\n",
        "stores may not",
    ),
    (
        "imports_follow_the_arrows",
        f"{PACKAGE}/stores/bad.py",
        "from grace.bootstrap import services\n",
        "stores may not",
    ),
    ("imports_follow_the_arrows", f"{PACKAGE}/attic/x.py", '"""Attic."""\n', "'attic' is not in the table"),
    ("rooms_use_only_their_packages", f"{PACKAGE}/flow/bad.py", "import boto3\n", "flow may not import boto3"),
    ("rooms_use_only_their_packages", f"{PACKAGE}/model/bad.py", "import jmespath\n", "model may not import jmespath"),
    ("rooms_use_only_their_packages", f"{PACKAGE}/stores/keys.py", "import boto3\n", "stores may not import boto3"),
    (
        "rooms_use_only_their_packages",
        f"{PACKAGE}/stores/bad.py",
        "import requests\n",
        "stores may not import requests",
    ),
    ("the_package_stands_alone", f"{PACKAGE}/flow/bad.py", "from infra import config\n", "infra.config"),
    ("the_package_stands_alone", "functions/execute.py", "import aws_cdk\n", "aws_cdk"),
    ("pure_rooms_do_not_reach_out", f"{PACKAGE}/flow/bad.py", "import os\n", "flow may not import os"),
    ("pure_rooms_do_not_reach_out", f"{PACKAGE}/flow/bad.py", "from os import path\n", "flow may not import os.path"),
    (
        "pure_rooms_do_not_reach_out",
        f"{PACKAGE}/flow/bad.py",
        "from datetime import datetime as dt\n\n\ndef f():\n    return dt.now()\n",
        "datetime.datetime.now is an argument",
    ),
    (
        "pure_rooms_do_not_reach_out",
        f"{PACKAGE}/model/bad.py",
        "import datetime\n\n\ndef f(make=datetime.datetime.now):\n    return make()\n",
        "datetime.datetime.now is an argument",
    ),
    ("pure_rooms_do_not_reach_out", f"{PACKAGE}/flow/bad.py", "from uuid import uuid4\nuuid4()\n", "uuid.uuid4 is an"),
    ("pure_rooms_do_not_reach_out", f"{PACKAGE}/evidence/bad.py", "import random\nrandom.gauss()\n", "random.gauss"),
    (
        "only_settings_read_the_environment",
        f"{PACKAGE}/stores/bad.py",
        "import os\n\n\ndef f():\n    return os.environ['X']\n",
        "only settings.py",
    ),
    (
        "only_settings_read_the_environment",
        "functions/execute.py",
        "from os import getenv\n\n\ndef handler():\n    return getenv('X')\n",
        "only settings.py",
    ),
    (
        "nothing_happens_at_import",
        f"{PACKAGE}/stores/bad.py",
        "import boto3\nC = boto3.client('s3')\n",
        "boto3.client runs",
    ),
    (
        "nothing_happens_at_import",
        f"{PACKAGE}/stores/bad.py",
        "import boto3\nclass A:\n    c = boto3.client('s3')\n",
        "runs",
    ),
    (
        "nothing_happens_at_import",
        f"{PACKAGE}/stores/bad.py",
        "import boto3\ndef f(c=boto3.client('s3')): ...\n",
        "runs",
    ),
    ("nothing_happens_at_import", f"{PACKAGE}/settings.py", "import os\nX: str = os.environ['X']\n", "os.environ runs"),
    ("nothing_happens_at_import", f"{PACKAGE}/stores/bad.py", "if True:\n    X = open('x').read()\n", "open runs"),
    ("nothing_happens_at_import", f"{PACKAGE}/stores/bad.py", "def f():\n    global X\n", "module state"),
    (
        "nothing_happens_at_import",
        "functions/execute.py",
        "import boto3\nS3 = boto3.resource('s3')\n",
        "boto3.resource runs",
    ),
    (
        "what_is_carried_is_a_named_tuple",
        f"{PACKAGE}/flow/bad.py",
        "@dataclass(frozen=True, slots=True)\nclass Pair:\n    one: int\n    two: int = 2\n",
        "Pair is frozen and only carries",
    ),
    (
        "models_are_read_as_they_are_written",
        f"{PACKAGE}/model/bad.py",
        "from __future__ import annotations\n",
        "models are read at each start",
    ),
    ("doors_are_thin", "functions/execute.py", f"def handler():\n{LONG_BODY}", "handler has 26 lines"),
    (
        "doors_are_thin",
        "functions/execute.py",
        f"def handler(): ...\ndef helper():\n{LONG_BODY}",
        "helper has 26 lines",
    ),
    ("doors_are_thin", "functions/execute.py", "def run(): ...\n", "a function named handler"),
    (
        "doors_know_only_the_flow",
        "functions/execute.py",
        "from grace.stores.dynamo import S\n",
        "may not import grace.stores",
    ),
    ("doors_know_only_the_flow", "functions/execute.py", "import boto3\n", "may not import boto3"),
    ("doors_know_only_the_flow", "functions/execute.py", "import json\n", "may not import json"),
    ("doors_are_flat", "functions/deep/execute.py", "def handler(): ...\n", "one flat file"),
    ("key_text_lives_in_keys", f"{PACKAGE}/stores/dynamo.py", 'KEY = "C#1"\n', "'C#1' belongs"),
    ("key_text_lives_in_keys", f"{PACKAGE}/flow/bad.py", 'def f(n):\n    return f"step#{n}"\n', "'step#' belongs"),
    ("key_text_lives_in_keys", "infra/app.py", 'LEADING = ["R#*"]\n', "'R#*' belongs"),
    ("key_text_lives_in_keys", "functions/execute.py", "X = f'OPEN#{1}'\n", "'OPEN#' belongs"),
    ("files_are_short", f"{PACKAGE}/flow/bad.py", "x = 1\n" * 451, "451 lines"),
    ("files_are_short", f"{PACKAGE}/playbooks/bad.yaml", "a: 1\n" * 451, "451 lines"),
    ("nothing_is_left_for_later", "infra/app.py", "# TO" + "DO: later\n", "infra/app.py:1"),
    ("nothing_is_left_for_later", "Makefile", "a:\n\t# FIX" + "ME\n", "Makefile:2"),
    ("nothing_is_left_for_later", "docs/guide.md", "XX" + "X\n", "docs/guide.md:1"),
    ("no_places_or_secrets", "requirements/dev.in", "https://pypi.org/simple\n", "address of a package registry"),
    ("no_places_or_secrets", "docs/guide.md", "see https://registry.npmjs.org/x\n", "address of a package registry"),
    ("no_places_or_secrets", "infra/app.py", 'HOME = "/root/x"\n', "path of somebody's machine"),
    ("no_places_or_secrets", "docs/guide.md", "in /home/ada/grace\n", "path of somebody's machine"),
    ("no_places_or_secrets", "infra/app.py", "KEY = 'AKIA" + "ABCDEFGHIJKLMNOP'\n", "a secret"),
    ("packages_say_what_they_are", f"{PACKAGE}/probes/__init__.py", "", "says nothing"),
    ("packages_say_what_they_are", "tests/unit/__init__.py", "import x\n", "says nothing"),
    ("packages_say_what_they_are", f"{PACKAGE}/probes/metric.py", "", "has no __init__.py"),
    ("packages_say_what_they_are", "infra/cli/main.py", "", "has no __init__.py"),
    ("locks_are_hashed", "requirements/runtime.txt", "boto3==2.0\n", "has no hash"),
    ("locks_are_hashed", "requirements/runtime.txt", f"boto3>=2.0 \\\n    {HASH}\n", "not an exact version"),
    (
        "locks_are_hashed",
        "requirements/runtime.txt",
        f"--index-url x\nboto3==2.0 \\\n    {HASH}\n",
        "address or an option",
    ),
    (
        "locks_are_hashed",
        "requirements/runtime.txt",
        f"boto3==2.0 \\\n    {HASH}\n    # x\nb @ https://x/y\n",
        "address",
    ),
    ("locks_are_compiled", "requirements/extra.in", "x\n", "requirements/extra.txt is missing"),
    ("locks_are_compiled", "requirements/extra.txt", f"x==1 {HASH}\n", "requirements/extra.in is missing"),
    ("locks_are_compiled", "requirements/runtime.in", "boto3\npyyaml\n", "pyyaml is not what"),
    ("locks_are_compiled", "requirements/dev.in", "moto[all]==4.0\n", "moto[all]==4.0 is not what"),
    ("locks_agree", "requirements/runtime.txt", f"boto3==2.1 \\\n    {HASH}\n", "boto3 2.1 is 2.0"),
    ("locks_agree", "requirements/uv.txt", f"uv==1.1 \\\n    {HASH}\n", "uv 1.1 is 1.0"),
    (
        "npm_lock_has_no_addresses",
        "package-lock.json",
        '{"packages": {"a": {"resolved": "x", "integrity": "y"}}}',
        "came from",
    ),
    ("npm_lock_has_no_addresses", "package-lock.json", '{"packages": {"a": {}}}', "no integrity"),
    ("npm_lock_has_no_addresses", "package.json", '{"devDependencies": {"aws-cdk": "^2.1.0"}}', "is a range"),
    ("machine_calls_the_doors_that_exist", "functions/benchmark.py", DOOR, "never calls functions/benchmark.py"),
    (
        "machine_calls_the_doors_that_exist",
        ASL,
        mutated(lambda states: states["Execute"]["Parameters"].update(FunctionName="${Exekute}")),
        "calls 'exekute'",
    ),
    (
        "machine_calls_the_doors_that_exist",
        ASL,
        mutated(lambda states: states["Execute"]["Parameters"].update(FunctionName="execute")),
        "Execute calls no placeholder",
    ),
    (
        "machine_knows_only_our_errors",
        ASL,
        mutated(lambda states: states["Execute"].update(Retry=[{"ErrorEquals": ["Oops"], "JitterStrategy": "FULL"}])),
        "'Oops'",
    ),
    (
        "machine_knows_only_our_errors",
        ASL,
        mutated(lambda states: states["Close"]["Catch"].append({"ErrorEquals": ["Oops"], "Next": "Lost"})),
        "'Oops'",
    ),
    ("machine_paths_are_whole", ASL, mutated(lambda states: states["Settle"].update(Next="Nowhere")), "'Nowhere'"),
    (
        "machine_paths_are_whole",
        ASL,
        mutated(lambda states: states.update(Alone={"Type": "Succeed"})),
        "Alone can never",
    ),
    (
        "machine_paths_are_whole",
        ASL,
        mutated(
            lambda states: (states.update(Loop={"Type": "Pass", "Next": "Loop"}), states["Settle"].update(Next="Loop"))
        ),
        "from Loop no end",
    ),
    (
        "machine_paths_are_whole",
        ASL,
        mutated(lambda states: states["Verdict"].pop("Default")),
        "Verdict has no Default",
    ),
    (
        "machine_tasks_expect_trouble",
        ASL,
        mutated(lambda states: states["Execute"].pop("TimeoutSeconds")),
        "no literal",
    ),
    ("machine_tasks_expect_trouble", ASL, mutated(lambda states: states["Execute"].pop("Retry")), "has no Retry"),
    (
        "machine_tasks_expect_trouble",
        ASL,
        mutated(lambda states: states["Close"].pop("Catch")),
        "does not catch States.ALL",
    ),
    (
        "machine_tasks_expect_trouble",
        ASL,
        mutated(lambda states: states["Execute"].update(Retry=[{"ErrorEquals": ["TransientError"]}])),
        "without full jitter",
    ),
    (
        "machine_tasks_expect_trouble",
        ASL,
        mutated(
            lambda states: states["Execute"].update(Retry=[{"ErrorEquals": ["States.ALL"], "JitterStrategy": "FULL"}])
        ),
        "does not name",
    ),
    (
        "machine_tasks_expect_trouble",
        ASL,
        mutated(lambda states: states["Execute"].update(HeartbeatSeconds=5)),
        "uses HeartbeatSeconds",
    ),
    (
        "machine_tasks_expect_trouble",
        ASL,
        mutated(lambda states: states.update(Pause={"Type": "Wait", "SecondsPath": "$.x", "Next": "Close"})),
        "Pause uses SecondsPath",
    ),
    (
        "machine_undoes_after_snapshot",
        ASL,
        mutated(lambda states: states["Execute"].update(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Close"}])),
        "an error in Execute leads to Close",
    ),
    (
        "machine_undoes_after_snapshot",
        ASL,
        mutated(lambda states: states["Snapshot"]["Catch"].insert(0, {"ErrorEquals": ["X"], "Next": "Close"})),
        "an error in Snapshot leads to Close",
    ),
    ("machine_undoes_after_snapshot", ASL, mutated(lambda states: states.pop("Rollback")), "has no state Rollback"),
]


def house(root: Path, files: dict[str, str]) -> Tree:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Tree.of_folder(root)


@pytest.mark.parametrize("name", RULES)
def test_a_house_in_order_is_left_alone(name: str, tmp_path: Path) -> None:
    assert RULES[name](house(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("rule", "file", "content", "says"), MUTANTS, ids=[f"{n}-{rule}" for n, (rule, *_) in enumerate(MUTANTS)]
)
def test_a_broken_house_is_noticed(rule: str, file: str, content: str, says: str, tmp_path: Path) -> None:
    violations = RULES[rule](house(tmp_path, GOOD | {file: content}))
    assert any(says in violation for violation in violations), violations


def test_every_rule_has_a_mutant() -> None:
    assert set(RULES) == {rule for rule, *_ in MUTANTS}


def test_an_empty_house_breaks_no_rule_but_is_never_ours(tmp_path: Path) -> None:
    """Rules are about what exists; that it exists is `test_the_subject_is_there`."""
    assert {name: RULES[name](Tree.of_folder(tmp_path)) for name in RULES} == {name: [] for name in RULES}


def test_rules_say_what_they_are_for() -> None:
    assert [name for name, rule in RULES.items() if not re.search(r"\w{3,}.*\.", rule.__doc__ or "")] == []
