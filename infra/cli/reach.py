"""Where the command finds Grace: the embedded engine of this checkout when it runs, else the AWS account of the caller.

Everything is read from what is deployed: names from the outputs of the two stacks, playbooks and people from the data
layer. Nothing is taken from this checkout's configuration, which may say something else.
"""

from __future__ import annotations

import http.client
import io
import ssl
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError

from grace.bootstrap import AwsServices
from grace.errors import AccessDenied, BadRequest, NotFound
from grace.gateways.aws import BotoAws
from grace.model.catalogue import Catalogue
from grace.settings import Settings
from infra.cli.errors import CommandError
from infra.local.engine import HOST, Engine, EngineState
from infra.local.paths import ROOT

if TYPE_CHECKING:
    from grace.ports import Aws

STACKS = ("vault", "engine")
CATALOGUE = "python/grace_data/catalogue.json"
DEMO_ROLE = "grace-demo-{person}"
_DOWNLOAD_SECONDS = 20


class EngineSession:
    """A boto3 session of the embedded engine: clients are made for its address and authority, whatever the environment."""

    def __init__(self, state: EngineState) -> None:
        """Keep the engine's state."""
        self._arguments = state.client_arguments()
        self._session = boto3.Session()

    def client(self, service: str, **options: Any) -> Any:
        """Return a client of the engine."""
        return self._session.client(service, **(self._arguments | options))


class DeployedServices(AwsServices):
    """`ports.Services` for a person's session, with the catalogue that was deployed."""

    def __init__(self, settings: Settings, session: Any, reach: Reach) -> None:
        """Keep where the catalogue is found, too."""
        super().__init__(settings, session)
        self._reach = reach

    @cached_property
    def catalogue(self) -> Catalogue:
        """Playbooks, rules, people and modes as they are deployed."""
        return Catalogue.model_validate_json(self._reach.data_file())


@dataclass
class Reach:
    """One deployment, as the caller reaches it. `engine` is None on AWS."""

    prefix: str
    engine: EngineState | None
    session: Any

    @property
    def place(self) -> str:
        """Where this is, in words."""
        if self.engine is not None:
            return f"the embedded engine ({self.engine.name})"
        return f"the AWS account of your credentials, {self.session.region_name}"

    @cached_property
    def aws(self) -> Aws:
        """The services, called with the caller's authority."""
        return BotoAws(self.session)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the two stacks, by name. Raises `CommandError` when one is not deployed."""
        found: dict[str, str] = {}
        for part in STACKS:
            stack = f"{self.prefix}-{part}"
            try:
                [described] = self.aws.call("cloudformation", "describe_stacks", StackName=stack)["Stacks"]
            except (NotFound, BadRequest) as exc:
                how = "run `grace up`" if self.engine else "run `cdk deploy`, or name it with --prefix"
                raise CommandError(f"The stack {stack} is not deployed in {self.place}: {how}.") from exc
            found |= {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
        return found

    @cached_property
    def services(self) -> DeployedServices:
        """What reads state: the same code that the doors use."""
        outputs = self.outputs
        settings = Settings(
            state_table=outputs["StateTable"],
            log_table=outputs["LogTable"],
            vault_bucket=outputs["VaultBucket"],
            vault_key=outputs["VaultKey"],
            notify_topic=outputs["NotifyTopicArn"],
            bus=outputs["BusName"],
            state_machine=outputs["StateMachineArn"],
            contract_function=f"{self.prefix}-contract",
            home="/".join(outputs["NotifyTopicArn"].split(":")[4:2:-1]),
        )
        return DeployedServices(settings, self.session, self)

    def data_file(self) -> bytes:
        """Return the deployed catalogue's bytes, out of the data layer: the smallest layer of the contract door."""
        name = f"{self.prefix}-contract"
        layers = self.aws.call("lambda", "get_function_configuration", FunctionName=name).get("Layers", [])
        for layer in sorted(layers, key=lambda each: each.get("CodeSize", 0)):
            content = self.aws.call("lambda", "get_layer_version_by_arn", Arn=layer["Arn"])["Content"]
            with zipfile.ZipFile(io.BytesIO(self._download(str(content["Location"])))) as archive:
                if CATALOGUE in archive.namelist():
                    return archive.read(CATALOGUE)
        raise CommandError(f"The function {name} has no data layer: deploy the stacks again.")

    def credentials(self, person: str | None = None) -> Credentials:
        """Return the caller's credentials, or those of a person's demo role on the embedded engine.

        Raises:
            CommandError: `person` is named on AWS, or has no demo role.
        """
        if person is None:
            if self.engine is not None:
                return Credentials(self.engine.access_key_id, self.engine.secret_access_key)
            frozen = self.session.get_credentials().get_frozen_credentials()
            return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        if self.engine is None:
            raise CommandError(
                "--as exists only against the embedded engine: on AWS sign in as the person who decides."
            )
        role = f"arn:aws:iam::{self.engine.account}:role/{DEMO_ROLE.format(person=person)}"
        try:
            found = self.aws.call("sts", "assume_role", RoleArn=role, RoleSessionName="grace-command")["Credentials"]
        except (AccessDenied, NotFound, BadRequest) as exc:
            raise CommandError(f"There is no demo role for {person}: see infra/demo/people.json.") from exc
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    @property
    def region(self) -> str:
        """The region of the deployment."""
        return self.engine.region if self.engine is not None else str(self.session.region_name)

    def connection(self, url: str) -> http.client.HTTPSConnection:
        """Return a connection to a URL's host. The engine's host names do not resolve: there it is the engine itself."""
        parts = urlsplit(url)
        if self.engine is not None:
            context = ssl.create_default_context(cafile=self.engine.ca_bundle)
            return http.client.HTTPSConnection(HOST, self.engine.port, timeout=_DOWNLOAD_SECONDS, context=context)
        if parts.scheme != "https" or not parts.hostname:
            raise CommandError(f"{url} is no https address: deploy the stacks again.")
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_DOWNLOAD_SECONDS)

    def _download(self, url: str) -> bytes:
        parts = urlsplit(url)
        connection = self.connection(url)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
            answer = connection.getresponse()
            body = answer.read()
        except OSError as exc:
            raise CommandError(f"The data layer could not be fetched from {parts.hostname}: {exc}.") from exc
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise CommandError(f"The data layer could not be fetched: {parts.hostname} answered {answer.status}.")
        return body


def reach(prefix: str = "grace", root: Path = ROOT) -> Reach:
    """Return the embedded engine when it runs, else the account of the caller's credentials.

    Raises:
        CommandError: neither is there.
    """
    state = Engine(root).status()
    if state is not None:
        return Reach(prefix, state, EngineSession(state))
    session = boto3.Session()
    try:
        missing = session.get_credentials() is None
    except BotoCoreError as exc:
        raise CommandError(f"Your AWS credentials cannot be read ({exc}): correct them, or run `grace up`.") from exc
    if missing:
        raise CommandError(
            "No engine runs here and there are no AWS credentials: run `grace up`, or sign in (AWS_PROFILE)."
        )
    if not session.region_name:
        raise CommandError("No engine runs here and no region is chosen: run `grace up`, or set AWS_REGION.")
    return Reach(prefix, None, session)


def engine_only(root: Path = ROOT) -> Reach:
    """Return the embedded engine of this checkout; raises `CommandError` when it does not run."""
    state = Engine(root).status()
    if state is None:
        raise CommandError("No engine of this checkout runs: run `grace up` first.")
    return Reach("grace", state, EngineSession(state))
