"""Everything outside the house, as Protocols. Each has a real body and an in-memory one under the same tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from grace.model.base import Item, Json

if TYPE_CHECKING:  # a port says shapes and makes none: what a door never touches it does not load
    from grace.log_ports import Archive, LogTable, Notary, SignerRecord, Signing, Witness
    from grace.model.approval import Reminder
    from grace.model.asked import Asked
    from grace.model.catalogue import Catalogue
    from grace.model.contract import Pointer, Ticket
    from grace.model.entry import Commit, Committed, Entry, Ref
    from grace.model.metric import Metric
    from grace.model.mission import DraftRequest
    from grace.model.policy import PolicyAnswer, Question
    from grace.model.signal import MetricRef
    from grace.model.signin import SignedIn

T = TypeVar("T", bound=Item)


class Sdk(Protocol):
    """What makes clients of AWS services; boto3's Session is one."""

    def client(self, service: str, *, config: Any) -> Any:
        """Return a client with botocore's `Config`."""


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the present, with its zone (UTC)."""

    def pause(self, longest: float) -> None:
        """Wait for a random part of so many seconds (full jitter)."""


class View(Protocol):
    """Items read together, each strongly consistent at its own read."""

    def get(self, ref: Ref[T]) -> T | None:
        """Return the item, or None when it is not there. Asking for one that was not read is a KeyError."""

    def need(self, ref: Ref[T]) -> T:
        """Return the item; raises `NotFound` when it is not there."""


class Store(Protocol):
    """State and log. `commit` is the only way to write."""

    def read(self, *refs: Ref[Item], stream: str = "") -> View:
        """Read items in one call, and with them the head of `stream`'s lane, so a following commit needs no read.

        Raises:
            IntegrityError: for an item of a schema version we do not read.
        """

    def members(self, kind: type[T], *ids: str) -> list[T]:
        """Return all items of a class below the first of its ids (a contract's votes, its evidence), in key order."""

    def open(self, kind: type[T], before: datetime) -> list[T]:
        """Return the items of a class (Mission, ContractHead, Approval) still open with a deadline before that time."""

    def commit(self, commit: Commit) -> Committed:
        """Write a change and its entries in one transaction.

        Raises:
            Conflict: an item is not at the version the commit carries.
            IllegalTransition: the contract's status may not become that.
            TransientError: throttled, or the lane stayed contended; nothing was written.
        """

    def story(self, stream: str) -> list[Entry]:
        """Return the entries of a contract's or mission's stream, oldest first."""


class Vault(Protocol):
    """Objects written once: snapshots, quarantined messages."""

    def put(self, key: str, body: bytes) -> Pointer:
        """Write if absent; the same bytes again are success, other bytes are an `IntegrityError`."""

    def get(self, pointer: Pointer) -> bytes:
        """Return the bytes; raises `IntegrityError` when they do not have the pointer's digest, `NotFound` when gone."""


class Aws(Protocol):
    """The services that resources, actions and probes speak to."""

    def call(self, service: str, operation: str, /, **arguments: Json) -> dict[str, Json]:
        """Call one operation (boto3's names: `lambda`, `update_alias`) and return its answer without metadata.

        Raises:
            Throttled, Unavailable, AnswerLost, NotFound, AccessDenied, BadRequest, Mismatch.
        """


class SeriesRequest(NamedTuple):
    """One plain series over a window in epoch seconds, end not included."""

    metric: MetricRef
    start: int
    end: int


class Metrics(Protocol):
    """Plain series of CloudWatch, as published."""

    def fetch(self, requests: Sequence[SeriesRequest]) -> list[list[tuple[int, float]]]:
        """Return per request its points (epoch second of the period's start, value), ascending; one AWS call a page."""


class AlarmFacts(NamedTuple):
    """What an alarm is set to and how it stands; `treat_missing` is CloudWatch's word for it."""

    arn: str
    name: str
    state: str
    changed_at: datetime
    metric: MetricRef | None
    threshold: float | None
    comparison: str
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing: str


class Alarms(Protocol):
    """The alarms of the account and region."""

    def describe(self, name: str) -> AlarmFacts | None:
        """Return the alarm with that name or ARN, or None."""

    def in_alarm(self) -> list[AlarmFacts]:
        """Return every metric alarm in state ALARM but Grace's own, for the sweep of lost events."""


class Workflow(Protocol):
    """The state machine."""

    def start(self, name: str, ticket: Ticket) -> None:
        """Start an execution; one of that name that runs or ran already is success."""

    def status(self, name: str) -> str | None:
        """Return RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, or None when there never was one."""

    def stop(self, name: str, reason: str) -> None:
        """Stop an execution; one that has ended is success."""

    def wake(self, task_token: str, contract_id: str) -> bool:
        """Release a waiting task; its answer holds the contract id alone. False when the workflow has moved on."""


class Messages(Protocol):
    """What Grace says to others."""

    def notify(self, severity: str, subject: str, text: str) -> None:
        """Tell people, through the `grace-notify` topic."""

    def publish(self, event: str, detail: Mapping[str, Json]) -> None:
        """Put an event on our bus."""

    def draft(self, request: DraftRequest) -> None:
        """Ask the `contract` door, asynchronously."""

    def remind(self, reminder: Reminder) -> None:
        """Ask the `ask` door, asynchronously, to look at an approval again."""


class Sealer(Protocol):
    """Encrypts small secrets (task tokens, environment values) with the vault's key."""

    def seal(self, plain: str, context: str) -> str:
        """Return the ciphertext, bound to `context`."""

    def unseal(self, sealed: str, context: str) -> str:
        """Return the plain text; raises `IntegrityError` for another context or changed bytes."""


class Macs(Protocol):
    """Message authentication under a key that nobody can read: who may make one cannot check it, and the reverse."""

    def generate(self, message: bytes) -> tuple[bytes, str]:
        """Return the HMAC-SHA-256 of a message (at most 4,096 bytes) and the id of the key it was made with."""

    def verify(self, message: bytes, mac: bytes, key_id: str) -> bool:
        """Return whether that key made that MAC; a key that is gone, disabled or not ours made none."""

    def stands(self, key_id: str) -> bool:
        """Return whether what that key made can still be proved: it is there and enabled."""


class Letter(NamedTuple):
    """One mail to one person. `tags` come back with what happens to it (bounce, complaint): small letters, digits, `_-.`.

    Its text is in no log: a link stands in it.
    """

    to: str
    subject: str
    text: str
    html: str
    tags: Mapping[str, str]

    def __repr__(self) -> str:
        """Without its text, whoever prints it."""
        return f"Letter(to={self.to!r}, subject={self.subject!r}, tags={self.tags!r})"


class Mail(Protocol):
    """Letters to single people."""

    @property
    def base_url(self) -> str:
        """Where links lead, without a slash at its end; empty when this deployment sends no mail."""

    def send(self, letter: Letter) -> str:
        """Hand a letter over and return its id. That it arrives is not said: a bounce comes as an event.

        Raises:
            BadRequest: it is refused as it stands (sender or recipient not verified, sending paused).
            TransientError: not taken; the same letter again is at worst a second copy.
        """


class Letters(Protocol):
    """What is written in mail."""

    def approval(self, asked: Asked) -> tuple[str, str, str]:
        """Return subject, text and HTML of the request to one approver; everything of it is escaped."""


class Sessions(Protocol):
    """Short texts that come back to us through a browser, signed for one purpose."""

    def sign(self, purpose: str, text: str) -> str:
        """Return the text with its proof."""

    def read(self, purpose: str, signed: str) -> str | None:
        """Return the text, or None when it was not signed by us for this purpose."""


class Issuer(Protocol):
    """Where people sign in."""

    @property
    def configured(self) -> bool:
        """Whether this deployment has one."""

    def address(self, back: str, state: str, nonce: str, challenge: str) -> str:
        """Return where to send the browser; it comes back to `back`. `challenge` is PKCE's, of method S256."""

    def identify(self, code: str, back: str, verifier: str, nonce: str, at: datetime) -> SignedIn:
        """Return who signed in with a second factor, not longer than 15 minutes ago.

        Raises:
            Refused: `sign_in`, with why it does not count.
            TransientError: the issuer did not answer.
        """


class Permissions(Protocol):
    """Whether our roles may do what a contract needs."""

    def missing(self, acting: Sequence[str], restoring: Sequence[str], resource: str) -> list[str]:
        """Return what the `execute` role lacks of `acting`, and the `rollback` role of `restoring`, on a resource."""


class Fetch(Protocol):
    """HTTP to hosts of the allow-list, under the SSRF rules."""

    def get(self, url: str) -> tuple[int, bytes]:
        """Return status and at most 64 KiB of the body; raises `Refused` for an address that may not be asked."""


class Policy(Protocol):
    """What is allowed. The default is no."""

    @property
    def digest(self) -> str:
        """The digest of the policy set, which every ruling records."""

    @property
    def looks_at_reach(self) -> bool:
        """Whether a policy names how far an act is felt: then it is found out before policy is asked."""

    def visible(self, tags: dict[str, str]) -> dict[str, str]:
        """Return the tags of a resource that policies name, for the record."""

    def ask(self, question: Question) -> PolicyAnswer:
        """Return what policy says; raises `PolicyUnreadable` when it cannot, and then nothing is allowed."""


class Telemetry(Protocol):
    """The deployment's own metrics and log lines: few series, whatever the number of playbooks."""

    def count(self, metric: Metric, value: int = 1) -> None:
        """Add to a metric of the namespace `Grace`."""

    def about(self, **ids: str) -> None:
        """Name what is worked on from here: these ids stand in every line until others are named, or none."""

    def done(self, what: str) -> None:
        """Log that one of several things is done, with its ids; a door with one thing says so by itself."""

    def trouble(self, what: str, error: Exception, **facts: str) -> None:
        """Log an error that was met and dealt with, with its class and sentence; never a payload or a secret."""


class Services(Protocol):
    """All that a verb may need. Each part is made at its first use, so a door pays only for what it touches."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def store(self) -> Store:
        """State and log."""

    @property
    def vault(self) -> Vault:
        """Objects."""

    @property
    def log(self) -> LogTable:
        """The log's rows."""

    @property
    def archive(self) -> Archive:
        """The log's objects."""

    @property
    def record(self) -> SignerRecord:
        """What was last signed."""

    @property
    def signing(self) -> Signing:
        """The log's key."""

    @property
    def notary(self) -> Notary:
        """The signer."""

    @property
    def witness(self) -> Witness | None:
        """Copies outside, where they are configured."""

    @property
    def aws(self) -> Aws:
        """The services acted on."""

    @property
    def metrics(self) -> Metrics:
        """CloudWatch series."""

    @property
    def alarms(self) -> Alarms:
        """CloudWatch alarms."""

    @property
    def workflow(self) -> Workflow:
        """The state machine."""

    @property
    def messages(self) -> Messages:
        """People, bus and doors."""

    @property
    def sealer(self) -> Sealer:
        """Encryption of small secrets."""

    @property
    def macs(self) -> Macs:
        """Proofs that a link is ours."""

    @property
    def mail(self) -> Mail:
        """Letters."""

    @property
    def letters(self) -> Letters:
        """What is written in mail."""

    @property
    def sessions(self) -> Sessions:
        """What a browser carries for us."""

    @property
    def issuer(self) -> Issuer:
        """Where people sign in."""

    @property
    def permissions(self) -> Permissions:
        """What our roles may do."""

    @property
    def fetch(self) -> Fetch:
        """HTTP under the SSRF rules."""

    @property
    def policy(self) -> Policy:
        """What is allowed."""

    @property
    def telemetry(self) -> Telemetry:
        """Metrics and log lines."""

    @property
    def catalogue(self) -> Catalogue:
        """Playbooks, rules, people and modes."""
