"""What works: doors, queue, rules, state machine, alarms. It holds nothing and may be replaced at will."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import (
    Aws,
    CfnOutput,
    Duration,
    Stack,
)
from aws_cdk import (
    aws_events as events,
)
from aws_cdk import (
    aws_events_targets as targets,
)
from aws_cdk import (
    aws_iam as iam,
)
from aws_cdk import (
    aws_lambda as lambda_,
)
from aws_cdk import (
    aws_sqs as sqs,
)
from aws_cdk.aws_lambda_event_sources import SqsDlq
from constructs import Construct

from grace.model.approval import Approval
from grace.model.records import StopOrder
from grace.stores import keys
from infra.config import Deployment, Mail
from infra.constructs import nag
from infra.constructs.api import Api
from infra.constructs.boundary import boundary
from infra.constructs.doors import DoorFunction, Floor
from infra.constructs.floor_plan import DOORS, WORKFLOW_DOORS, Door
from infra.constructs.intake import Intake
from infra.constructs.names import Names
from infra.constructs.post import Post
from infra.constructs.rights import Rights
from infra.constructs.watch import Watch, alarm_names
from infra.constructs.workflow import Workflow
from infra.stacks.vault import VaultStack

CHECKPOINT_SECONDS = 5
"""A busy log is signed this often."""
BATCH = 25
WORKERS = 8
"""Triage takes up to this many alerts at once, on up to this many workers."""
STREAM = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")
"""Reading a table's stream."""


class EngineStack(Stack):
    """Everything between an alert and its outcome."""

    def __init__(
        self, scope: Construct, deployment: Deployment, vault: VaultStack, catalogue: str, **options: Any
    ) -> None:
        super().__init__(scope, f"{deployment.prefix}-engine", **options)
        self.names = Names(deployment.prefix)
        self.vault = vault
        self.mail = deployment.mail
        self.oidc = deployment.oidc
        self.deployment = deployment
        doors = {door.name: door for door in DOORS}
        self.intake = Intake(
            self,
            names=self.names,
            key=vault.key,
            our_alarms=alarm_names(self.names),
            accounts=deployment.accounts,
            # Six times the worker's time, as Lambda asks, so that a message is never seen twice while it is worked on.
            visibility=Duration.seconds(6 * doors["triage"].timeout),
        )
        self.wakeups_dead = sqs.Queue(
            self,
            "WakeupsDead",
            queue_name=self.names.of("wakeups-dead"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        nag.acknowledge(self.wakeups_dead, nag.DEAD_LETTERS)
        self.floor = Floor(
            self,
            names=self.names,
            key=vault.key,
            retention=deployment.log_retention_days,
            platform=deployment.platform,
            catalogue=catalogue,
        )
        self.api = Api(self, names=self.names)
        self.functions = self._open(DOORS)
        self.workflow = Workflow(
            self,
            names=self.names,
            functions={name: self.functions[name] for name in WORKFLOW_DOORS},
            log=self.floor.log_group(self, "WorkflowLog", f"/aws/vendedlogs/states/{self.names.of('remediation')}"),
        )
        self.api.open(self.functions, self.floor.log_group(self, "ApiLog", f"/aws/vendedlogs/apis/{self.names.prefix}"))
        self._wake(deployment.reap_minutes)
        if self.mail:
            Post(self, names=self.names, ask=self.functions["ask"], dead=self.wakeups_dead)
        Watch(
            self,
            names=self.names,
            notify=vault.notify,
            alerts_dead=self.intake.dead,
            wakeups_dead=self.wakeups_dead,
            reap=self.functions["reap"],
            reap_minutes=deployment.reap_minutes,
            integrate=self.functions["integrate"],
            audit=self.functions["audit"],
        )
        self._tell()

    def _open(self, doors: tuple[Door, ...]) -> dict[str, lambda_.Function]:
        """Make every door with the rights of its row and of what wakes it."""
        rights = Rights(self.vault, self.names, self.mail.sender if self.mail else None, self.deployment.witness_bucket)
        waking = {"triage": self._from_queue, "resolve": self._from_stream, "integrate": self._from_log}
        statements = {
            door.name: [*rights.of(door), *(waking[door.name]() if door.name in waking else [])] for door in doors
        }
        limit = boundary(
            self,
            self.names,
            [
                *(each for door in doors if door.bounded for each in statements[door.name]),
                iam.PolicyStatement(
                    actions=[
                        "logs:CreateLogStream",
                        "logs:PutLogEvents",
                        "xray:PutTelemetryRecords",
                        "xray:PutTraceSegments",
                    ],
                    resources=["*"],
                ),
            ],
        )
        settings = self._settings()
        return {
            door.name: DoorFunction(
                self.floor,
                door,
                statements=statements[door.name],
                environment={
                    f"GRACE_{name.upper()}": settings[name] for name in ("state_table", "log_table", *door.environment)
                },
                boundary=limit if door.bounded else None,
            ).function
            for door in doors
        }

    def _base_url(self, mail: Mail) -> str:
        """Return where links lead: the API's own address, or the configured one with the API's id in it."""
        if mail.base_url is None:
            return self.api.address
        return mail.base_url.replace("{api}", self.api.api.api_id).rstrip("/")

    def _settings(self) -> dict[str, str]:
        """Return every setting a door may be given (`grace.settings`)."""
        return {
            "state_table": self.vault.state.table_name,
            "log_table": self.vault.log.table_name,
            "vault_bucket": self.vault.bucket.bucket_name,
            "vault_key": self.vault.key.key_arn,
            "notify_topic": self.vault.notify.topic_arn,
            "bus": self.names.prefix,
            "state_machine": self.names.machine_arn,
            "contract_function": self.names.of("contract"),
            "ask_function": self.names.of("ask"),
            "link_key": self.vault.link_keys[-1].key_arn,
            "mail_sender": self.mail.sender if self.mail else "",
            "mail_configuration": self.names.prefix if self.mail else "",
            "home": f"{Aws.ACCOUNT_ID}/{Aws.REGION}",
            "execute_role": self.names.role_arn("execute"),
            "rollback_role": self.names.role_arn("rollback"),
            "oidc": self.oidc.model_dump_json() if self.oidc else "",
            "session_key": self.vault.session_key.key_arn if self.vault.session_key else "",
            "base_url": self._base_url(self.mail) if self.mail else "",
            "log_bucket": self.vault.log_bucket.bucket_name,
            "log_lock": self.deployment.log_lock.mode,
            "log_lock_days": str(self.deployment.log_lock.days),
            "log_key": self.vault.log_key.key_arn,
            "log_origin": self.names.log_origin(self.deployment.log_origin),
            "signer_table": self.vault.signer.table_name,
            "sign_function": self.names.of("sign"),
            "witness_bucket": self.deployment.witness_bucket or "",
        }

    def _from_queue(self) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(
                actions=[
                    "sqs:ChangeMessageVisibility",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ReceiveMessage",
                ],
                resources=[self.intake.queue.queue_arn],
            )
        ]

    def _from_log(self) -> list[iam.PolicyStatement]:
        return [iam.PolicyStatement(actions=list(STREAM), resources=[str(self.vault.log.table_stream_arn)])]

    def _from_stream(self) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(actions=list(STREAM), resources=[str(self.vault.state.table_stream_arn)]),
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.wakeups_dead.queue_arn]),
        ]

    def _wake(self, reap_minutes: int) -> None:
        """Connect the doors that the workflow does not call with what wakes them."""
        alerts = lambda_.EventSourceMapping(
            self,
            "AlertsToTriage",
            target=self.functions["triage"],
            event_source_arn=self.intake.queue.queue_arn,
            batch_size=BATCH,
            max_batching_window=Duration.seconds(1),
            max_concurrency=WORKERS,
            report_batch_item_failures=True,
        )
        lambda_.EventSourceMapping(
            self,
            "ChangesToResolve",
            target=self.functions["resolve"],
            event_source_arn=self.vault.state.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=BATCH,
            bisect_batch_on_error=True,
            max_record_age=Duration.hours(6),
            retry_attempts=20,
            report_batch_item_failures=True,
            on_failure=SqsDlq(self.wakeups_dead),
            filters=self._worth_waking(),
        )
        # A lost draft is found by the sweep, so an old one need not be carried on.
        self.functions["contract"].configure_async_invoke(max_event_age=Duration.minutes(5), retry_attempts=2)
        sweep = events.Rule(
            self,
            "Sweep",
            description="Grace: looks for what got stuck or lost",
            schedule=events.Schedule.rate(Duration.minutes(reap_minutes)),
            targets=[
                targets.LambdaFunction(
                    self.functions["reap"], retry_attempts=2, max_event_age=Duration.minutes(reap_minutes)
                )
            ],
        )

        nag.acknowledge(self._ring(), nag.WAKING)
        for name, about, every, door in (
            ("Integration", "takes into the tree what nobody rang for", Duration.minutes(1), "integrate"),
            ("Verification", "checks what is new in the log", Duration.minutes(15), "audit"),
        ):
            rule = events.Rule(
                self,
                name,
                description=f"Grace: {about}",
                schedule=events.Schedule.rate(every),
                targets=[targets.LambdaFunction(self.functions[door], retry_attempts=0, max_event_age=every)],
            )
            # It comes again by itself; a second run beside the next would only find less to do.
            self.functions[door].configure_async_invoke(max_event_age=Duration.minutes(1), retry_attempts=0)
            nag.acknowledge(rule, nag.WAKING)
            nag.acknowledge(self.functions[door], nag.WAKING)
        nightly = events.Rule(
            self,
            "WholeVerification",
            description="Grace: derives the whole log again",
            schedule=events.Schedule.rate(Duration.days(1)),
            targets=[
                targets.LambdaFunction(
                    self.functions["audit"], event=events.RuleTargetInput.from_object({"full": True}), retry_attempts=0
                )
            ],
        )
        nag.acknowledge(nightly, nag.WAKING)

        nag.acknowledge(alerts, nag.WAKING)
        nag.acknowledge(sweep, nag.WAKING)
        nag.acknowledge(self.functions["contract"], nag.WAKING)

    def _ring(self) -> lambda_.EventSourceMapping:
        """Let new entries wake the integrator. It looks for itself, so a ring that is lost is no loss: the minute comes."""
        return lambda_.EventSourceMapping(
            self,
            "EntriesToIntegrate",
            target=self.functions["integrate"],
            event_source_arn=self.vault.log.table_stream_arn,
            starting_position=lambda_.StartingPosition.LATEST,
            batch_size=1000,
            # No more often than checkpoints may be made while the log is busy.
            max_batching_window=Duration.seconds(CHECKPOINT_SECONDS),
            max_record_age=Duration.minutes(1),
            retry_attempts=1,
            filters=[
                lambda_.FilterCriteria.filter(
                    {
                        "eventName": ["INSERT"],
                        "dynamodb": {
                            "Keys": {
                                keys.PARTITION: {"S": [{"prefix": keys.LANE_ROWS}]},
                                keys.SORT: {"S": [{"prefix": keys.ENTRY_ROWS}]},
                            }
                        },
                    }
                )
            ],
        )

    def _worth_waking(self) -> list[Mapping[str, Any]]:
        """Return the stream's filters: approvals, and orders to stop. Nothing else concerns `resolve`."""
        places = [keys.members(kind, ("",)) for kind in (Approval, StopOrder)]
        return [
            lambda_.FilterCriteria.filter(
                {
                    "eventName": ["INSERT", "MODIFY"],
                    "dynamodb": {
                        "Keys": {
                            keys.PARTITION: {"S": [{"prefix": partition}]},
                            keys.SORT: {"S": [{"prefix": sort}]},
                        }
                    },
                }
            )
            for partition, sort in places
        ]

    def _tell(self) -> None:
        for name, value in {
            "AlertQueueUrl": self.intake.queue.queue_url,
            "AlarmTopicArn": self.intake.topic.topic_arn,
            "BusName": self.intake.bus.event_bus_name,
            "StateMachineArn": self.workflow.machine.state_machine_arn,
            "AnswerFunction": self.functions["answer"].function_name,
            "RollbackFunction": self.functions["rollback"].function_name,
            "ReapFunction": self.functions["reap"].function_name,
            "IntegrateFunction": self.functions["integrate"].function_name,
            "AuditFunction": self.functions["audit"].function_name,
            "ApiUrl": f"{self.api.api.api_endpoint}/",
        }.items():
            CfnOutput(self, name, value=value)
