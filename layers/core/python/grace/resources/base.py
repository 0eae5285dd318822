"""What a resource type promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from grace import registry
from grace.errors import Refused
from grace.model.base import Json, Model, canonical, sha256_hex
from grace.model.resource import Owner, Reach, ResourceRef
from grace.ports import Aws

if TYPE_CHECKING:
    from grace.model.signal import Signal

S = TypeVar("S", bound=Model)

OPT_IN_TAG = "grace:managed"
"""A resource is touched only when its nearest taggable owner carries this tag with the value `true`."""

GUARD_TAG = "grace:guards"
"""Names, with blanks between them, of the alarms that must stay quiet while Grace works on the resource."""

CHANGED_BY_TAG = "grace:changed-by"
"""Who made the resource's newest change, with blanks between them: ids, mail addresses or IAM principals of people."""


def require_opt_in(tags: dict[str, str], resource: str) -> None:
    """Refuse a resource that nobody has put into Grace's hands.

    Raises:
        Refused: `not_managed`, when the tag is missing or is not `true`.
    """
    if tags.get(OPT_IN_TAG) != "true":
        raise Refused("not_managed", f"{resource} does not carry the tag {OPT_IN_TAG}=true, so Grace may not touch it")


@dataclass(frozen=True)
class Captured(Generic[S]):
    """A state as read. `revision` is the service's own compare-and-set token, empty where it has none."""

    state: S
    revision: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical state."""
        return digest_of(self.state)


def digest_of(state: Model) -> str:
    """Return the SHA-256 over the canonical bytes of a state."""
    return sha256_hex(canonical(state.model_dump(mode="json")))


class Restorable(ABC, Generic[S]):
    """A resource type. Its state holds only the fields that an action may set, so only these are ever put back.

    `reads` and `writes` are the IAM actions its methods need; `arns` are IAM resource patterns with `{account}` and
    `{region}`, and `tag_condition` says whether every write supports `aws:ResourceTag`.
    """

    cfn_type: ClassVar[str]
    state: ClassVar[type[Model]]
    reads: ClassVar[tuple[str, ...]]
    writes: ClassVar[tuple[str, ...]]
    arns: ClassVar[tuple[str, ...]]
    tag_condition: ClassVar[bool] = True
    unscoped_reads: ClassVar[tuple[str, ...]] = ()
    """Read actions for which IAM knows no resource; they are granted on `*`."""

    @abstractmethod
    def from_signal(self, signal: Signal) -> ResourceRef | None:
        """Return the resource of this type that a signal is about, or None."""

    def locate(self, ref: ResourceRef, aws: Aws) -> ResourceRef:
        """Return the reference with its full ARN, where a signal names the resource by less.

        Raises:
            NotFound: it is not there, or another is there by its name.
            Refused: `foreign`, it is not one of the account and region we act in.
        """
        return ref

    @abstractmethod
    def tags(self, ref: ResourceRef, aws: Aws) -> dict[str, str]:
        """Return the tags of the nearest taggable owner; raises `NotFound`."""

    @abstractmethod
    def capture(self, ref: ResourceRef, aws: Aws) -> Captured[S]:
        """Read the restorable state; raises `NotFound`."""

    @abstractmethod
    def restore(self, ref: ResourceRef, wanted: S, now: Captured[S], aws: Aws) -> None:
        """Put the state back. `now` is what was just read, for the service's compare-and-set.

        Raises:
            Mismatch: somebody changed the resource between the read and this call.
        """

    @abstractmethod
    def in_progress(self, ref: ResourceRef, aws: Aws) -> str:
        """Return why the resource may not be touched now (a deployment or update is running), or an empty string."""

    @abstractmethod
    def dimensions(self, ref: ResourceRef, namespace: str) -> dict[str, str]:
        """Return the CloudWatch dimensions of this resource in an AWS namespace; raises `Refused` where it has none."""

    @abstractmethod
    def probe_function(self, ref: ResourceRef) -> str:
        """Return the ARN to call for an `invoke` expectation; raises `Refused` where there is nothing to call."""

    def reach(self, ref: ResourceRef, aws: Aws) -> Reach:
        """Return how far an action on it is felt; a type that knows nothing about that says: this one resource, and of what depends on it nothing."""
        return Reach()

    def parse(self, state: dict[str, Json]) -> S:
        """Return the typed state from a snapshot's document."""
        return cast("S", self.state.model_validate(state))

    def differences(self, wanted: S, found: S) -> list[str]:
        """Return one line per field that differs, for people and for the rollback's verdict."""
        want, have = wanted.model_dump(mode="json"), found.model_dump(mode="json")
        return [f"{key}: {have[key]!r} instead of {want[key]!r}" for key in want if want[key] != have[key]]

    def owner(self, tags: dict[str, str]) -> Owner:
        """Return who declares the resource, read from the tags that deployment tools leave."""
        for key, kind in _OWNER_TAGS:
            if key in tags:
                return Owner(kind=kind, name=tags[key])
        return Owner(kind="none")


_OWNER_TAGS = (
    ("argocd.argoproj.io/instance", "argo"),
    ("kustomize.toolkit.fluxcd.io/name", "flux"),
    ("terraform", "terraform"),
    ("aws:cdk:stack", "cdk"),
    ("aws:cloudformation:stack-name", "cloudformation"),
)


def resource_type(name: str) -> Restorable[Model]:
    """Return the class for a CloudFormation type; raises `Refused` (`unknown`) when Grace cannot act on it."""
    found: Restorable[Model] = registry.member("grace.resources", registry.module_name(name))
    return found


def resource_types() -> dict[str, Restorable[Model]]:
    """Return every resource type by CloudFormation name."""
    return {found.cfn_type: found for found in registry.members("grace.resources").values()}
