"""The rights of the floor plan as IAM statements. What is not written here, no role may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from grace.model.contract import ContractHead
from grace.model.entry import ref
from grace.model.log import CHECKPOINT, KEPT, TILES, VKEY
from grace.stores import keys
from infra.constructs import authority
from infra.constructs.floor_plan import Door, Right
from infra.constructs.names import Names
from infra.stacks.vault import VaultStack

PUT = "dynamodb:PutItem"
ITEMS = ("dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", PUT, "dynamodb:Query")
"""Reading and committing: a transaction is authorised as the puts and checks in it. A delete, an update in place or a
scan is in no role: what is written is written whole, under a condition, and nothing is searched for."""

LEADING = "ForAllValues:StringLike"
"""Every row that a call writes is below one of these partitions."""

SNAPSHOTS, QUARANTINE = "snapshots/", "quarantine/"
"""The two folders of the vault."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Turns a door's rights into statements."""

    vault: VaultStack
    names: Names
    sender: str | None
    """The address mail comes from; without one nobody may send any."""
    witness: str | None
    """The bucket of others that keeps copies of checkpoints; without one there are none."""

    def of(self, door: Door) -> list[iam.PolicyStatement]:
        """Return everything the door's role may do, apart from writing its own log and trace."""
        rows: dict[Right, Callable[[], list[iam.PolicyStatement]]] = {
            Right.STATE: self._state,
            Right.DECIDE: lambda: self._state(keys.key(ref(ContractHead, "*")).pk),
            Right.QUARANTINE: lambda: self._objects(QUARANTINE, writing=True),
            Right.SNAPSHOT_WRITE: lambda: self._objects(SNAPSHOTS, writing=True),
            Right.SNAPSHOT_READ: lambda: self._objects(SNAPSHOTS, writing=False),
            Right.SEAL: lambda: [_allow(["kms:Encrypt"], self.vault.key.key_arn, **self._sealed())],
            Right.UNSEAL: lambda: [_allow(["kms:Decrypt"], self.vault.key.key_arn, **self._sealed())],
            Right.MINT: lambda: [_allow(["kms:GenerateMac"], self.vault.link_keys[-1].key_arn)],
            Right.SESSION: self._session,
            Right.VERIFY_LINK: lambda: [
                _allow(["kms:VerifyMac"], *(key.key_arn for key in self.vault.link_keys[-2:])),
            ],
            Right.LINK_KEYS: lambda: [
                _allow(["kms:DescribeKey"], *(key.key_arn for key in self.vault.link_keys)),
            ],
            Right.REMIND: lambda: [_allow(["lambda:InvokeFunction"], self.names.function_arn("ask"))],
            Right.MAIL: self._mail,
            Right.NOTIFY: self._notify,
            Right.PUBLISH: lambda: [_allow(["events:PutEvents"], self.names.bus_arn)],
            Right.DRAFT: lambda: [_allow(["lambda:InvokeFunction"], self.names.function_arn("contract"))],
            Right.ALARMS: lambda: [_allow(["cloudwatch:DescribeAlarms"], "*")],
            Right.METRICS: lambda: [_allow(["cloudwatch:GetMetricData"], "*")],
            Right.PROBES: lambda: [grant.statement() for grant in authority.observations()],
            Right.PROOFS: lambda: [grant.statement() for grant in authority.proofs()],
            Right.TARGET_READ: lambda: [grant.statement() for grant in authority.reads()],
            Right.TARGET_ACT: lambda: [grant.statement() for grant in authority.acts()],
            Right.TARGET_RESTORE: lambda: [grant.statement() for grant in authority.writes()],
            Right.SIMULATE: lambda: [
                _allow(
                    ["iam:SimulatePrincipalPolicy"], *(self.names.role_arn(door) for door in ("execute", "rollback"))
                )
            ],
            Right.START: lambda: [
                _allow(["states:StartExecution"], self.names.machine_arn),
                _allow(["states:DescribeExecution"], self.names.executions_arn),
            ],
            Right.STOP: lambda: [
                _allow(["states:DescribeExecution", "states:StopExecution"], self.names.executions_arn),
            ],
            Right.WAKE: lambda: [_allow(["states:SendTaskSuccess"], self.names.machine_arn)],
            Right.LOG_HEAD: lambda: [
                _allow(["dynamodb:BatchGetItem"], self.vault.log.table_arn),
                _allow(["dynamodb:PutItem"], self.vault.log.table_arn, conditions=_below(keys.tree_head().pk)),
            ],
            Right.LOG_ROWS: lambda: [_allow(["dynamodb:BatchGetItem"], self.vault.log.table_arn)],
            Right.LOG_READ: lambda: [
                _allow(["s3:GetObject"], f"{self.vault.log_bucket_arn}/*"),
                # Without it, what is not there cannot be told from what may not be seen.
                _allow(["s3:ListBucket"], self.vault.log_bucket_arn),
            ],
            Right.LOG_TILES: lambda: [
                _allow(
                    ["s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectTagging"],
                    f"{self.vault.log_bucket_arn}/{TILES}*",
                ),
            ],
            Right.LOG_VERSIONS: lambda: [
                _allow(["s3:ListBucketVersions"], self.vault.log_bucket_arn),
                _allow(["s3:GetObjectRetention", "s3:GetObjectVersion"], f"{self.vault.log_bucket_arn}/*"),
            ],
            Right.LOG_CHECKPOINTS: lambda: [
                _allow(
                    ["s3:PutObject"],
                    *(f"{self.vault.log_bucket_arn}/{path}" for path in (CHECKPOINT, f"{KEPT}*", VKEY)),
                ),
            ],
            Right.LOG_KEY: lambda: [_allow(["kms:GetPublicKey"], self.vault.log_key.key_arn)],
            Right.LOG_SIGN: lambda: [
                _allow(
                    ["kms:Sign"],
                    self.vault.log_key.key_arn,
                    conditions={
                        "StringEqualsIfExists": {"kms:SigningAlgorithm": "ED25519_SHA_512", "kms:MessageType": "RAW"},
                    },
                ),
            ],
            Right.RECORD: lambda: [
                _allow(["dynamodb:BatchGetItem", "dynamodb:PutItem"], self.vault.signer.table_arn),
            ],
            Right.RECORD_READ: lambda: [_allow(["dynamodb:BatchGetItem"], self.vault.signer.table_arn)],
            Right.ASK_SIGNER: lambda: [_allow(["lambda:InvokeFunction"], self.names.function_arn("sign"))],
            Right.WITNESS: lambda: self._witness(["s3:GetObject", "s3:PutObject"]),
            Right.WITNESS_READ: lambda: self._witness(["s3:GetObject"]),
        }
        return [statement for right in door.rights for statement in rows[right]()]

    def _state(self, *partitions: str) -> list[iam.PolicyStatement]:
        """Of the log: lanes and marks of commands. The tree's head is not among them, nor the signer's table.

        Of the state: everything, or writing below `partitions` only.
        """
        state, log = self.vault.state.table_arn, self.vault.log.table_arn
        read = [each for each in ITEMS if each != PUT]
        tables = (state, f"{state}/index/{keys.OPEN_INDEX}")
        return [
            *(
                [_allow(read, *tables), _allow([PUT], state, conditions=_below(*partitions))]
                if partitions
                else [_allow(list(ITEMS), *tables)]
            ),
            _allow(list(ITEMS), log, conditions=_below(f"{keys.LANE_ROWS}*", f"{keys.COMMAND_ROWS}*")),
        ]

    def _witness(self, actions: list[str]) -> list[iam.PolicyStatement]:
        if self.witness is None:
            return []
        bucket = f"arn:{Aws.PARTITION}:s3:::{self.witness}"
        return [
            _allow(actions, f"{bucket}/{KEPT}*"),
            _allow(["s3:ListBucket"], bucket),
        ]

    def _objects(self, folder: str, *, writing: bool) -> list[iam.PolicyStatement]:
        """Who writes may read too: an object that is there already is compared before it counts as written."""
        through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{Aws.REGION}.{Aws.URL_SUFFIX}"}}
        return [
            _allow(["s3:GetObject", *(["s3:PutObject"] if writing else [])], f"{self.vault.bucket_arn}/{folder}*"),
            _allow(
                ["kms:Decrypt", *(["kms:GenerateDataKey"] if writing else [])],
                self.vault.key.key_arn,
                conditions=through_s3,
            ),
        ]

    def _sealed(self) -> dict[str, dict[str, dict[str, str]]]:
        """Only called directly: not through a service, so never for an object of the bucket or a topic."""
        return {"conditions": {"Null": {"kms:ViaService": "true"}}}

    def _session(self) -> list[iam.PolicyStatement]:
        """Nothing where nobody signs in: then there is no such key."""
        key = self.vault.session_key
        return [_allow(["kms:GenerateMac", "kms:VerifyMac"], key.key_arn)] if key else []

    def _mail(self) -> list[iam.PolicyStatement]:
        """From one address, whether it was verified by itself or with its domain, and with tracking off."""
        if self.sender is None:
            return []
        identities = [self.names.identity_arn(name) for name in (self.sender, self.sender.rpartition("@")[2])]
        return [
            _allow(
                ["ses:SendEmail"],
                *identities,
                self.names.configuration_set_arn,
                conditions={"StringEquals": {"ses:FromAddress": self.sender}},
            )
        ]

    def _notify(self) -> list[iam.PolicyStatement]:
        through_sns = {"StringEquals": {"kms:ViaService": f"sns.{Aws.REGION}.{Aws.URL_SUFFIX}"}}
        return [
            _allow(["sns:Publish"], self.vault.notify.topic_arn),
            _allow(["kms:Decrypt", "kms:GenerateDataKey"], self.vault.key.key_arn, conditions=through_sns),
        ]


def _below(*partitions: str) -> dict[str, dict[str, list[str]]]:
    return {LEADING: {"dynamodb:LeadingKeys": list(partitions)}}


def _allow(
    actions: list[str], *resources: str, conditions: Mapping[str, Mapping[str, str | list[str]]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=list(resources), conditions=dict(conditions or {}) or None)
