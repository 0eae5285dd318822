"""MACs and mail: the real body and the in-memory one of each port, under the same promises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from grace.errors import AccessDenied, AnswerLost, BadRequest, Throttled, Unavailable
from grace.gateways.aws import BotoAws
from grace.gateways.macs import KmsMacs
from grace.gateways.mail import SesMail
from grace.gateways.memory import MemoryAws, MemoryMacs, MemoryMail
from grace.ports import Letter, Macs, Mail
from grace.web.returned import undelivered_mail

REGION = "eu-central-1"
SENDER = "grace@ops.example"
LETTER = Letter("ada@example.org", "Approval needed: shop", "text \u00fc", "<p>html</p>", {"contract": "c-1"})


@pytest.fixture
def aws() -> Iterator[BotoAws]:
    with mock_aws():
        yield BotoAws(boto3.Session(region_name=REGION))


def hmac_key(aws: BotoAws) -> str:
    made = aws.call("kms", "create_key", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    return str(made["KeyMetadata"]["Arn"])


@pytest.fixture(params=["memory", "kms"])
def macs(request: pytest.FixtureRequest, aws: BotoAws) -> Macs:
    return MemoryMacs() if request.param == "memory" else KmsMacs(aws, hmac_key(aws))


def test_a_printed_letter_says_nothing_of_its_text() -> None:
    for shown in (repr(LETTER), f"{LETTER}", f"{[LETTER]}"):
        assert "ada@example.org" in shown
        assert "text" not in shown
        assert "html" not in shown


def test_a_mac_is_proved_by_the_key_that_made_it(macs: Macs) -> None:
    mac, key = macs.generate(b"message")
    assert len(mac) == 32
    assert macs.verify(b"message", mac, key) is True
    assert macs.verify(b"another", mac, key) is False
    assert macs.verify(b"message", bytes([mac[0] ^ 1]) + mac[1:], key) is False


def test_f40_after_a_rotation_old_macs_stand_until_their_key_goes() -> None:
    macs = MemoryMacs()
    mac, old = macs.generate(b"message")
    macs.rotate()
    again, new = macs.generate(b"message")
    assert (again, new) != (mac, old)
    assert macs.verify(b"message", mac, old)
    del macs.keys[old]
    assert not macs.verify(b"message", mac, old)


def test_f40_the_key_that_made_it_is_asked_and_not_the_newest(aws: BotoAws) -> None:
    old, new = KmsMacs(aws, hmac_key(aws)), KmsMacs(aws, hmac_key(aws))
    mac, key = old.generate(b"message")
    assert new.verify(b"message", mac, key)
    _, other = new.generate(b"message")
    assert not new.verify(b"message", mac, other)


def refusing(service: str, operation: str, code: str, status: int = 400) -> BotoAws:
    """The real port over a session whose every call is refused with one code."""

    class Session:
        def client(self, _service: str, config: Any) -> Any:
            def refuse(**_: Any) -> Any:
                metadata = {"HTTPStatusCode": status}
                raise ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, operation)

            return type("Client", (), {operation: staticmethod(refuse)})()

    assert service
    return BotoAws(Session())


@pytest.mark.parametrize(
    "code", ["KMSInvalidMacException", "DisabledException", "KMSInvalidStateException", "NotFoundException"]
)
def test_f40_a_key_that_is_disabled_or_gone_proves_nothing(code: str) -> None:
    assert KmsMacs(refusing("kms", "verify_mac", code), "").verify(b"message", b"m" * 32, "key") is False


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("AccessDeniedException", 400, AccessDenied), ("ThrottlingException", 400, Throttled), ("Oops", 500, Unavailable)],
)
def test_what_kms_does_not_answer_is_no_no(code: str, status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        KmsMacs(refusing("kms", "verify_mac", code, status), "").verify(b"message", b"m" * 32, "key")


# mail


@pytest.fixture(params=["memory", "ses"])
def mail(request: pytest.FixtureRequest, aws: BotoAws) -> tuple[Mail, Callable[[], int]]:
    """A mail port and how many letters it has sent."""
    if request.param == "memory":
        memory = MemoryMail("https://grace.example")
        return memory, lambda: len(memory.sent)
    aws.call("sesv2", "create_email_identity", EmailIdentity=SENDER)
    aws.call("sesv2", "create_configuration_set", ConfigurationSetName="grace")
    quota = boto3.client("ses", region_name=REGION)
    port = SesMail(aws, sender=SENDER, configuration="grace", base_url="https://grace.example")
    return port, lambda: int(quota.get_send_quota()["SentLast24Hours"])


def test_a_letter_is_sent_and_has_an_id(mail: tuple[Mail, Callable[[], int]]) -> None:
    port, sent = mail
    assert port.base_url == "https://grace.example"
    assert port.send(LETTER) != port.send(LETTER._replace(to="bob@example.org"))
    assert sent() == 2


def test_a_letter_that_is_refused_says_so(aws: BotoAws) -> None:
    refusing_memory = MemoryMail("https://grace.example")
    refusing_memory.refused.add(LETTER.to)
    with pytest.raises(BadRequest):
        refusing_memory.send(LETTER)
    unverified = SesMail(aws, sender="nobody@ops.example", configuration="grace", base_url="")
    with pytest.raises(BadRequest):
        unverified.send(LETTER)


def test_a_letter_goes_to_one_person_untracked_and_tagged() -> None:
    aws = MemoryAws({("sesv2", "send_email"): lambda **_: {"MessageId": "0100"}})
    assert SesMail(aws, sender=SENDER, configuration="grace", base_url="").send(LETTER) == "0100"
    [(_, _, said)] = aws.calls
    assert said["Destination"] == {"ToAddresses": ["ada@example.org"]}
    assert said["FromEmailAddress"] == SENDER
    assert said["ConfigurationSetName"] == "grace"
    assert set(said["ConfigurationOverrides"]["Tracking"].values()) == {"DISABLED"}
    assert said["EmailTags"] == [{"Name": "contract", "Value": "c-1"}]
    assert said["Content"]["Simple"]["Body"]["Text"] == {"Data": "text \u00fc", "Charset": "UTF-8"}


def test_an_id_with_a_dot_goes_in_a_tag_as_ses_takes_it_and_comes_back_whole() -> None:
    aws = MemoryAws({("sesv2", "send_email"): lambda **_: {"MessageId": "0100"}})
    letter = LETTER._replace(tags={"contract": "c-abc234", "person": "ana.ruiz_b-2"})
    SesMail(aws, sender=SENDER, configuration="grace", base_url="").send(letter)
    [(_, _, said)] = aws.calls
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", each["Value"]) for each in said["EmailTags"])
    tags = {each["Name"]: [each["Value"]] for each in said["EmailTags"]}
    came_back = undelivered_mail({"source": "aws.ses", "detail": {"eventType": "Bounce", "mail": {"tags": tags}}})
    assert came_back
    assert (came_back.contract_id, came_back.person) == ("c-abc234", "ana.ruiz_b-2")


def test_a_deployment_without_a_sender_sends_no_mail() -> None:
    assert SesMail(MemoryAws(), sender="", configuration="", base_url="").base_url == ""
    assert MemoryMail().base_url == ""


def test_a_lost_answer_may_be_sent_again() -> None:
    def lost(**_: Any) -> dict[str, Any]:
        raise AnswerLost("no answer")

    aws = MemoryAws({("sesv2", "send_email"): lost, ("kms", "generate_mac"): lost})
    with pytest.raises(Unavailable):
        SesMail(aws, sender=SENDER, configuration="grace", base_url="").send(LETTER)
    with pytest.raises(Unavailable):
        KmsMacs(aws, "key").generate(b"message")
