"""What SES says of a mail that did not arrive, or that its reader called unwanted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from grace.model.approval import Undelivered
from grace.model.base import Json
from grace.model.mailtag import untagged

_SOURCE = "aws.ses"
_KINDS = {"Bounce": "bounce", "Complaint": "complaint", "Reject": "reject"}
_FOREIGN = ConfigDict(extra="ignore", defer_build=True)
"""SES writes more than we read; and few starts of the door read any of it."""


class _Mail(BaseModel):
    """The part of an event that is ours: the tags the letter was sent with, each a list of one."""

    model_config = _FOREIGN

    tags: dict[str, list[str]] = Field(default_factory=dict)


class _Detail(BaseModel):
    model_config = _FOREIGN

    eventType: str  # noqa: N815  SES's name
    mail: _Mail


def undelivered_mail(event: dict[str, Json]) -> Undelivered | None:
    """Return whom a mail of ours did not reach, or None when the event is not from SES.

    Raises:
        ValidationError: it is from SES and not about a letter of ours; naming the field.
    """
    if event.get("source") != _SOURCE:
        return None
    detail = _Detail.model_validate(event.get("detail"))
    first = {name: untagged(values[0]) for name, values in detail.mail.tags.items() if values}
    return Undelivered.model_validate(
        {
            "contract_id": first.get("contract", ""),
            "person": first.get("person", ""),
            "what": _KINDS.get(detail.eventType, detail.eventType),
        }
    )
