"""The doors as data: what each function may do, how long and with how much memory. One row per door, nothing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from infra.constructs.layers import Extra


class Right(StrEnum):
    """One named thing a door may do; `rights.py` says which IAM actions on which ARNs that is."""

    STATE = "state"
    """Read and commit state and log, in transactions; no scan, no delete."""
    DECIDE = "decide"
    """Read all of that, and write what belongs to a contract alone."""
    QUARANTINE = "quarantine"
    """Write what could not be read into the vault."""
    SNAPSHOT_WRITE = "snapshot_write"
    SNAPSHOT_READ = "snapshot_read"
    SEAL = "seal"
    """Encrypt a small secret with the vault's key."""
    UNSEAL = "unseal"
    MINT = "mint"
    """Make the proof in an approval link."""
    SESSION = "session"
    """Sign and check what browsers carry, under a key that proves no link."""
    VERIFY_LINK = "verify_link"
    """Check the proof in an approval link."""
    LINK_KEYS = "link_keys"
    """See whether a link key is enabled."""
    REMIND = "remind"
    """Ask the `ask` door to look at an approval again."""
    MAIL = "mail"
    """Write to approvers from the configured address."""
    NOTIFY = "notify"
    """Tell people."""
    PUBLISH = "publish"
    """Put events on our bus."""
    DRAFT = "draft"
    """Ask the `contract` door."""
    ALARMS = "alarms"
    """Read alarms and their history."""
    METRICS = "metrics"
    """Read metric data."""
    PROBES = "probes"
    """What the probes declare."""
    PROOFS = "proofs"
    """What the probes declare for proving that a line can be observed at all."""
    TARGET_READ = "target_read"
    """What the resource types declare as reads."""
    TARGET_ACT = "target_act"
    """What the actions declare."""
    TARGET_RESTORE = "target_restore"
    """What the resource types declare as writes."""
    SIMULATE = "simulate"
    """Ask IAM what the `execute` and `rollback` roles may do."""
    START = "start"
    """Start executions of the workflow and see how they stand."""
    STOP = "stop"
    WAKE = "wake"
    """Release waiting tasks."""
    LOG_HEAD = "log_head"
    """Read the log's rows, and write the tree's head: no entry, no lane."""
    LOG_TILES = "log_tiles"
    """Write tiles and bundles of the log, once."""
    LOG_ROWS = "log_rows"
    """Read the log's rows."""
    LOG_READ = "log_read"
    """Read the log's objects."""
    LOG_VERSIONS = "log_versions"
    """See every version of the log's objects, what hides them, and how long they are locked."""
    LOG_CHECKPOINTS = "log_checkpoints"
    """Write checkpoints, and the public key beside them."""
    LOG_KEY = "log_key"
    """Read the public half of the log's key."""
    LOG_SIGN = "log_sign"
    """Sign with the log's key."""
    RECORD = "record"
    """Read and write what was last signed."""
    RECORD_READ = "record_read"
    ASK_SIGNER = "ask_signer"
    """Ask the `sign` door."""
    WITNESS = "witness"
    """Keep copies of checkpoints where somebody else's bucket is configured, and read them."""
    WITNESS_READ = "witness_read"
    """Read those copies."""


R = Right


@dataclass(frozen=True, slots=True)
class Door:
    """One function. `timeout` in seconds stays below its task's; `bounded` puts it under the permission boundary."""

    name: str
    about: str
    rights: tuple[Right, ...]
    memory: int = 512
    timeout: int = 60
    bounded: bool = False
    layers: tuple[Extra, ...] = ()
    """Layers beyond the common ones."""
    environment: tuple[str, ...] = field(default=())
    """The settings it needs beyond the two tables."""

    @property
    def title(self) -> str:
        """As CloudFormation names its parts: `Snapshot`."""
        return self.name.capitalize()


DOORS: tuple[Door, ...] = (
    Door(
        "triage",
        "Groups signals and opens missions",
        (R.STATE, R.QUARANTINE, R.NOTIFY, R.PUBLISH, R.DRAFT),
        environment=("vault_bucket", "notify_topic", "bus", "contract_function"),
    ),
    Door(
        "contract",
        "Drafts contracts and starts the workflow",
        (R.STATE, R.TARGET_READ, R.PROOFS, R.ALARMS, R.METRICS, R.NOTIFY, R.PUBLISH, R.START),
        layers=("cedar",),
        environment=("notify_topic", "bus", "state_machine", "home"),
    ),
    Door(
        "ask",
        "Asks the approvers, and reads what was decided",
        (R.STATE, R.SEAL, R.MINT, R.LINK_KEYS, R.MAIL, R.NOTIFY, R.PUBLISH),
        layers=("web", "cedar"),
        environment=(
            "home",
            "vault_key",
            "notify_topic",
            "bus",
            "link_key",
            "mail_sender",
            "mail_configuration",
            "base_url",
        ),
    ),
    Door(
        "answer",
        "Shows what a link opens, and records votes",
        (R.DECIDE, R.VERIFY_LINK, R.SESSION),
        timeout=20,
        layers=("web", "crypto"),
        environment=("base_url", "oidc", "session_key"),
    ),
    Door(
        "operate",
        "Buttons for people: stop, resume, roll back, release, retry, dismiss",
        (R.STATE, R.DRAFT, R.NOTIFY, R.PUBLISH, R.START, R.STOP),
        timeout=20,
        environment=("contract_function", "notify_topic", "bus", "state_machine"),
    ),
    Door(
        "resolve",
        "Releases and stops workflows after a decision, and announces it",
        (R.STATE, R.UNSEAL, R.WAKE, R.START, R.STOP, R.PUBLISH),
        environment=("vault_key", "state_machine", "bus"),
    ),
    Door(
        "snapshot",
        "Proves that a contract can run, and keeps the resource's state",
        (R.STATE, R.SNAPSHOT_WRITE, R.TARGET_READ, R.SIMULATE),
        environment=("vault_bucket", "execute_role", "rollback_role"),
    ),
    Door(
        "execute",
        "Changes the resource, once",
        (R.STATE, R.SNAPSHOT_READ, R.TARGET_READ, R.TARGET_ACT),
        bounded=True,
        layers=("cedar",),
        environment=("vault_bucket", "home"),
    ),
    Door("benchmark", "Measures reality", (R.STATE, R.TARGET_READ, R.PROBES, R.ALARMS), bounded=True),
    Door("verify", "Decides the verdict", (R.STATE,)),
    Door(
        "rollback",
        "Puts the resource back and measures that it is back",
        (R.STATE, R.SNAPSHOT_READ, R.TARGET_READ, R.TARGET_RESTORE, R.ALARMS, R.NOTIFY),
        timeout=100,
        bounded=True,
        environment=("vault_bucket", "notify_topic"),
    ),
    Door(
        "close",
        "Gives the lease back, records the outcome, tells people",
        (R.STATE, R.NOTIFY, R.PUBLISH),
        environment=("notify_topic", "bus"),
    ),
    Door(
        "reap",
        "Finds what got stuck or lost",
        (R.STATE, R.TARGET_READ, R.ALARMS, R.START, R.STOP, R.DRAFT, R.REMIND, R.LINK_KEYS, R.NOTIFY, R.PUBLISH),
        environment=("state_machine", "contract_function", "ask_function", "notify_topic", "bus"),
    ),
    Door(
        "integrate",
        "Takes entries into the tree and stores its tiles",
        (R.LOG_HEAD, R.LOG_READ, R.LOG_TILES, R.LOG_KEY, R.ASK_SIGNER, R.WITNESS, R.NOTIFY, R.PUBLISH),
        layers=("crypto",),
        environment=(
            "log_bucket",
            "log_lock",
            "log_key",
            "log_origin",
            "sign_function",
            "witness_bucket",
            "notify_topic",
            "bus",
        ),
    ),
    Door(
        "sign",
        "Signs the tree's head when it extends what was signed before",
        (R.LOG_ROWS, R.LOG_READ, R.LOG_CHECKPOINTS, R.LOG_KEY, R.LOG_SIGN, R.RECORD),
        timeout=30,
        layers=("crypto",),
        environment=("log_bucket", "log_lock", "log_key", "log_origin", "signer_table"),
    ),
    Door(
        "audit",
        "Checks the log, and writes what it finds",
        (
            R.STATE,
            R.LOG_ROWS,
            R.LOG_READ,
            R.LOG_VERSIONS,
            R.LOG_KEY,
            R.RECORD_READ,
            R.WITNESS_READ,
            R.METRICS,
            R.NOTIFY,
            R.PUBLISH,
        ),
        memory=1024,
        timeout=600,
        layers=("crypto",),
        environment=(
            "log_bucket",
            "log_lock_days",
            "log_key",
            "log_origin",
            "signer_table",
            "witness_bucket",
            "notify_topic",
            "bus",
        ),
    ),
)

WORKFLOW_DOORS = ("ask", "snapshot", "execute", "benchmark", "verify", "rollback", "close")
"""The doors the state machine may call."""
