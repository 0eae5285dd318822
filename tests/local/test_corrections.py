"""IAM on the engine decides as on AWS, so the deployed roles need nothing that AWS would not need."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.local.corrections import (
    ecs_service_arn,
    lambda_action,
    mail_identity_arn,
    qualified,
    qualified_function_arn,
    simulated_role_arn,
    tagged,
    task_machine_arn,
    told_context,
    with_conditions,
    with_cookies,
)
from infra.local.engine import EngineState
from infra.local.paths import Layout
from infra.local.reconcile import Clients
from tests.local.test_launcher import _function

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:thrower"
GROUP = "arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:*:autoScalingGroupName/web"
SERVICE = "arn:aws:ecs:us-east-1:000000000000:service/shop/web"
MANAGED = {"StringEquals": {"aws:ResourceTag/grace:managed": "true"}}

Granted = Callable[..., Callable[[str], Any]]


@pytest.fixture
def granted(aws: Clients, engine: EngineState) -> Iterator[Granted]:
    """`granted(action, ..., resource=, condition=)` gives clients of a role that may do just that."""
    iam, name = aws("iam"), "granted"
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{engine.account}:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]

    def grant(*actions: str, resource: str = "*", condition: dict[str, Any] | None = None) -> Callable[[str], Any]:
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource, "Condition": condition or {}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="granted", PolicyDocument=policy)
        keys = aws("sts").assume_role(RoleArn=role, RoleSessionName="granted")["Credentials"]
        arguments = engine.client_arguments() | {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
        }
        return lambda service: boto3.client(service, aws_session_token=keys["SessionToken"], **arguments)

    yield grant
    iam.delete_role_policy(RoleName=name, PolicyName="granted")
    iam.delete_role(RoleName=name)


def _refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError as exc:
        return exc.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
    return False


def _alias(aws: Clients) -> None:
    functions = aws("lambda")
    version = functions.publish_version(FunctionName=_function(aws))["Version"]
    try:
        functions.create_alias(FunctionName="thrower", Name="live", FunctionVersion=version)
    except functions.exceptions.ResourceConflictException:
        functions.update_alias(FunctionName="thrower", Name="live", FunctionVersion=version)


@pytest.mark.engine
def test_moving_an_alias_needs_update_alias_and_nothing_else(aws: Clients, granted: Granted) -> None:
    _alias(aws)
    functions = granted("lambda:UpdateAlias", resource=FUNCTION)("lambda")
    assert functions.update_alias(FunctionName="thrower", Name="live", FunctionVersion="1")["Name"] == "live"
    assert _refused(lambda: functions.get_alias(FunctionName="thrower", Name="live"))
    reader = granted("lambda:ListAliases", "lambda:GetAlias", resource=FUNCTION)("lambda")
    assert reader.get_alias(FunctionName="thrower", Name="live")["FunctionVersion"] == "1"
    assert _refused(lambda: reader.update_alias(FunctionName="thrower", Name="live", FunctionVersion="1"))


@pytest.mark.engine
def test_reading_a_concurrency_does_not_need_the_right_to_set_it(aws: Clients, granted: Granted) -> None:
    _function(aws)
    reader = granted("lambda:GetFunctionConcurrency")("lambda")
    reader.get_function_concurrency(FunctionName="thrower")
    assert _refused(lambda: reader.put_function_concurrency(FunctionName="thrower", ReservedConcurrentExecutions=1))
    assert _refused(lambda: reader.delete_function_concurrency(FunctionName="thrower"))


@pytest.mark.engine
def test_the_right_to_invoke_an_alias_is_that_alias_only(aws: Clients, granted: Granted) -> None:
    _alias(aws)
    functions = granted("lambda:InvokeFunction", resource=f"{FUNCTION}:live")("lambda")
    for name, qualifier in (("thrower", {"Qualifier": "live"}), ("thrower:live", {}), (f"{FUNCTION}:live", {})):
        assert functions.invoke(FunctionName=name, Payload=b'{"say": ""}', **qualifier)["StatusCode"] == 200
    assert _refused(lambda: functions.invoke(FunctionName="thrower"))
    assert _refused(lambda: functions.invoke(FunctionName="thrower", Qualifier="1"))


@pytest.mark.engine
def test_a_condition_on_the_tag_lets_through_the_tagged_resource_only(aws: Clients, granted: Granted) -> None:
    """F65 / I42 on the engine: the same statement, with the tag and without it, for each kind of resource."""
    scaling, containers, machines = aws("autoscaling"), aws("ecs"), aws("ec2")
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId="ami-12345678", InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        LaunchConfigurationName="web",
        MinSize=0,
        MaxSize=2,
        AvailabilityZones=["us-east-1a"],
    )
    containers.create_cluster(clusterName="shop")
    containers.register_task_definition(family="web", containerDefinitions=[{"name": "c", "image": "i", "memory": 8}])
    containers.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=0)
    instance = machines.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    function_arn = aws("lambda").get_function(FunctionName=_function(aws))["Configuration"]["FunctionArn"]
    may = granted(
        "autoscaling:SetDesiredCapacity",
        "ecs:UpdateService",
        "ec2:RebootInstances",
        "lambda:UpdateFunctionConfiguration",
        "lambda:InvokeFunction",
        condition=MANAGED,
    )
    _alias(aws)
    attempts: dict[str, Callable[[], Any]] = {
        "group": lambda: may("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0),
        "service": lambda: may("ecs").update_service(cluster="shop", service="web", desiredCount=0),
        "instance": lambda: may("ec2").reboot_instances(InstanceIds=[instance]),
        "function": lambda: may("lambda").update_function_configuration(FunctionName="thrower", Timeout=3),
        "alias": lambda: may("lambda").invoke(FunctionName="thrower", Qualifier="live", Payload=b'{"say": ""}'),
    }
    assert {name: _refused(attempt) for name, attempt in attempts.items()} == dict.fromkeys(attempts, True)

    tag = {"Key": "grace:managed", "Value": "true"}
    scaling.create_or_update_tags(
        Tags=[tag | {"ResourceId": "web", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}]
    )
    containers.tag_resource(resourceArn=SERVICE, tags=[{"key": tag["Key"], "value": tag["Value"]}])
    machines.create_tags(Resources=[instance], Tags=[tag])
    aws("lambda").tag_resource(Resource=function_arn, Tags={tag["Key"]: tag["Value"]})
    try:
        assert {name: _refused(attempt) for name, attempt in attempts.items()} == dict.fromkeys(attempts, False)
    finally:
        aws("lambda").untag_resource(Resource=function_arn, TagKeys=[tag["Key"]])


@pytest.mark.engine
def test_the_right_to_one_group_or_service_is_that_one_only(aws: Clients, granted: Granted) -> None:
    """A wrong name is refused by IAM before the engine notices that there is no such resource."""
    scaling = granted("autoscaling:SetDesiredCapacity", resource=GROUP)("autoscaling")
    assert _refused(lambda: scaling.set_desired_capacity(AutoScalingGroupName="other", DesiredCapacity=0))
    services = granted("ecs:UpdateService", resource=SERVICE)("ecs")
    assert _refused(lambda: services.update_service(cluster="shop", service="other", desiredCount=0))
    with pytest.raises(services.exceptions.ServiceNotFoundException):
        granted("ecs:UpdateService", resource=SERVICE.replace("shop", "none"))("ecs").update_service(
            cluster="none", service="web", desiredCount=0
        )


def _decisions(aws: Clients, engine: EngineState, resources: tuple[str, ...], **context: str) -> list[str]:
    """What a simulation of the granted role decides on `lambda:UpdateAlias`, told `context` (keys without prefix)."""
    answer = aws("iam").simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{engine.account}:role/granted",
        ActionNames=["lambda:UpdateAlias"],
        ResourceArns=resources,
        ContextEntries=[
            {"ContextKeyName": f"aws:{key}", "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ],
    )
    assert [result["EvalResourceName"] for result in answer["EvaluationResults"]] == list(resources)
    return [result["EvalDecision"] for result in answer["EvaluationResults"]]


@pytest.mark.engine
def test_a_bucket_that_wants_a_condition_takes_no_write_without_it(aws: Clients, granted: Granted) -> None:
    aws("s3").create_bucket(Bucket="written-once")
    refusal = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:PutObject",
               "Resource": "arn:aws:s3:::written-once/*", "Condition": {"Null": {"s3:if-none-match": "true"}}}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [refusal]})
    aws("s3").put_bucket_policy(Bucket="written-once", Policy=policy)
    s3 = granted("s3:PutObject", resource="arn:aws:s3:::written-once/*")("s3")
    s3.put_object(Bucket="written-once", Key="tile", Body=b"one", IfNoneMatch="*")
    assert _refused(lambda: s3.put_object(Bucket="written-once", Key="tile", Body=b"another"))


@pytest.mark.engine
def test_a_simulation_believes_what_it_is_told_and_assumes_nothing(
    aws: Clients, granted: Granted, engine: EngineState
) -> None:
    tag, region = {"ResourceTag/grace:managed": "true"}, {"RequestedRegion": engine.region}
    granted(
        "lambda:UpdateAlias", condition={"StringEquals": MANAGED["StringEquals"] | {"aws:RequestedRegion": "eu-west-1"}}
    )
    assert _decisions(aws, engine, (FUNCTION,), **tag, RequestedRegion="eu-west-1") == ["allowed"]
    assert _decisions(aws, engine, (FUNCTION,), **tag, **region) == ["implicitDeny"]
    assert _decisions(aws, engine, (FUNCTION,), **tag) == ["implicitDeny"]
    assert _decisions(aws, engine, (FUNCTION,), RequestedRegion="eu-west-1") == ["implicitDeny"]
    wrong = {"ResourceTag/grace:managed": "false"}
    assert _decisions(aws, engine, (FUNCTION,), **wrong, RequestedRegion="eu-west-1") == ["implicitDeny"]
    granted("lambda:UpdateAlias", condition={"StringEquals": {"aws:RequestedRegion": engine.region}})
    assert _decisions(aws, engine, (FUNCTION,)) == ["implicitDeny"]


@pytest.mark.engine
def test_a_simulation_answers_for_each_resource(aws: Clients, granted: Granted, engine: EngineState) -> None:
    granted("lambda:UpdateAlias", resource=FUNCTION)
    other = FUNCTION.replace("thrower", "other")
    assert _decisions(aws, engine, (FUNCTION, other)) == ["allowed", "implicitDeny"]
    assert _decisions(aws, engine, (other, FUNCTION)) == ["implicitDeny", "allowed"]


@pytest.mark.engine
def test_a_simulation_allows_no_more_than_the_boundary(aws: Clients, granted: Granted, engine: EngineState) -> None:
    granted("lambda:*")
    iam, statement = aws("iam"), {"Effect": "Allow", "Action": "lambda:GetAlias", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    assert _decisions(aws, engine, (FUNCTION,)) == ["allowed"]
    iam.put_role_permissions_boundary(RoleName="granted", PermissionsBoundary=boundary)
    try:
        assert _decisions(aws, engine, (FUNCTION,)) == ["implicitDeny"]
    finally:
        iam.delete_role_permissions_boundary(RoleName="granted")
        iam.delete_policy(PolicyArn=boundary)


_ASK_THE_BARE_ENGINE = """
import inspect
import json
import threading
from ministack import app
from ministack.core import iam_actions
from ministack.services import apigateway, iam, lambda_svc, tagging

def ask(action, **query):
    return iam._IAM_HANDLERS[action]({key: [value] for key, value in query.items()})[2].decode()

def simulate(**query):
    asked = {"PolicySourceArn": "arn:aws:iam::000000000000:role/r", "ActionNames.member.1": "lambda:UpdateAlias"}
    return ask("SimulatePrincipalPolicy", **asked, **query)

def grant(**statement):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"} | statement
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    ask("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=document)
    return document

ask("CreateRole", RoleName="r", AssumeRolePolicyDocument="{}")
grant(Condition={"StringEquals": {"aws:ResourceTag/a": "b"}})
tag = {"ContextKeyName": "aws:ResourceTag/a", "ContextKeyValues.member.1": "b", "ContextKeyType": "string"}
with_context = simulate(**{"ContextEntries.member.1." + key: value for key, value in tag.items()})
ask("CreatePolicy", PolicyName="b", PolicyDocument=grant(Action="sqs:*"))
grant()
on_two = simulate(**{"ResourceArns.member.1": "x", "ResourceArns.member.2": "y"})
ask("PutRolePermissionsBoundary", RoleName="r", PermissionsBoundary="arn:aws:iam::000000000000:policy/b")
with_boundary = simulate()
body = json.dumps({"cluster": "shop", "service": "web"}).encode()
arn = iam_actions.extract_resource_arn
throttled, before = [], set(threading.enumerate())
lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = 0
lambda_svc._execute_function = lambda *_: throttled.append(1) or lambda_svc._throttle_response("r", "m")
lambda_svc.invoke_async_with_retry({"FunctionName": "f", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f"}, {})
for thread in set(threading.enumerate()) - before:
    thread.join()
print(json.dumps({
    "scaling": "application-autoscaling" in app.SERVICE_HANDLERS,
    "UpdateAlias": iam_actions._lambda_action("PUT", "/2015-03-31/functions/f/aliases/live"),
    "GetFunctionConcurrency": iam_actions._lambda_action("GET", "/2019-09-30/functions/f/concurrency"),
    "GetFunctionEventInvokeConfig": iam_actions._lambda_action("GET", "/2019-09-25/functions/f/event-invoke-config"),
    "qualifier": arn("lambda", "POST", "/2015-03-31/functions/f/invocations", {}, b"", {"Qualifier": ["live"]}, "r", "a"),
    "service": arn("ecs", "POST", "/", {"x-amz-target": "E.UpdateService"}, body, {}, "r", "a"),
    "simulation": arn("iam", "POST", "/", {}, b"", {"PolicySourceArn": ["role"]}, "r", "a"),
    "answer": arn("states", "POST", "/", {"x-amz-target": "S.SendTaskSuccess"}, b"{}", {}, "r", "a"),
    "mail": arn("ses", "POST", "/v2/email/outbound-emails", {}, b'{"FromEmailAddress": "a@b"}', {}, "r", "a"),
    "write": iam_actions.s3_service_context("s3:PutObject", {}, "/b/k", {"if-none-match": "*"}),
    "context": "implicitDeny" in with_context,
    "resources": on_two.count("<EvalDecision>"),
    "boundary": "allowed" in with_boundary,
    "cookies": "cookies" in inspect.getsource(apigateway._invoke_lambda_proxy).partition("# Route through")[0],
    "throttled": len(throttled),
    "tags": sorted({"autoscaling", "ec2", "ecs"} & set(tagging._RESOURCE_TAG_COLLECTORS)),
}))
"""


@pytest.mark.engine
def test_each_correction_is_still_needed() -> None:
    """The bare engine's own answers: one that turns right means its correction is to be removed."""
    asked = subprocess.run(
        [str(Layout().engine_python()), "-c", _ASK_THE_BARE_ENGINE], capture_output=True, text=True, check=True
    )
    assert json.loads(asked.stdout.splitlines()[-1]) == {
        "scaling": False,
        "UpdateAlias": "ListAliases",
        "GetFunctionConcurrency": "PutFunctionConcurrency",
        "GetFunctionEventInvokeConfig": "GetFunction",
        "qualifier": "arn:aws:lambda:r:a:function:f",
        "service": "arn:aws:ecs:r:a:cluster/shop",
        "simulation": "*",
        "answer": "*",
        "mail": "*",
        "write": {},
        "context": True,
        "resources": 1,
        "boundary": True,
        "cookies": False,
        "throttled": 3,
        "tags": [],
    }


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "/2015-03-31/functions/f/aliases", None),
        ("POST", "/2015-03-31/functions/f/aliases", None),
        ("DELETE", "/2015-03-31/functions/f/aliases/live", "DeleteAlias"),
        ("POST", "/2019-09-25/functions/f/event-invoke-config", "UpdateFunctionEventInvokeConfig"),
        ("GET", "/2015-03-31/functions/aliases", None),
        ("GET", "/2015-03-31/functions/", None),
        ("GET", "/2015-03-31/layers", None),
    ],
)
def test_only_what_the_engine_gets_wrong_is_answered(method: str, path: str, action: str | None) -> None:
    assert lambda_action(method, path) == action


def test_a_qualifier_is_added_once_and_only_to_an_invocation() -> None:
    invoke = "/2015-03-31/functions/thrower/invocations"
    assert qualified_function_arn(FUNCTION, invoke, {"Qualifier": ["2"]}) == f"{FUNCTION}:2"
    assert qualified_function_arn(f"{FUNCTION}:live", invoke, {"Qualifier": ["live"]}) == f"{FUNCTION}:live"
    assert qualified_function_arn(FUNCTION, invoke, {}) == FUNCTION
    assert qualified_function_arn(FUNCTION, "/2015-03-31/functions/thrower", {"Qualifier": ["2"]}) == FUNCTION


def test_a_write_carries_the_condition_it_is_made_under() -> None:
    known = {"s3:x-amz-acl": "private"}
    assert with_conditions(known, {"if-none-match": "*", "host": "s3"}) == known | {"s3:if-none-match": "*"}
    assert with_conditions({}, {"if-match": "tag"}) == {"s3:if-match": "tag"}


def test_cookies_stand_where_an_http_api_puts_them() -> None:
    """That the page receives them: `test_page.py::test_d12_tier_3_takes_two_letters_and_two_people_who_sign_in`."""
    event = {"version": "2.0", "headers": {"host": "h", "cookie": "a=1; b=2"}}
    assert with_cookies(event) == {"version": "2.0", "headers": {"host": "h"}, "cookies": ["a=1", "b=2"]}
    others: list[dict[str, Any]] = [
        {"version": "2.0", "headers": {"host": "h"}},
        {"headers": {"cookie": "a=1"}},
        {"Records": []},
    ]
    assert [with_cookies(other) for other in others] == others


def test_a_service_is_named_as_ecs_names_it() -> None:
    cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/shop"
    target = "AmazonEC2ContainerServiceV20141113.UpdateService"
    assert ecs_service_arn(cluster, target, json.dumps({"cluster": cluster, "service": "web"}).encode()) == SERVICE
    assert ecs_service_arn(cluster, target, json.dumps({"service": SERVICE}).encode()) == SERVICE
    assert ecs_service_arn(cluster, target.replace("Update", "Create"), b"{}") == cluster


def test_a_simulation_is_authorised_on_the_role_it_asks_about() -> None:
    assert (
        simulated_role_arn("*", {"PolicySourceArn": ["arn:aws:iam::1:role/execute"]}) == "arn:aws:iam::1:role/execute"
    )
    assert simulated_role_arn("*", {}) == "*"
    assert simulated_role_arn("arn:aws:iam::1:role/other", {"PolicySourceArn": ["x"]}) == "arn:aws:iam::1:role/other"


def test_a_simulation_is_told_every_entry_and_value() -> None:
    query = {
        "ContextEntries.member.1.ContextKeyName": ["aws:ResourceTag/Team"],
        "ContextEntries.member.1.ContextKeyValues.member.1": ["a"],
        "ContextEntries.member.1.ContextKeyValues.member.2": ["b"],
        "ContextEntries.member.2.ContextKeyName": ["aws:RequestedRegion"],
        "ContextEntries.member.2.ContextKeyValues.member.1": ["r"],
    }
    assert told_context(query) == {"aws:resourcetag/team": ["a", "b"], "aws:requestedregion": "r"}
    assert told_context({}) == {}


def test_a_task_is_answered_on_the_machine_that_waits() -> None:
    target = "AWSStepFunctions.SendTaskSuccess"
    assert task_machine_arn("*", target, ["machine"]) == "machine"
    assert task_machine_arn("*", target, ["machine", "other"]) == "*"
    assert task_machine_arn("*", "AWSStepFunctions.ListStateMachines", ["machine"]) == "*"
    assert task_machine_arn("arn", target, ["machine"]) == "arn"


def test_aliases_and_versions_carry_their_functions_tags() -> None:
    tags = [{"Key": "grace:managed", "Value": "true"}]
    known: dict[str, Any] = {"shop": {"aliases": {"live": {}}, "versions": {"1": {}}}}
    functions = [("arn:aws:lambda:r:a:function:shop", tags), ("arn:aws:lambda:r:a:function:bare", [])]
    assert dict(qualified(functions, known)) == {
        "arn:aws:lambda:r:a:function:shop": tags,
        "arn:aws:lambda:r:a:function:shop:live": tags,
        "arn:aws:lambda:r:a:function:shop:1": tags,
        "arn:aws:lambda:r:a:function:bare": [],
    }


def test_both_spellings_of_a_tag_are_taken() -> None:
    stored = {"a": [{"Key": "k", "Value": "v"}], "b": [{"key": "k", "value": "v"}]}
    assert [tags for _, tags in tagged("x/", stored)] == [[{"Key": "k", "Value": "v"}]] * 2


def test_mail_is_authorised_on_its_senders_identity() -> None:
    body = json.dumps({"FromEmailAddress": "grace@ops.example"}).encode()
    place = "us-east-1:000000000000"
    sender = f"arn:aws:ses:{place}:identity/grace@ops.example"
    assert mail_identity_arn("*", "/v2/email/outbound-emails", body, place) == sender
    assert mail_identity_arn("*", "/v2/email/identities", body, place) == "*"
    assert mail_identity_arn("arn:aws:ses:x", "/v2/email/outbound-emails", body, place) == "arn:aws:ses:x"


@pytest.mark.engine
def test_mail_may_leave_from_the_one_address_that_is_granted(
    granted: Granted, aws: Clients, engine: EngineState
) -> None:
    sender, other = "grace@ops.example", "root@ops.example"
    for address in (sender, other):
        aws("sesv2").create_email_identity(EmailIdentity=address)
    aws("ses").verify_email_identity(EmailAddress=sender)
    ours = f"arn:aws:ses:{engine.region}:{engine.account}:identity/"
    only = {"StringEquals": {"ses:FromAddress": sender}}

    def send(client: Any, address: str) -> None:
        body = {"Text": {"Data": "text"}}
        content = {"Simple": {"Subject": {"Data": "subject"}, "Body": body}}
        client.send_email(FromEmailAddress=address, Destination={"ToAddresses": [sender]}, Content=content)

    for identity in (sender, "*"):
        client = granted("ses:SendEmail", resource=ours + identity, condition=only)("sesv2")
        send(client, sender)
        assert _refused(partial(send, client, other))
    assert _refused(lambda: send(granted("ses:SendEmail", resource=ours + other)("sesv2"), sender))
