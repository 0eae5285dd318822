"""AWS at the wire, in process: real botocore clients, whose requests are answered here and whose every send is counted.

DynamoDB and S3 are moto's; the services of a scene are its own, in memory, put into AWS's own bytes by moto's serialisers.
What was answered can be kept and played back, so that a second run of the same incident costs nothing but our own work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.model import OperationModel
from botocore.session import Session
from moto.core.models import botocore_stubber
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from grace.bootstrap import lean_session

REGION = "eu-central-1"
MOTO = frozenset({"dynamodb", "s3"})
Handler = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Send:
    """One request that left: from which step, to which operation, with which parameters and so many bytes."""

    step: str
    service: str
    operation: str
    params: dict[str, Any]

    @property
    def name(self) -> str:
        """As reports name it: `dynamodb.transact_write_items`."""
        return f"{self.service}.{self.operation}"


@dataclass
class Answer:
    """A response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Body(BytesIO):
    """What botocore expects of urllib3's response."""

    def stream(self, amt: int = 65536, **_: Any) -> Iterator[bytes]:
        while chunk := self.read(amt):
            yield chunk


@dataclass
class Wire:
    """`ports.Sdk`. `handlers` answer by service and operation; `canned`, when there are any, answer in order instead.

    `wakes` are told of their operations also then: what starts another door must start it in every run.
    """

    handlers: dict[tuple[str, str], Handler] = field(default_factory=dict)
    sends: list[Send] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    canned: list[Answer] = field(default_factory=list)
    wakes: dict[tuple[str, str], Callable[[dict[str, Any]], object]] = field(default_factory=dict)
    step: str = ""
    _session: Session = field(default_factory=lean_session)
    _params: dict[str, Any] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str, *, config: Any) -> Any:
        """Return the service's client; made once, as in a worker."""
        if service not in self._clients:
            made = self._session.create_client(
                service, region_name=REGION, config=config, aws_access_key_id="bench", aws_secret_access_key="bench"
            )
            # Every handler of an event runs, whoever answers: moto's own would do each write a second time.
            made.meta.events.unregister("before-send", botocore_stubber)
            made.meta.events.register(
                f"provide-client-params.{made.meta.service_model.service_id.hyphenize()}", self._asked
            )
            made.meta.events.register_first(
                f"before-send.{made.meta.service_model.service_id.hyphenize()}", partial(self._sent, service)
            )
            self._clients[service] = made
        return self._clients[service]

    @contextmanager
    def at(self, step: str) -> Iterator[None]:
        """A door is at work: what leaves meanwhile is its own."""
        before, self.step = self.step, step
        try:
            yield
        finally:
            self.step = before

    def replay(self, answers: list[Answer]) -> None:
        """Forget what was sent, and answer with these from now on."""
        self.sends, self.answers, self.canned = [], [], list(reversed(answers))

    def _asked(self, params: dict[str, Any], model: OperationModel, **_: Any) -> None:
        self._params = params

    def _sent(self, service: str, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        if wake := self.wakes.get((service, _snake(operation))):
            wake(self._params)
        if self.canned:
            answer = self.canned.pop()
        else:
            self.sends.append(Send(self.step, service, _snake(operation), dict(self._params)))
            answer = self._answer(service, operation, request, event_name)
            self.answers.append(answer)
        return AWSResponse(request.url, answer.status, answer.headers, _Body(answer.body))

    def _answer(self, service: str, operation: str, request: Any, event_name: str) -> Answer:
        if service in MOTO:
            theirs = botocore_stubber(event_name, request)
            assert theirs is not None, f"moto does not answer {event_name}"
            return Answer(theirs.status_code, dict(theirs.headers), theirs.content)
        handler = self.handlers.get((service, _snake(operation)))
        assert handler is not None, f"nobody here answers {service}.{operation}"
        model = get_service_model(service).operation_model(operation)
        made = get_serializer_class(service, self._protocol(service))(operation_model=model)
        response = made.serialize(handler(**self._params))
        body = response["body"]
        return Answer(
            response["status_code"], dict(response["headers"]), body if isinstance(body, bytes) else str(body).encode()
        )

    def _protocol(self, service: str) -> str:
        return str(self._clients[service].meta.service_model.resolved_protocol)


def _snake(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")


def dumps(value: Any) -> str:
    """JSON as it stands in a header or body."""
    return json.dumps(value, separators=(",", ":"))
