"""What `cdk.json` (or `cdk -c key=value`) says about a deployment, as one typed model.

Keys of the CDK's own hold a colon (`@aws-cdk/…`, `aws:cdk:…`, look-ups) or are named in `CDK_KEYS`; every other key is
ours, and one that the model does not have ends the synth with a sentence.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from grace.model.contract import Mode
from grace.model.policy import Calendar, ChangeWindow, Freeze
from grace.model.signin import Provider

CDK_KEYS = frozenset({"acknowledged-issue-numbers", "cli-telemetry", "tree-metadata"})

RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""The retention times CloudWatch Logs knows."""


class ConfigError(Exception):
    """The configuration is wrong; the message is one sentence with the key and the fix."""


def _from_text(value: object) -> object:
    """Read a list or an object that came as text from `cdk -c key=…`."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise ValueError("""must be JSON: write a list as ["a"] and an object as {"key": "value"}""") from None


def _retention(value: int) -> int:
    if value not in RETENTION_DAYS:
        nearest = min(RETENTION_DAYS, key=lambda days: abs(days - value))
        raise ValueError(f"must be a retention CloudWatch Logs knows, for example {nearest}")
    return value


def _retention_before(value: object) -> object:
    return _retention(int(value)) if isinstance(value, (int, str)) and str(value).isdigit() else value


Account = Annotated[str, Field(pattern=r"^\d{12}$")]
Minutes = Annotated[int, Field(ge=10, le=60)]
Names = Annotated[tuple[str, ...], BeforeValidator(_from_text)]


class Mail(BaseModel):
    """Who approval mail comes from, and where the links in it lead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sender: str = Field(pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=254)
    """An address that SES has verified, by itself or with its domain."""
    base_url: str | None = Field(default=None, pattern=r"^https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._${}-]+)*$")
    """Where the approval page is reached, by default the API's own address. `{api}` in it stands for the API's id."""


class ApprovalMinutes(BaseModel):
    """How long people have to decide. The workflow itself waits 70 minutes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier2: Minutes = 30
    tier3: Minutes = 60


def _known_zone(calendar: Calendar) -> Calendar:
    try:
        ZoneInfo(calendar.timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError) as exc:
        name = calendar.timezone
        raise ValueError(f"names the timezone {name!r}, which nobody knows: write one such as Europe/Berlin") from exc
    return calendar


class Lock(BaseModel):
    """How long nobody can delete or change what the audit log consists of.

    `COMPLIANCE` cannot be undone before its time by anybody, not even by the account's root. `GOVERNANCE` can, by who
    may bypass it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["COMPLIANCE", "GOVERNANCE"] = "COMPLIANCE"
    days: int = Field(default=365, ge=1, le=36500)


class Deployment(BaseModel):
    """One deployment of Grace.

    `platform` says which interpreter the dependencies layer is built for: `lambda` (Python 3.13 on arm64) or `host`
    (the embedded engine's). `engine` deploys with the caller's own credentials, as the embedded engine wants it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: Literal["lambda", "host"] = "lambda"
    engine: bool = False
    prefix: str = Field(default="grace", pattern=r"^[a-z][a-z0-9-]{1,15}$")

    playbooks: Names = ()
    """Directories with playbooks of your own, beside those that come with Grace."""
    people: str | None = None
    """The file that lists who may be asked."""
    accounts: Annotated[tuple[Account, ...], BeforeValidator(_from_text)] = ()
    """Other accounts that may put events on our bus."""
    modes: Annotated[dict[str, Mode], BeforeValidator(_from_text)] = Field(default_factory=dict)
    """Per playbook; one without a line is in shadow."""
    lifted: Annotated[dict[str, str], BeforeValidator(_from_text)] = Field(default_factory=dict)
    """Per playbook, the id of the demotion (`d-…`) that this configuration ends."""
    approvers: str = Field(default="approvers", pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    approvers_for: Annotated[dict[str, str], BeforeValidator(_from_text)] = Field(default_factory=dict)
    """Another group for a playbook, or for a tier (`2`, `3`)."""
    escalation: Annotated[tuple[str, ...], BeforeValidator(_from_text), Field(max_length=2)] = ()
    """Groups and rotas asked as well: the first when half of the time has passed, the second at four fifths."""
    approval_minutes: Annotated[ApprovalMinutes, BeforeValidator(_from_text)] = ApprovalMinutes()
    """How long people have to decide, by tier."""
    operators: str = Field(default="operators", pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    """The group whose orders (stop, retry, demote ...) are carried out."""
    policies: Names = ()
    """Directories with Cedar policies of your own, beside those that come with Grace."""
    calendar: Annotated[Calendar, BeforeValidator(_from_text), AfterValidator(_known_zone)] = Calendar()
    """Freezes, change windows and their time zone, for policy."""
    http_hosts: Names = ()
    """The only hosts an `http` expectation may ask."""
    group_window: int = Field(default=300, ge=10, le=3600)
    """How long later signals of a group join its mission, in seconds."""
    global_in_flight: int = Field(default=10, ge=1, le=500)
    """How many contracts may act at once."""

    mail: Annotated[Mail | None, BeforeValidator(_from_text)] = None
    """Approval by mailed link; without it people decide with the command alone."""
    oidc: Annotated[Provider | None, BeforeValidator(_from_text)] = None
    """Where approvers of tier 3 sign in; without it they decide with `grace decide`."""
    link_key: int = Field(default=1, ge=1, le=99)
    """The number of the key that approval links are made with: raise it by one to rotate."""

    notify_email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    """The first subscription of the topic `grace-notify`."""
    log_retention_days: Annotated[int, BeforeValidator(_retention_before)] = 90
    vault_retention_days: int = Field(default=400, ge=30, le=3650)
    """How long snapshots and quarantined messages are kept."""
    log_lock: Annotated[Lock, BeforeValidator(_from_text)] = Lock(mode="GOVERNANCE", days=1)
    """The lock of the audit log's objects. What cannot be undone is never a default: it has to be said."""
    log_origin: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._/:-]{1,200}$")
    """The audit log's name in its checkpoints; by default prefix, account and region. It can never change."""
    witness_bucket: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    """A bucket of another account or region that keeps copies of checkpoints."""
    reap_minutes: int = Field(default=5, ge=1, le=5)
    """How often the sweep runs; its alarms follow it."""
    tags: Annotated[dict[str, str], BeforeValidator(_from_text)] = Field(default_factory=dict)


def deployment(context: Mapping[str, Any]) -> Deployment:
    """Return the configuration in a CDK context; raises `ConfigError` with one sentence for the first thing wrong."""
    ours = {key: value for key, value in context.items() if ":" not in key and "/" not in key and key not in CDK_KEYS}
    try:
        return Deployment.model_validate(ours)
    except ValidationError as exc:
        raise ConfigError(_sentence(exc.errors()[0])) from exc


_PLACES: dict[str, type[BaseModel]] = {
    "": Deployment,
    "mail": Mail,
    "oidc": Provider,
    "approval_minutes": ApprovalMinutes,
    "calendar": Calendar,
    "calendar.freezes": Freeze,
    "calendar.windows": ChangeWindow,
}
"""Where keys may stand, and which there are."""


def _sentence(error: Any) -> str:
    """Say what is wrong with one key, and what would be right."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *above, last = (str(part) for part in error["loc"])
        # By the place in the configuration, whatever number stands between.
        place = ".".join(part for part in above if not part.isdigit())
        fields = list(_PLACES[place].model_fields)
        near = difflib.get_close_matches(last, fields, n=1)
        known = f"did you mean `{'.'.join([*above, near[0]])}`?" if near else f"known keys are {', '.join(fields)}."
        return f"cdk.json context: `{where}` is not a key of Grace: {known}"
    says = error["msg"].removeprefix("Value error, ")
    says = says[:1].lower() + says[1:]
    return f"cdk.json context: `{where}` {says.removeprefix('input ')}, not {error['input']!r}."
