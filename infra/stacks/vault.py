"""What is kept: state, log, snapshots, the key, and the topic through which people hear. Never deleted with the stack."""

from __future__ import annotations

from typing import Any

from aws_cdk import (
    Aws,
    CfnOutput,
    Duration,
    RemovalPolicy,
    Stack,
)
from aws_cdk import (
    aws_dynamodb as dynamodb,
)
from aws_cdk import (
    aws_iam as iam,
)
from aws_cdk import (
    aws_kms as kms,
)
from aws_cdk import (
    aws_s3 as s3,
)
from aws_cdk import (
    aws_sns as sns,
)
from aws_cdk import (
    aws_sns_subscriptions as subscriptions,
)
from constructs import Construct

from grace.model.log import KEPT, TILES, VKEY
from grace.stores import keys
from grace.stores.archive import PARTIAL
from infra.config import Deployment, Lock
from infra.constructs import nag
from infra.constructs.names import Names

PARTIAL_DAYS = 30
"""What a full tile has replaced is kept so long. A tile of the lowest row is full after three days at the latest: the
verifier's own entries alone fill it."""


class VaultStack(Stack):
    """Tables, bucket, key and the topic `notify`."""

    def __init__(self, scope: Construct, deployment: Deployment, **options: Any) -> None:
        super().__init__(scope, f"{deployment.prefix}-vault", **options)
        self.names = Names(deployment.prefix)
        self.key = self._key()
        self.link_keys = self._link_keys(deployment.link_key)
        self.session_key = self._session_key() if deployment.oidc else None
        self.state = self._table("State", "state")
        self.state.add_global_secondary_index(
            index_name=keys.OPEN_INDEX,
            partition_key=_text(keys.OPEN_PARTITION),
            sort_key=_text(keys.OPEN_SORT),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.log = self._table("Log", "log")
        self.signer = self._table("Signer", "signer")
        self.log_key = self._log_key()
        self.access_logs = self._access_logs(deployment)
        self.bucket = self._bucket(deployment)
        # Exported by hand, so that the text of a policy on it is known before the synth and can be answered for.
        self.bucket_arn = self.export_value(self.bucket.bucket_arn)
        self.log_bucket = self._log_bucket(deployment.log_lock)
        self.log_bucket_arn = self.export_value(self.log_bucket.bucket_arn)
        self.notify = self._topic(deployment)

        CfnOutput(self, "StateTable", value=self.state.table_name)
        CfnOutput(self, "LogTable", value=self.log.table_name)
        CfnOutput(self, "VaultBucket", value=self.bucket.bucket_name)
        CfnOutput(self, "VaultKey", value=self.key.key_arn)
        CfnOutput(self, "LogBucket", value=self.log_bucket.bucket_name)
        CfnOutput(self, "LogKey", value=self.log_key.key_arn)
        CfnOutput(self, "LogOrigin", value=self.names.log_origin(deployment.log_origin))
        # The key itself is known only when KMS has made it: the first signature puts it there.
        CfnOutput(self, "LogVkey", value=f"s3://{self.log_bucket.bucket_name}/{VKEY}")
        CfnOutput(self, "NotifyTopicArn", value=self.notify.topic_arn)

    def _key(self) -> kms.Key:
        """One key for everything at rest. Services of AWS may use it for what belongs to this account alone."""
        key = kms.Key(
            self,
            "Key",
            alias=f"alias/{self.names.prefix}",
            description="Grace: snapshots, logs, topics and sealed values",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroupsOfThisAccount",
                principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": (
                            f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
                        )
                    }
                },
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        return key

    def _link_keys(self, newest: int) -> list[kms.Key]:
        """The HMAC keys of approval links, the newest last: that one mints, the one before it is still checked.

        KMS does not rotate HMAC keys by itself: the number in the configuration is raised, and the alias moves. A key
        rotated twice since is disabled. All are exported by hand, so that none that ages is held fast by its export.
        """
        keys = [
            kms.Key(
                self,
                f"LinkKey{number}",
                description=f"Grace: proofs in approval links, number {number}",
                key_spec=kms.KeySpec.HMAC_256,
                key_usage=kms.KeyUsage.GENERATE_VERIFY_MAC,
                enabled=number >= newest - 1,
                removal_policy=RemovalPolicy.RETAIN,
            )
            for number in range(1, newest + 1)
        ]
        kms.Alias(self, "LinkKeyAlias", alias_name=f"alias/{self.names.of('link')}", target_key=keys[-1])
        for key in keys:
            self.export_value(key.key_arn)
        return keys

    def _session_key(self) -> kms.Key:
        """The key of what browsers carry while somebody signs in: `answer` makes such MACs, and never one for a link."""
        return kms.Key(
            self,
            "SessionKey",
            description="Grace: proofs in cookies of who signed in",
            key_spec=kms.KeySpec.HMAC_256,
            key_usage=kms.KeyUsage.GENERATE_VERIFY_MAC,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _log_key(self) -> kms.Key:
        """The key that checkpoints are signed with: one role may use it, whatever any other policy says."""
        key = kms.Key(
            self,
            "SigningKey",
            alias=f"alias/{self.names.of('log')}",
            description="Grace: signs the checkpoints of the audit log",
            key_spec=kms.KeySpec.ECC_NIST_EDWARDS25519,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=RemovalPolicy.RETAIN,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="NobodyElseSigns",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["kms:Sign"],
                resources=["*"],
                # A session of the role is named after the role on AWS, and as a session in the embedded engine.
                conditions={
                    "ArnNotLike": {"aws:PrincipalArn": [self.names.role_arn("sign"), self.names.session_arn("sign")]}
                },
            )
        )
        return key

    def _log_bucket(self, lock: Lock) -> s3.Bucket:
        """The log's tiles, bundles and checkpoints: nobody can delete or change a version before its time is over.

        Not under a key of ours: what outsiders are to read must not be lost with a key.
        No version is put over another either: a role that was stolen would leave the condition out.
        """
        days = Duration.days(lock.days)
        bucket = s3.Bucket(
            self,
            "LogObjects",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            object_lock_enabled=True,
            object_lock_default_retention=(
                s3.ObjectLockRetention.compliance(days)
                if lock.mode == "COMPLIANCE"
                else s3.ObjectLockRetention.governance(days)
            ),
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix="log/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="replaced",
                    tag_filters={PARTIAL.partition("=")[0]: PARTIAL.partition("=")[2]},
                    expiration=Duration.days(PARTIAL_DAYS),
                    noncurrent_version_expiration=Duration.days(1),
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="WrittenOnce",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(path) for path in (f"{TILES}*", f"{KEPT}*", VKEY)],
                conditions={"Null": {"s3:if-none-match": "true"}},
            )
        )
        nag.acknowledge(bucket, nag.BUCKETS, nag.LOG_OBJECTS)
        return bucket

    def _table(self, title: str, part: str) -> dynamodb.Table:
        # Table, not TableV2: the embedded engine drops deletion protection and backups of the newer one.
        table = dynamodb.Table(
            self,
            title,
            table_name=self.names.of(part),
            partition_key=_text(keys.PARTITION),
            sort_key=_text(keys.SORT),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=keys.EXPIRES,
            # Who is woken by a change reads it from the table itself, consistently.
            stream=dynamodb.StreamViewType.KEYS_ONLY,
            deletion_protection=True,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=RemovalPolicy.RETAIN,
        )
        nag.acknowledge(table, nag.TABLES)
        return table

    def _access_logs(self, deployment: Deployment) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(deployment.log_retention_days),
                    noncurrent_version_expiration=Duration.days(7),
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
        nag.acknowledge(bucket, nag.BUCKETS, nag.ACCESS_LOGS)
        return bucket

    def _bucket(self, deployment: Deployment) -> s3.Bucket:
        """Snapshots and quarantined messages: written once, never overwritten, kept as long as configured."""
        bucket = s3.Bucket(
            self,
            "Vault",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            versioned=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix="vault/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(deployment.vault_retention_days),
                    noncurrent_version_expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
        nag.acknowledge(bucket, nag.BUCKETS)
        return bucket

    def _topic(self, deployment: Deployment) -> sns.Topic:
        """What a person should hear. Our alarms speak here too, of this account alone."""
        topic = sns.Topic(self, "Notify", topic_name=self.names.of("notify"), master_key=self.key, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {
                        "aws:SourceArn": (
                            f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:{self.names.prefix}-*"
                        )
                    },
                },
            )
        )
        if deployment.notify_email:
            topic.add_subscription(subscriptions.EmailSubscription(deployment.notify_email))
            nag.acknowledge(topic, nag.MAIL)
        return topic


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
