"""The one place where rooms are put together. The only module that may import every room."""

from __future__ import annotations

import importlib.util
import os
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grace.errors import InvalidSetting, PolicyUnreadable
from grace.settings import Settings, from_environment
from grace.starting import staying

if TYPE_CHECKING:
    from botocore.session import Session

    from grace.diagnoses.rulebook import Rulebook
    from grace.log_ports import Archive, LogTable, Notary, SignerRecord, Signing, Witness
    from grace.model.catalogue import Catalogue
    from grace.ports import (
        Alarms,
        Aws,
        Clock,
        Fetch,
        Issuer,
        Letters,
        Macs,
        Mail,
        Messages,
        Metrics,
        Permissions,
        Policy,
        Sdk,
        Sealer,
        Sessions,
        Store,
        Telemetry,
        Vault,
        Workflow,
    )

DATA = "grace_data"
"""The package that the data layer brings: `catalogue.json` beside its `__init__.py`."""


class AwsServices:
    """`ports.Services` on AWS. Each part is made, and its module imported, at its first use."""

    def __init__(self, settings: Settings, session: Sdk, catalogue: Path | None = None) -> None:
        """Keep settings and session; `catalogue` is the data file, where it is not the data layer's."""
        self._settings = settings
        self._session = session
        self._catalogue = catalogue

    @cached_property
    def clock(self) -> Clock:
        """The system's clock."""
        from grace.gateways.clock import SystemClock

        return SystemClock()

    @cached_property
    def store(self) -> Store:
        """State and log in DynamoDB."""
        from grace.stores.calling import client
        from grace.stores.dynamo import DynamoStore

        settings = self._settings
        return DynamoStore(client(self._session, "dynamodb"), settings.state_table, settings.log_table, settings.lanes)

    @cached_property
    def vault(self) -> Vault:
        """Objects in S3."""
        from grace.stores.calling import client
        from grace.stores.s3 import S3Vault

        return S3Vault(client(self._session, "s3"), self._settings.need("vault_bucket"))

    @cached_property
    def log(self) -> LogTable:
        """The log's rows in DynamoDB."""
        from grace.stores.calling import client
        from grace.stores.log import DynamoLog

        return DynamoLog(client(self._session, "dynamodb"), self._settings.log_table, self._settings.lanes)

    @cached_property
    def archive(self) -> Archive:
        """The log's objects in S3."""
        from grace.stores.archive import S3Archive
        from grace.stores.calling import client

        settings = self._settings
        return S3Archive(
            client(self._session, "s3"),
            settings.need("log_bucket"),
            settings.log_lock,
            days=settings.log_lock_days,
        )

    @cached_property
    def record(self) -> SignerRecord:
        """The signer's own table."""
        from grace.stores.calling import client
        from grace.stores.log import DynamoSignerRecord

        return DynamoSignerRecord(client(self._session, "dynamodb"), self._settings.need("signer_table"))

    @cached_property
    def signing(self) -> Signing:
        """The log's key in KMS."""
        from grace.gateways.signing import KmsSigning

        return KmsSigning(self.aws, self._settings.need("log_key"), self._settings.need("log_origin"))

    @cached_property
    def notary(self) -> Notary:
        """The door `sign`."""
        from grace.gateways.signing import LambdaNotary

        return LambdaNotary(self.aws, self._settings.need("sign_function"))

    @cached_property
    def witness(self) -> Witness | None:
        """The bucket for copies of checkpoints, where one is configured."""
        from grace.stores.archive import S3Witness
        from grace.stores.calling import client

        bucket = self._settings.witness_bucket
        return S3Witness(client(self._session, "s3"), bucket) if bucket else None

    @cached_property
    def aws(self) -> Aws:
        """The services acted on, with this function's own authority."""
        from grace.gateways.aws import BotoAws

        return BotoAws(self._session)

    @cached_property
    def metrics(self) -> Metrics:
        """CloudWatch series."""
        from grace.gateways.metrics import CloudWatchMetrics

        return CloudWatchMetrics(self.aws)

    @cached_property
    def alarms(self) -> Alarms:
        """CloudWatch alarms."""
        from grace.gateways.alarms import CloudWatchAlarms

        return CloudWatchAlarms(self.aws, self._settings.notify_topic)

    @cached_property
    def workflow(self) -> Workflow:
        """The state machine."""
        from grace.gateways.workflow import StepFunctionsWorkflow

        return StepFunctionsWorkflow(self.aws, self._settings.need("state_machine"))

    @cached_property
    def messages(self) -> Messages:
        """People, bus and the `contract` door."""
        from grace.gateways.messages import AwsMessages

        settings = self._settings
        return AwsMessages(
            self.aws,
            topic=settings.notify_topic,
            bus=settings.bus,
            contract_function=settings.contract_function,
            ask_function=settings.ask_function,
        )

    @cached_property
    def sealer(self) -> Sealer:
        """Small secrets under the vault's key."""
        from grace.gateways.sealer import KmsSealer

        return KmsSealer(self.aws, self._settings.need("vault_key"))

    @cached_property
    def macs(self) -> Macs:
        """Proofs under the link key; a door that only checks them is not given its name."""
        from grace.gateways.macs import KmsMacs

        return KmsMacs(self.aws, self._settings.link_key)

    @cached_property
    def mail(self) -> Mail:
        """Letters through SES."""
        from grace.gateways.mail import SesMail

        settings = self._settings
        return SesMail(
            self.aws,
            sender=settings.mail_sender,
            configuration=settings.mail_configuration,
            base_url=settings.base_url,
        )

    @cached_property
    def letters(self) -> Letters:
        """Mail from templates."""
        from grace.web.letters import TemplateLetters

        return TemplateLetters()

    @cached_property
    def sessions(self) -> Sessions:
        """What a browser carries for us, under a key that proves no link."""
        from grace.gateways.macs import KmsMacs
        from grace.gateways.sessions import MacSessions

        key = self._settings.need("session_key")
        return MacSessions(KmsMacs(self.aws, key), key)

    @cached_property
    def issuer(self) -> Issuer:
        """The identity provider, or one at which nobody can sign in."""
        from grace.gateways.issuer import NoIssuer, OidcIssuer
        from grace.model.signin import Provider

        oidc = self._settings.oidc
        return OidcIssuer(Provider.model_validate_json(oidc)) if oidc else NoIssuer()

    @cached_property
    def permissions(self) -> Permissions:
        """What the roles that act may do."""
        from grace.gateways.permissions import SimulatedPermissions

        settings = self._settings
        return SimulatedPermissions(
            self.aws, execute=settings.need("execute_role"), rollback=settings.need("rollback_role")
        )

    @cached_property
    def fetch(self) -> Fetch:
        """HTTP under the SSRF rules."""
        from grace.gateways.fetch import HttpFetch

        return HttpFetch(self.catalogue.http_hosts)

    @cached_property
    def policy(self) -> Policy:
        """The deployment's policies under the constitution; raises `PolicyUnreadable` when they are not as deployed."""
        from grace.gateways.cedar import CedarPolicy
        from grace.policy.sources import constitution, digest

        source = self.catalogue.policy
        if digest(source.files, source.own_schema) != source.digest:
            raise PolicyUnreadable("the policies are not those that were checked at synth: deploy the stack again")
        account, _, region = self._settings.need("home").partition("/")
        return CedarPolicy(
            (constitution(), *source.files), source.own_schema, source.digest, account=account, region=region
        )

    @cached_property
    def telemetry(self) -> Telemetry:
        """Log lines and metrics."""
        from grace.telemetry import telemetry

        return telemetry()

    @cached_property
    def catalogue(self) -> Catalogue:
        """Playbooks, rules, people and modes, as bundled at synth; raises `InvalidSetting` when the layer is missing."""
        from grace.model.catalogue import Catalogue

        path = self._catalogue or _data_file()
        return Catalogue.model_validate_json(path.read_bytes())

    @cached_property
    def rulebook(self) -> Rulebook:
        """The diagnosis rules, indexed."""
        from grace.diagnoses.rulebook import Rulebook

        return Rulebook(self.catalogue.rules)


class LeanSdk:
    """`ports.Sdk` over botocore alone: boto3 also loads transfer managers and process pools that no door uses."""

    def __init__(self) -> None:
        """Take credentials and region as Lambda gives them; nothing is opened."""
        self._session = lean_session()

    def client(self, service: str, *, config: Any) -> Any:
        """Return a client."""
        with staying():
            return self._session.create_client(service, config=config)


def lean_session() -> Session:
    """Return an SDK session that reads times quickly; a measurement's answers hold hundreds."""
    from botocore.session import Session

    session = Session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    return session


def _moment(value: Any) -> datetime:
    """Return a time of an answer. The SDK's own reader asks the rules of the local time zone about each number."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    from botocore.utils import parse_timestamp

    found: datetime = parse_timestamp(value)
    return found


@cache
def services() -> AwsServices:
    """Return this function's services, made once per worker from its environment."""
    with staying():
        return AwsServices(from_environment(os.environ), LeanSdk())


def _data_file() -> Path:
    found = importlib.util.find_spec(DATA)
    if found is None or found.origin is None:
        raise InvalidSetting(f"the data layer ({DATA}) is missing from this function: deploy the stack again")
    return Path(found.origin).with_name("catalogue.json")
