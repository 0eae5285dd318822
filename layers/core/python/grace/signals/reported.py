"""Our own event, `error.detected`: any application may report an error, in this strict shape and no other."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from grace.errors import InvalidSignal
from grace.model.base import Model
from grace.model.shown import visible
from grace.model.signal import Claim, Severity, Signal, SignalState
from grace.signals.building import build, first_problem
from grace.signals.reading import Fields, clean_name, parse_instant

DETAIL_TYPE = "error.detected"


def _name(text: str) -> str:
    try:
        return clean_name(text, "name")
    except InvalidSignal as exc:
        raise ValueError(exc.fix) from exc


def _time(text: str) -> str:
    try:
        parse_instant(text, "at")
    except InvalidSignal as exc:
        raise ValueError(exc.fix) from exc
    return text


class ErrorDetected(Model):
    """The `detail` of an `error.detected` event; an unknown key is refused.

    `service` is what the error belongs to (errors of one service and code are one story). `code` is the error's own
    name, as a library, a database or a protocol gives it (`SQLITE_BUSY`, `ThrottlingException`, `ETIMEDOUT`,
    `HTTP_503`): diagnosis reads it and never the message. `at` is ISO 8601, by default the event's time. `corr`,
    `cause` and `hop` are carried by events that follow from our own doing. `caused_by` names who made the change that the
    error follows from, each by id, mail address or IAM principal: they do not decide on what is done about it.
    """

    service: Annotated[str, AfterValidator(_name)]
    code: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,127}$")
    message: str = Field(default="", max_length=4096)
    severity: Severity = Severity.MEDIUM
    resources: tuple[str, ...] = Field(default=(), max_length=20)
    at: Annotated[str, AfterValidator(_time)] | None = None
    caused_by: tuple[Claim, ...] = Field(default=(), max_length=5)
    corr: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    cause: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    hop: int = Field(default=0, ge=0, le=1000, strict=True)


def error_detected(event: Fields) -> Signal:
    """Return the Signal of an `error.detected` event.

    Raises:
        InvalidSignal: the detail is not in the shape of `ErrorDetected`.
    """
    source, account = event.name("source"), event.account("account")
    try:
        detail = ErrorDetected.model_validate(event.below("detail").values)
    except ValidationError as exc:
        raise first_problem(exc, "detail") from exc
    resources = event.below("detail").arns("resources", account)
    about = resources[0] if resources else detail.service
    return build(
        subject=f"{source} {about}",
        # Two errors of one moment are two alerts when their codes differ.
        state_word=detail.code,
        at=parse_instant(detail.at, "detail.at") if detail.at else event.instant("time"),
        corr=detail.corr,
        source=source,
        kind="error",
        name=detail.service,
        account=account,
        region=event.region("region"),
        service=detail.service,
        alarm_class=f"error:{detail.code}",
        state=SignalState.EVENT,
        severity=detail.severity,
        resources=resources,
        code=detail.code,
        message=visible(detail.message).strip(),
        hop=detail.hop,
        caused_by=detail.caused_by,
    )
