"""The API for people and machines: HTTPS, signed by an IAM identity, nothing public."""

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

from infra.constructs.names import Names

ROUTES = {"/decide": "answer", "/operate": "operate"}
"""Each is a POST; the door learns the caller's identity from the authoriser, never from the body."""

RATE, BURST = 20, 40
"""Requests a second that a deployment of people needs with room to spare."""


class Api(Construct):
    """One HTTP API with a stage that is throttled and logs who asked, without what they said."""

    def __init__(
        self, scope: Construct, *, names: Names, functions: Mapping[str, lambda_.IFunction], log: logs.ILogGroup
    ) -> None:
        super().__init__(scope, "Api")
        self.api = apigateway.HttpApi(
            self,
            "Http",
            api_name=names.prefix,
            description="Grace: decisions and buttons",
            create_default_stage=False,
            default_authorizer=authorizers.HttpIamAuthorizer(),
        )
        for path, door in ROUTES.items():
            self.api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod.POST],
                integration=integrations.HttpLambdaIntegration(f"{door.capitalize()}Integration", functions[door]),
            )
        stage = apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.api.api_id,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=RATE, throttling_burst_limit=BURST, detailed_metrics_enabled=False
            ),
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log.log_group_arn,
                format='{"requestId":"$context.requestId","caller":"$context.identity.userArn","route":"$context.routeKey",'
                '"status":"$context.status","time":"$context.requestTimeEpoch"}',
            ),
        )
        stage.node.add_dependency(self.api)
