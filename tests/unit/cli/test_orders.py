"""`grace decide` and the buttons: what is sent, that it is signed by whoever asks, and what a refusal says."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.credentials import Credentials

from infra.cli import orders
from infra.cli.errors import CommandError
from infra.cli.reach import Reach
from infra.cli.signing import post
from tests.unit.cli.conftest import Command
from tests.unit.flow.scenes import incident, shop

URL = "https://abc123.execute-api.eu-west-1.amazonaws.com/"
CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-session-token")


@dataclass
class Line:
    """A connection that keeps what is sent and answers what it is told."""

    status: int = 200
    answer: bytes = b'{"now": "done"}'
    error: OSError | None = None
    sent: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)
    closed: bool = False

    def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        if self.error:
            raise self.error
        self.sent.append((method, path, body, headers))

    def getresponse(self) -> Any:
        return SimpleNamespace(status=self.status, read=lambda: self.answer)

    def close(self) -> None:
        self.closed = True


def place(line: Line) -> Any:
    return SimpleNamespace(outputs={"ApiUrl": URL}, region="eu-west-1", connection=lambda _url: line)


def signature(secret: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> str:
    """Signature Version 4 as AWS's reference writes it down, independent of botocore."""
    low = {key.lower(): value for key, value in headers.items()}
    signed = low["authorization"].partition("SignedHeaders=")[2].split(",")[0]
    lines = "".join(f"{name}:{low[name].strip()}\n" for name in signed.split(";"))
    request = "\n".join([method, path, "", lines, signed, hashlib.sha256(body).hexdigest()])
    stamp = low["x-amz-date"]
    scope = f"{stamp[:8]}/eu-west-1/execute-api/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def test_a_request_is_signed_over_host_path_body_and_session() -> None:
    line = Line()
    assert post(place(line), "/operate", {"command": "stop"}, CREDENTIALS) == {"now": "done"}
    [(method, path, body, headers)] = line.sent
    low = {key.lower(): value for key, value in headers.items()}
    assert (method, path, json.loads(body)) == ("POST", "/operate", {"command": "stop"})
    assert low["host"] == "abc123.execute-api.eu-west-1.amazonaws.com"
    assert low["x-amz-security-token"] == "a-session-token"
    for name in ("host", "x-amz-date", "x-amz-security-token"):
        assert name in low["authorization"].partition("SignedHeaders=")[2].split(",")[0].split(";")
    assert "Credential=AKIDEXAMPLE/" in low["authorization"]
    expected = signature(CREDENTIALS.secret_key, method, path, body, headers)
    assert low["authorization"].endswith(f"Signature={expected}")
    assert signature("another", method, path, body, headers) != expected
    assert line.closed


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            Line(403, b'{"error": "not_yours", "message": "eve may not decide"}'),
            "Refused (not_yours): eve may not decide",
        ),
        (Line(410, b'{"error": "closed", "message": "it is approved already"}'), "Refused (closed)"),
        (Line(403, b'{"message": "Forbidden"}'), "execute-api:Invoke"),
        (Line(401, b'{"Message": "Unauthorized"}'), "execute-api:Invoke"),
        (Line(502, b"<html>"), "502"),
        (Line(500, b'{"message": "Internal Server Error"}'), "500"),
        (Line(200, b'["a list"]'), "no JSON"),
        (Line(error=ConnectionRefusedError("refused")), "does not answer"),
    ],
)
def test_a_refusal_is_one_sentence(line: Line, says: str) -> None:
    with pytest.raises(CommandError, match=r"\.|:") as caught:
        post(place(line), "/decide", {}, CREDENTIALS)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert line.closed


@dataclass
class Api:
    """Where the commands would post, and as whom."""

    answer: dict[str, Any]
    services: Any = None
    sent: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    place: str = "a deployment in memory"

    def credentials(self, person: str | None = None) -> str | None:
        return person

    def post(self, _place: Any, path: str, document: dict[str, Any], credentials: str | None) -> dict[str, Any]:
        self.sent.append((path, document, credentials))
        return self.answer


def reached(monkeypatch: pytest.MonkeyPatch, api: Api) -> Api:
    monkeypatch.setattr(orders, "reach", lambda _prefix, _root: api)
    monkeypatch.setattr(orders, "post", api.post)
    return api


def test_decide_sends_the_digest_of_the_contract_that_was_read(grace: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    world = shop(tier=2)
    contract = incident(world)
    answer = {"outcome": "recorded", "status": "approved", "have": 1, "need": 1}
    api = reached(monkeypatch, Api(answer, world))
    ran = grace("decide", contract, "approve", "--as", "ada")
    wanted = {"contract_id": contract, "decision": "approve", "digest": world.head(contract).digest}
    assert api.sent == [("/decide", wanted, "ada")]
    assert ran.code == 0
    assert "shift_alias (to 1) on arn:aws:lambda:" in ran.words
    assert "The approval is approved: 1 of 1." in ran.words
    assert json.loads(grace("decide", contract, "reject", "--json").out) == answer
    assert api.sent[-1][1]["decision"] == "reject"
    assert api.sent[-1][2] is None


ORDERS = [
    (["stop", "too many changes"], {"command": "stop", "target": "", "reason": "too many changes"}),
    (["resume"], {"command": "resume", "target": "", "reason": "resumed from the command line"}),
    (["resume", "--reason", "all good"], {"command": "resume", "target": "", "reason": "all good"}),
    (["rollback", "c-1", "--reason", "worse"], {"command": "rollback", "target": "c-1", "reason": "worse"}),
    (["release", "arn:x", "--reason", "looked"], {"command": "release", "target": "arn:x", "reason": "looked"}),
    (["dismiss", "m-1", "--reason", "mended"], {"command": "dismiss", "target": "m-1", "reason": "mended"}),
    (["retry", "m-1", "--reason", "mended"], {"command": "retry", "target": "m-1", "reason": "mended"}),
    (
        ["demote", "scale_out_group", "--reason", "not on Fridays"],
        {"command": "demote", "target": "scale_out_group", "reason": "not on Fridays", "to": "shadow"},
    ),
    (
        ["demote", "scale_out_group", "--to", "approval", "--reason", "ask first"],
        {"command": "demote", "target": "scale_out_group", "reason": "ask first", "to": "approval"},
    ),
    (
        ["close-breaker", "scale_out_group", "--reason", "it was the supplier"],
        {"command": "close-breaker", "target": "scale_out_group", "reason": "it was the supplier"},
    ),
]


@pytest.mark.parametrize(
    "argv", [["demote", "scale_out_group"], ["demote", "x", "--to", "autonomous", "--reason", "up"], ["close-breaker"]]
)
def test_nothing_is_sent_without_a_reason_and_nothing_is_raised(
    argv: list[str], grace: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = reached(monkeypatch, Api({}))
    ran = grace(*argv)
    assert (ran.code, api.sent) == (2, [])
    assert "run `grace" in ran.err


@pytest.mark.parametrize(("argv", "order"), ORDERS, ids=lambda each: " ".join(each) if isinstance(each, list) else "")
def test_a_button_sends_its_order(
    argv: list[str], order: dict[str, str], grace: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = reached(monkeypatch, Api({"now": "It is so."}))
    ran = grace(*argv)
    assert api.sent == [("/operate", order, None)]
    assert (ran.code, ran.words) == (0, "In a deployment in memory: It is so.")


def test_nobody_is_somebody_else_on_aws() -> None:
    with pytest.raises(CommandError, match="embedded engine"):
        Reach("grace", None, SimpleNamespace(region_name="eu-west-1")).credentials("ana")
