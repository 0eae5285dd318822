"""Mail through SES, with nothing in it that tells on whoever reads it."""

from __future__ import annotations

from grace.errors import AnswerLost, Unavailable
from grace.model.mailtag import tagged
from grace.ports import Aws, Letter

_OFF = {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}}
"""A tracked link would lead through, and be known to, a server that is not ours."""


class SesMail:
    """`ports.Mail` over SES v2 SendEmail."""

    def __init__(self, aws: Aws, *, sender: str, configuration: str, base_url: str) -> None:
        """Keep the port, the address we write from, the configuration set's name, and where links lead."""
        self._aws = aws
        self._sender = sender
        self._configuration = configuration
        self._base_url = base_url

    @property
    def base_url(self) -> str:
        """Where links lead; empty when this deployment sends no mail."""
        return self._base_url

    def send(self, letter: Letter) -> str:
        """Hand the letter to SES; a lost answer is only unavailable: a second copy does no harm."""
        try:
            answer = self._aws.call(
                "sesv2",
                "send_email",
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [letter.to]},
                Content={
                    "Simple": {
                        "Subject": _utf8(letter.subject),
                        "Body": {"Text": _utf8(letter.text), "Html": _utf8(letter.html)},
                    }
                },
                ConfigurationSetName=self._configuration,
                ConfigurationOverrides=_OFF,
                EmailTags=[{"Name": name, "Value": tagged(value)} for name, value in letter.tags.items()],
            )
        except AnswerLost as exc:
            raise Unavailable(str(exc)) from exc
        return str(answer["MessageId"])


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
