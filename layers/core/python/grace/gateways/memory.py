"""The ports of this room without a network: the same promises, kept in memory. For tests, benchmarks and rehearsals."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from grace.errors import BadRequest, IntegrityError, Refused, Unavailable
from grace.gateways.addresses import check_listed
from grace.gateways.metrics import Points
from grace.model.approval import Reminder
from grace.model.base import Json
from grace.model.contract import Ticket
from grace.model.mission import DraftRequest
from grace.model.signal import MetricRef, SeriesKey
from grace.model.signin import SignedIn
from grace.ports import AlarmFacts, Letter, SeriesRequest

Handler = Callable[..., dict[str, Json]]


class MemoryClock:
    """A clock that moves when it is told to."""

    def __init__(self, at: datetime = datetime(2026, 1, 31, 12, tzinfo=UTC)) -> None:
        """Start at a moment."""
        self._at = at
        self.pauses: list[float] = []
        """How long each pause was at most; none of them takes any time."""

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self._at

    def pause(self, longest: float) -> None:
        """Keep what was asked for."""
        self.pauses.append(longest)

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._at += timedelta(seconds=seconds)


class MemoryAws:
    """Answers by service and operation, and every call that was made. What nobody answers is refused by name."""

    def __init__(self, handlers: Mapping[tuple[str, str], Handler] | None = None) -> None:
        """Keep the handlers; each takes the call's arguments and returns its answer, or raises one of our errors."""
        self.handlers = dict(handlers or {})
        self.calls: list[tuple[str, str, dict[str, Json]]] = []

    def call(self, service: str, operation: str, /, **arguments: Json) -> dict[str, Json]:
        """Return what the handler returns; raises `BadRequest` for a call that has none."""
        self.calls.append((service, operation, arguments))
        if (service, operation) not in self.handlers:
            raise BadRequest(f"{service}.{operation}: nobody answers this here")
        return self.handlers[service, operation](**arguments)


class MemoryMetrics:
    """Series in memory. `fetches` counts calls, each of which would be one GetMetricData."""

    def __init__(self) -> None:
        """Start with no data."""
        self._series: dict[SeriesKey, dict[int, float]] = {}
        self.fetches = 0

    def put(self, metric: MetricRef, points: Iterable[tuple[int, float]]) -> None:
        """Add points (epoch second of the period's start, value); a later one at the same time replaces the earlier."""
        self._series.setdefault(metric.key, {}).update(points)

    def fetch(self, requests: Sequence[SeriesRequest]) -> list[Points]:
        """Return per request its points, ascending, `start <= second < end`."""
        self.fetches += bool(requests)
        return [
            sorted(
                (at, value)
                for at, value in self._series.get(request.metric.key, {}).items()
                if request.start <= at < request.end
            )
            for request in requests
        ]


class MemoryAlarms:
    """Alarms in memory."""

    def __init__(self, alarms: Iterable[AlarmFacts] = ()) -> None:
        """Keep alarms by name."""
        self._alarms = {alarm.name: alarm for alarm in alarms}

    def put(self, alarm: AlarmFacts) -> None:
        """Add an alarm, or replace it by name."""
        self._alarms[alarm.name] = alarm

    def describe(self, name: str) -> AlarmFacts | None:
        """Return the alarm with that name or ARN, or None."""
        _, _, after = name.partition(":alarm:")
        return self._alarms.get(after or name)

    def in_alarm(self) -> list[AlarmFacts]:
        """Return every metric alarm in state ALARM, in the order they were added."""
        return [alarm for alarm in self._alarms.values() if alarm.state == "ALARM" and alarm.metric is not None]


class MemoryWorkflow:
    """Executions by name and waiting tokens. An execution runs until `end` says how it ended."""

    def __init__(self) -> None:
        """Start with nothing running."""
        self.started: dict[str, Ticket] = {}
        self.woken: dict[str, str] = {}
        self._status: dict[str, str] = {}
        self._waiting: set[str] = set()

    def start(self, name: str, ticket: Ticket) -> None:
        """Start an execution; one of that name that runs or ran already is success."""
        self.started.setdefault(name, ticket)
        self._status.setdefault(name, "RUNNING")

    def status(self, name: str) -> str | None:
        """Return how it stands, or None when there never was one."""
        return self._status.get(name)

    def end(self, name: str, status: str) -> None:
        """Let an execution end, as the workflow itself would."""
        self._status[name] = status

    def stop(self, name: str, reason: str) -> None:  # noqa: ARG002  the port's reason is for people
        """Stop an execution; one that has ended, or never began, is success."""
        if self._status.get(name) == "RUNNING":
            self._status[name] = "ABORTED"

    def wait(self, task_token: str) -> None:
        """Let a task wait for its token, as the workflow itself would."""
        self._waiting.add(task_token)

    def wake(self, task_token: str, contract_id: str) -> bool:
        """Release a waiting task; False when nobody waits for the token (any more)."""
        if task_token not in self._waiting:
            return False
        self._waiting.remove(task_token)
        self.woken[task_token] = contract_id
        return True


class MemoryMessages:
    """What was said, in order."""

    def __init__(self) -> None:
        """Start in silence."""
        self.notified: list[tuple[str, str, str]] = []
        self.published: list[tuple[str, dict[str, Json]]] = []
        self.drafts: list[DraftRequest] = []
        self.reminders: list[Reminder] = []

    def notify(self, severity: str, subject: str, text: str) -> None:
        """Keep it."""
        self.notified.append((severity, subject, text))

    def publish(self, event: str, detail: Mapping[str, Json]) -> None:
        """Keep the event as it would arrive: what is not JSON is an error here as it is there."""
        self.published.append((event, json.loads(json.dumps(detail))))

    def draft(self, request: DraftRequest) -> None:
        """Keep it."""
        self.drafts.append(request)

    def remind(self, reminder: Reminder) -> None:
        """Keep it."""
        self.reminders.append(reminder)


class MemorySealer:
    """Binds a text to its context and tells a changed one. It hides nothing: never for real secrets."""

    def __init__(self, key: bytes = b"memory") -> None:
        """Keep the key of the checksum."""
        self._key = key

    def seal(self, plain: str, context: str) -> str:
        """Return the text with its checksum, in base64."""
        return base64.b64encode(self._sum(plain.encode(), context) + plain.encode()).decode()

    def unseal(self, sealed: str, context: str) -> str:
        """Return the plain text; raises `IntegrityError` for another context or changed bytes."""
        try:
            raw = base64.b64decode(sealed, validate=True)
        except ValueError as exc:
            raise IntegrityError("a sealed value is not base64: it was changed") from exc
        if not hmac.compare_digest(raw[:32], self._sum(raw[32:], context)):
            raise IntegrityError("a sealed value does not open: other bytes, or another owner")
        return raw[32:].decode()

    def _sum(self, plain: bytes, context: str) -> bytes:
        framed = len(context.encode()).to_bytes(4, "big") + context.encode() + plain
        return hmac.new(self._key, framed, hashlib.sha256).digest()


class MemoryMacs:
    """HMACs under keys in memory: the newest makes them, each that is left in `keys` checks its own."""

    def __init__(self) -> None:
        """Start with one key."""
        self.keys: dict[str, bytes] = {}
        self.rotate()

    def rotate(self) -> None:
        """Make new MACs under a new key; old ones are checked for as long as their key is not deleted from `keys`."""
        self._newest = f"key-{len(self.keys) + 1}"
        self.keys[self._newest] = self._newest.encode()

    def generate(self, message: bytes) -> tuple[bytes, str]:
        """Return the MAC and the newest key's id; raises `BadRequest` when that key is gone."""
        if self._newest not in self.keys:
            raise BadRequest(f"{self._newest} is disabled")
        return hmac.digest(self.keys[self._newest], message, "sha256"), self._newest

    def verify(self, message: bytes, mac: bytes, key_id: str) -> bool:
        """Return whether the key made the MAC; a key that is gone made none."""
        key = self.keys.get(key_id)
        return key is not None and hmac.compare_digest(mac, hmac.digest(key, message, "sha256"))

    def stands(self, key_id: str) -> bool:
        """Return whether the key is still there."""
        return key_id in self.keys


class MemoryMail:
    """The letters sent, in order. `refused` are addresses that are not taken."""

    def __init__(self, base_url: str = "") -> None:
        """Keep where links lead; without it this deployment sends no mail."""
        self.base_url = base_url
        self.sent: list[Letter] = []
        self.refused: set[str] = set()

    def send(self, letter: Letter) -> str:
        """Keep the letter; raises `BadRequest` for an address that is refused."""
        if letter.to in self.refused:
            raise BadRequest("sesv2.send_email: MessageRejected")
        self.sent.append(letter)
        return f"letter-{len(self.sent)}"


class MemoryIssuer:
    """An issuer that takes each code for the subject it was given for. `codes` are those that still hold."""

    def __init__(self, *, configured: bool = False) -> None:
        """Start with nobody signed in."""
        self.configured = configured
        self.codes: dict[str, str] = {}
        self.asked: dict[str, tuple[str, str]] = {}
        """By state: nonce and PKCE challenge, as the browser brought them."""

    def address(self, back: str, state: str, nonce: str, challenge: str) -> str:
        """Return an address that says what was asked."""
        self.asked[state] = (nonce, challenge)
        return f"https://issuer.example/authorize?redirect_uri={back}&state={state}"

    def identify(self, code: str, back: str, verifier: str, nonce: str, at: datetime) -> SignedIn:  # noqa: ARG002  the port's
        """Return the code's subject, who authenticated just now, once, to whoever knows what the request began with."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        subject = self.codes.pop(code, "") if (nonce, challenge) in self.asked.values() else ""
        if not subject:
            raise Refused("sign_in", "the sign-in does not count: the code is not known")
        return SignedIn(subject=subject, authenticated=int(at.timestamp()))


class MemoryPermissions:
    """Every action is allowed but those named."""

    def __init__(self, denied: Iterable[str] = ()) -> None:
        """Keep what is not allowed."""
        self.denied = set(denied)

    def missing(self, acting: Sequence[str], restoring: Sequence[str], resource: str) -> list[str]:  # noqa: ARG002  denied on every resource
        """Return the denied ones among the actions, in the order they were asked."""
        return [action for action in dict.fromkeys((*acting, *restoring)) if action in self.denied]


class MemoryFetch:
    """Answers by URL, under the same allow-list; a URL without an answer does not answer."""

    def __init__(self, hosts: Sequence[str], answers: Mapping[str, tuple[int, bytes] | Refused] | None = None) -> None:
        """Keep the list and the answers."""
        self._hosts = tuple(hosts)
        self.answers = dict(answers or {})

    def get(self, url: str) -> tuple[int, bytes]:
        """Return the answer; raises `Refused` for a host that is not listed, `Unavailable` for one that is silent."""
        target = check_listed(url, self._hosts)
        answer = self.answers.get(url)
        if isinstance(answer, Refused):
            raise answer
        if answer is None:
            raise Unavailable(f"{target.scheme}://{target.header} did not answer")
        return answer
