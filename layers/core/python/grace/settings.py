"""What the environment of a function says, as one frozen object. A missing variable is named, never defaulted."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError

from grace.errors import InvalidSetting
from grace.model.base import Model

PREFIX = "GRACE_"


class Settings(Model):
    """Names of the deployment's parts; each comes from `GRACE_<FIELD IN UPPER CASE>`.

    A door reads only what it needs, so a name that a door is not given is empty, and using it raises
    `InvalidSetting`.
    """

    state_table: str = Field(min_length=1)
    log_table: str = Field(min_length=1)
    lanes: int = Field(default=16, ge=1, le=256)
    vault_bucket: str = ""
    vault_key: str = ""
    notify_topic: str = ""
    bus: str = ""
    state_machine: str = ""
    contract_function: str = ""
    ask_function: str = ""
    home: str = ""
    """Grace's own account and region, as `123456789012/eu-west-1`."""
    execute_role: str = ""
    rollback_role: str = ""
    link_key: str = ""
    mail_sender: str = ""
    mail_configuration: str = ""
    base_url: str = ""
    oidc: str = ""
    session_key: str = ""
    log_bucket: str = ""
    log_lock: Literal["COMPLIANCE", "GOVERNANCE"] = "GOVERNANCE"
    log_lock_days: int = 1
    log_key: str = ""
    log_origin: str = ""
    signer_table: str = ""
    sign_function: str = ""
    witness_bucket: str = ""

    def need(self, field: str) -> str:
        """Return a setting that this door cannot do without; raises `InvalidSetting` naming it."""
        value = str(getattr(self, field))
        if not value:
            raise InvalidSetting(f"{PREFIX}{field.upper()} is not set for this function: deploy the stack again")
        return value


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings of this function; raises `InvalidSetting` naming the variable that is missing or wrong."""
    found = {
        field: environment[PREFIX + field.upper()]
        for field in Settings.model_fields
        if PREFIX + field.upper() in environment
    }
    try:
        return Settings.model_validate(found)
    except ValidationError as exc:
        names = ", ".join(PREFIX + str(error["loc"][0]).upper() for error in exc.errors())
        raise InvalidSetting(f"{names} is missing or wrong: deploy the stack again") from exc
