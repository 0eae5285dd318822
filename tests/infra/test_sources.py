"""I44: every permission that one service has on another names whose it is, so nobody else's can be used against us."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.template import Template, statements, text

NAMES_THE_SOURCE = ("aws:SourceArn", "aws:SourceAccount", "kms:EncryptionContext:aws:logs:arn")
POLICIES = {
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
}


def _given_to_services(template: Template) -> Iterator[dict[str, Any]]:
    for kind, key in POLICIES.items():
        for each in template.properties(kind):
            for statement in statements(each[key]):
                if statement["Effect"] == "Allow" and "Service" in statement["Principal"]:
                    yield statement


def unlimited(template: Template) -> list[dict[str, Any]]:
    """What is given to a service without a word of whose it must be."""
    given = list(_given_to_services(template))
    assert given
    return [
        statement
        for statement in given
        if not {key for operator in statement.get("Condition", {}).values() for key in operator} & set(NAMES_THE_SOURCE)
    ]


@pytest.mark.parametrize("stack", ["vault", "engine"])
def test_what_a_service_may_do_is_limited_to_a_source(templates: dict[str, Template], stack: str) -> None:
    assert unlimited(templates[stack]) == []


@pytest.mark.parametrize("stack", ["vault", "engine"])
def test_i44_a_permission_that_names_no_source_is_found(templates: dict[str, Template], stack: str) -> None:
    """The mutants: each of them in turn without its condition."""
    count = len(list(_given_to_services(templates[stack])))
    for number in range(count):
        mutant = Template(copy.deepcopy(templates[stack].body))
        statement = list(_given_to_services(mutant))[number]
        statement["Condition"].clear()
        assert len(unlimited(mutant)) == 1


def test_the_source_is_ours(templates: dict[str, Template]) -> None:
    for template in templates.values():
        for statement in _given_to_services(template):
            for operator in statement["Condition"].values():
                for key, value in operator.items():
                    if key in NAMES_THE_SOURCE:
                        named = text(value)
                        assert "<AWS::AccountId>" in named or named.endswith((".Arn>", "<IntakeTopicF14BC22C>", ">")), (
                            statement
                        )


def test_a_function_is_called_by_a_named_source_alone(engine: Template) -> None:
    permissions = engine.properties("AWS::Lambda::Permission")
    assert {each["Principal"] for each in permissions} == {"apigateway.amazonaws.com", "events.amazonaws.com"}
    assert all(text(each["SourceArn"]) for each in permissions)
    assert {text(each["SourceArn"]).rpartition("/")[2] for each in permissions} >= {"decide", "operate"}


PAGE = {
    "GET /a/{token}",
    "HEAD /a/{token}",
    "OPTIONS /a/{token}",
    "OPTIONS /a",
    "POST /a",
    "GET /a/login",
    "GET /a/callback",
}


def test_the_api_asks_for_an_identity_on_every_route_but_the_page(engine: Template) -> None:
    routes = {each["RouteKey"]: each for each in engine.properties("AWS::ApiGatewayV2::Route")}
    assert set(routes) == {"POST /decide", "POST /operate"} | PAGE
    public = {key for key, each in routes.items() if each["AuthorizationType"] == "NONE"}
    assert public == PAGE
    assert {each["AuthorizationType"] for key, each in routes.items() if key not in PAGE} == {"AWS_IAM"}
    served = {text(routes[key]["Target"]) for key in PAGE}
    [target] = [
        text(each["IntegrationUri"])
        for name, each in (
            (name, each["Properties"]) for name, each in engine.of_type("AWS::ApiGatewayV2::Integration").items()
        )
        if any(name in one for one in served)
    ]
    assert "Answer" in target


def test_the_public_routes_are_throttled_each_and_their_log_names_no_address(engine: Template) -> None:
    """I23: a token stands in the path; the log has the route's name in its place."""
    [stage] = engine.properties("AWS::ApiGatewayV2::Stage")
    assert set(stage["RouteSettings"]) == PAGE
    for each in stage["RouteSettings"].values():
        assert 0 < each["ThrottlingRateLimit"] <= 5
        assert each["ThrottlingBurstLimit"] <= 20
    told = stage["AccessLogSettings"]["Format"]
    assert "$context.routeKey" in told
    for leak in ("path", "query", "header", "referer", "requestLine", "integration", "body"):
        assert leak.lower() not in told.lower()


def test_links_lead_to_the_configured_address_or_to_the_api(synth: Any) -> None:
    def address(**context: Any) -> str:
        given = synth(**context)["engine"].functions()["answer"]["Environment"]["Variables"]["GRACE_BASE_URL"]
        return text(given)

    assert address(mail={"sender": "g@ops.example", "base_url": "https://grace.example"}) == "https://grace.example"
    assert "execute-api" in address(mail={"sender": "g@ops.example"}) or "ApiEndpoint" in address(
        mail={"sender": "g@ops.example"}
    )
    assert address() == ""


def test_the_api_is_throttled_as_a_whole(engine: Template) -> None:
    [stage] = engine.properties("AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    assert "path" not in stage["AccessLogSettings"]["Format"].lower()


def test_queues_topics_and_buckets_refuse_plain_text(templates: dict[str, Template]) -> None:
    for template in templates.values():
        for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"):
            for each in template.properties(kind):
                assert any(
                    one["Effect"] == "Deny" and one.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
                    for one in each["PolicyDocument"]["Statement"]
                ), each


def test_another_account_may_report_errors_and_nothing_else(synth: Any) -> None:
    engine = synth(accounts=["123456789012"])["engine"]
    [policy] = engine.properties("AWS::Events::EventBusPolicy")
    statement = policy["Statement"]
    assert text(statement["Principal"]["AWS"]) == "arn:<AWS::Partition>:iam::123456789012:root"
    assert statement["Action"] == "events:PutEvents"
    assert statement["Condition"] == {"StringEquals": {"events:detail-type": "error.detected"}}


def test_no_other_account_may_unless_it_is_configured(engine: Template) -> None:
    assert not engine.of_type("AWS::Events::EventBusPolicy")
