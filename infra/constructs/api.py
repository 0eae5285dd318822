"""The API for people and machines: HTTPS, signed by an IAM identity; public is the approval page alone."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import (
    aws_apigatewayv2 as apigateway,
)
from aws_cdk import (
    aws_apigatewayv2_authorizers as authorizers,
)
from aws_cdk import (
    aws_apigatewayv2_integrations as integrations,
)
from aws_cdk import (
    aws_lambda as lambda_,
)
from aws_cdk import (
    aws_logs as logs,
)
from constructs import Construct

from infra.constructs import nag
from infra.constructs.names import Names

ROUTES = {"/decide": "answer", "/operate": "operate"}
"""Each is a POST; the door learns the caller's identity from the authoriser, never from the body."""

PUBLIC: tuple[tuple[str, str], ...] = (
    ("GET", "/a/{token}"),
    ("HEAD", "/a/{token}"),
    ("OPTIONS", "/a/{token}"),
    ("OPTIONS", "/a"),
    ("POST", "/a"),
    ("GET", "/a/login"),
    ("GET", "/a/callback"),
)
"""What anybody may ask, all of it answered by `answer`: what a link proves is proved there."""

RATE, BURST = 20, 40
"""Requests a second that a deployment of people needs with room to spare."""
PUBLIC_RATE, PUBLIC_BURST = 5, 20
"""The same for each public route: people read slowly, whatever else asks may wait."""


class Api(Construct):
    """One HTTP API with a stage that is throttled and logs who asked, without what they said."""

    def __init__(self, scope: Construct, *, names: Names) -> None:
        super().__init__(scope, "Api")
        self.api = apigateway.HttpApi(
            self,
            "Http",
            api_name=names.prefix,
            description="Grace: decisions and buttons",
            create_default_stage=False,
            default_authorizer=authorizers.HttpIamAuthorizer(),
        )

    @property
    def address(self) -> str:
        """Where it is reached, unless the deployment says otherwise."""
        return self.api.api_endpoint

    def open(self, functions: Mapping[str, lambda_.IFunction], log: logs.ILogGroup) -> None:
        """Make the routes to the doors, and the stage."""
        for path, door in ROUTES.items():
            self.api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod.POST],
                integration=integrations.HttpLambdaIntegration(f"{door.capitalize()}Integration", functions[door]),
            )
        page = integrations.HttpLambdaIntegration("PageIntegration", functions["answer"])
        for method, path in PUBLIC:
            for route in self.api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod(method)],
                integration=page,
                authorizer=apigateway.HttpNoneAuthorizer(),
            ):
                nag.acknowledge(route, nag.PUBLIC_ROUTES)
        stage = apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.api.api_id,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=RATE, throttling_burst_limit=BURST, detailed_metrics_enabled=False
            ),
            route_settings={
                f"{method} {path}": {"ThrottlingRateLimit": PUBLIC_RATE, "ThrottlingBurstLimit": PUBLIC_BURST}
                for method, path in PUBLIC
            },
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log.log_group_arn,
                format='{"requestId":"$context.requestId","caller":"$context.identity.userArn","route":"$context.routeKey",'
                '"status":"$context.status","time":"$context.requestTimeEpoch"}',
            ),
        )
        stage.node.add_dependency(self.api)
