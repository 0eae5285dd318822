"""I24, I41, I42 as the engine enforces them: the deployed roles' own credentials, and what they are refused with."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from grace.resources.base import OPT_IN_TAG
from infra.constructs.floor_plan import DOORS, Right
from tests.local.deployed import SENDER, Deployed

pytestmark = pytest.mark.engine

NAMES = [door.name for door in DOORS]
MANAGED, BARE = "roles-managed", "roles-bare"
WRITERS = {door.name for door in DOORS if {Right.STATE, Right.DECIDE} & set(door.rights)}
"""Which partitions of the table is for the template's tests: the engine gives `dynamodb:LeadingKeys` no value."""
REFUSED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}

Session = Callable[[str], Any]
Sessions = Callable[[str], Session]


@pytest.fixture(scope="module")
def roles(grace: Deployed) -> Iterator[Sessions]:
    """`roles(door)` gives clients with the credentials that the door's function has: its role, with all that is in it.

    Only who may take the role on is widened, and put back: otherwise the engine's Lambda alone could.
    """
    iam, engine = grace.aws("iam"), grace.engine
    trusts: dict[str, str] = {}

    def session(door: str) -> Session:
        name = f"grace-{door}-{engine.region}"
        role = iam.get_role(RoleName=name)["Role"]
        if name not in trusts:
            trusts[name] = json.dumps(role["AssumeRolePolicyDocument"])
            root = {"AWS": f"arn:aws:iam::{engine.account}:root"}
            trust = {"Statement": [{"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}]}
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        keys = grace.aws("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=door)["Credentials"]
        arguments = engine.client_arguments() | {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
        }
        return lambda service: boto3.client(service, aws_session_token=keys["SessionToken"], **arguments)

    yield session
    for name, trust in trusts.items():
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)


@pytest.fixture(scope="module")
def functions(grace: Deployed) -> Iterator[None]:
    """Two functions with an alias each, alike but for the tag that opts in."""
    code, client = io.BytesIO(), grace.aws("lambda")
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return {}\n")
    for name, tags in ((MANAGED, {OPT_IN_TAG: "true"}), (BARE, {})):
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=f"arn:aws:iam::{grace.engine.account}:role/grace-close-{grace.engine.region}",
            Handler="index.handler",
            Code={"ZipFile": code.getvalue()},
            Tags=tags,
        )
        version = client.publish_version(FunctionName=name)["Version"]
        client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    yield
    for name in (MANAGED, BARE):
        client.delete_function(FunctionName=name)


def refused(call: Callable[[], Any]) -> bool:
    """Whether IAM refuses the call; an error of any other kind means that IAM let it through."""
    try:
        call()
    except ClientError as exc:
        return exc.response["Error"]["Code"] in REFUSED
    return False


def arn(grace: Deployed, function: str) -> str:
    return f"arn:aws:lambda:{grace.engine.region}:{grace.engine.account}:function:{function}"


def letter() -> dict[str, Any]:
    body = {"Text": {"Data": "text"}}
    content = {"Simple": {"Subject": {"Data": "subject"}, "Body": body}}
    return {"FromEmailAddress": SENDER, "Destination": {"ToAddresses": [SENDER]}, "Content": content}


def mac(grace: Deployed) -> dict[str, Any]:
    return {"KeyId": grace.setting("ask", "link_key"), "MacAlgorithm": "HMAC_SHA_256", "Message": b"link"}


DEEDS: dict[str, tuple[set[str], Callable[[Deployed, Session], Any]]] = {
    "mint a link": ({"ask"}, lambda g, my: my("kms").generate_mac(**mac(g))),
    "check a link": ({"answer"}, lambda g, my: my("kms").verify_mac(**mac(g), Mac=b"0" * 32)),
    "resume a workflow": (
        {"resolve"},
        lambda _, my: my("stepfunctions").send_task_success(taskToken="AQ", output="{}"),
    ),
    "fail a workflow": (set(), lambda _, my: my("stepfunctions").send_task_failure(taskToken="AQ")),
    "write to people": ({"ask"}, lambda _, my: my("sesv2").send_email(**letter())),
    "sign the log": (
        {"sign"},
        lambda g, my: my("kms").sign(
            KeyId=g.outputs["LogKey"], Message=b"log", MessageType="RAW", SigningAlgorithm="ED25519_SHA_512"
        ),
    ),
    "change what is managed": ({"execute", "rollback"}, lambda _, my: moves(my, MANAGED)),
    "change what is not": (set(), lambda _, my: moves(my, BARE)),
    "opt a resource in": (
        set(),
        lambda g, my: my("lambda").tag_resource(Resource=arn(g, BARE), Tags={OPT_IN_TAG: "true"}),
    ),
    "opt one out": (set(), lambda g, my: my("lambda").untag_resource(Resource=arn(g, MANAGED), TagKeys=[OPT_IN_TAG])),
    "replace code": (
        set(),
        lambda _, my: my("lambda").update_function_code(FunctionName=MANAGED, S3Bucket="bucket", S3Key="key"),
    ),
    "write a record": (WRITERS, lambda _, my: puts(my, "C#x", "head")),
    "delete a record": (
        set(),
        lambda _, my: my("dynamodb").delete_item(TableName="grace-state", Key={"pk": {"S": "x"}, "sk": {"S": "x"}}),
    ),
    "delete an entry": (
        set(),
        lambda _, my: my("dynamodb").delete_item(TableName="grace-log", Key={"pk": {"S": "x"}, "sk": {"S": "x"}}),
    ),
    "delete from the log": (set(), lambda g, my: my("s3").delete_object(Bucket=g.outputs["LogBucket"], Key="x")),
    "make a role": (set(), lambda _, my: my("iam").create_role(RoleName="x", AssumeRolePolicyDocument="{}")),
    "widen a role": (
        set(),
        lambda g, my: my("iam").put_role_policy(
            RoleName=f"grace-answer-{g.engine.region}", PolicyName="x", PolicyDocument="{}"
        ),
    ),
    "hand out a key": (
        set(),
        lambda g, my: my("kms").put_key_policy(KeyId=g.setting("ask", "link_key"), PolicyName="default", Policy="{}"),
    ),
    "end a key": (
        set(),
        lambda g, my: my("kms").schedule_key_deletion(KeyId=g.outputs["LogKey"], PendingWindowInDays=30),
    ),
}
"""What somebody could want, who may, and the call. The calls do no harm where they are let through."""


def puts(my: Session, pk: str, sk: str) -> Any:
    """Put what is never written: its condition cannot hold."""
    item = {"pk": {"S": pk}, "sk": {"S": sk}}
    put = {"TableName": "grace-state", "Item": item, "ConditionExpression": "attribute_exists(nothing)"}
    return my("dynamodb").transact_write_items(TransactItems=[{"Put": put}])


def moves(my: Session, function: str) -> Any:
    return my("lambda").update_alias(FunctionName=function, Name="live", FunctionVersion="1")


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize("door", NAMES)
def test_i41_a_deployed_role_is_refused_what_is_not_in_its_row(grace: Deployed, roles: Sessions, door: str) -> None:
    mine = roles(door)
    let_through = {deed for deed, (_, call) in DEEDS.items() if not refused(lambda call=call: call(grace, mine))}  # type: ignore[misc]
    assert let_through == {deed for deed, (who, _) in DEEDS.items() if door in who}


@contextmanager
def widened(grace: Deployed, door: str, *actions: str) -> Iterator[None]:
    """The mutant: a role that may do more than its row."""
    iam, name = grace.aws("iam"), f"grace-{door}-{grace.engine.region}"
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="mutant", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="mutant")


def test_i24_answer_neither_mints_a_link_nor_resumes_a_workflow(grace: Deployed, roles: Sessions) -> None:
    """It MACs its sign-ins, with a key of their own; with the key of links it can only check."""
    answer = roles("answer")

    def mints() -> Any:
        return answer("kms").generate_mac(**mac(grace))

    def resumes() -> Any:
        return answer("stepfunctions").send_task_success(taskToken="AQ", output="{}")

    assert refused(mints)
    assert refused(resumes)
    own = mac(grace) | {"KeyId": grace.setting("answer", "session_key")}
    assert len(answer("kms").generate_mac(**own)["Mac"]) == 32
    with widened(grace, "answer", "kms:GenerateMac", "states:SendTaskSuccess"):
        assert not refused(mints)
        assert not refused(resumes)


@pytest.mark.usefixtures("functions")
def test_i42_with_the_tag_a_function_is_changed_and_without_it_not(grace: Deployed, roles: Sessions) -> None:
    """Without the condition on the tag the same role changes both; the boundary still keeps it from setting the tag."""
    execute = roles("execute")
    assert not refused(lambda: moves(execute, MANAGED))
    assert refused(lambda: moves(execute, BARE))
    with widened(grace, "execute", "lambda:UpdateAlias", "lambda:TagResource"):
        assert not refused(lambda: moves(execute, BARE))
        assert refused(lambda: execute("lambda").tag_resource(Resource=arn(grace, BARE), Tags={OPT_IN_TAG: "true"}))
