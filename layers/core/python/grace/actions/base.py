"""What an action promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar, Generic, TypeVar, cast

from grace import registry
from grace.model.base import Json, Model
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.ports import Aws
from grace.resources.base import Captured

A = TypeVar("A", bound=Model)
P = TypeVar("P", bound=Model)
S = TypeVar("S", bound=Model)


class Action(ABC, Generic[A, P, S]):
    """One thing Grace can do to one resource type. `ask` is what a playbook writes, `parameters` absolute values.

    `iam` are the IAM actions that `run` needs; they are granted to `execute` on the resource type's own ARNs. An action
    needs them to support `aws:ResourceTag` (`Restorable.tag_condition`) or its resource type says that it cannot.
    """

    name: ClassVar[str]
    on: ClassVar[str]
    effect: ClassVar[EffectClass]
    undo: ClassVar[Undo]
    iam: ClassVar[tuple[str, ...]]
    ask: ClassVar[type[Model]]
    parameters: ClassVar[type[Model]]
    erases: ClassVar[bool] = False
    """Whether it deletes data; the constitution then asks for a verified backup."""
    call_seconds: ClassVar[int] = 12
    """The longest the call may take, which the lease must outlast."""

    @abstractmethod
    def plan(self, ref: ResourceRef, before: Captured[S], ask: A, aws: Aws) -> P:
        """Return absolute values for this resource as it stands; raises `Refused` when there is nothing sensible."""

    @abstractmethod
    def check(self, ref: ResourceRef, before: Captured[S], parameters: P, aws: Aws) -> None:
        """Prove without changing anything that the action can run: bounds, quotas, dry run; raises `Refused`."""

    @abstractmethod
    def predict(self, before: S, parameters: P) -> S:
        """Return the state the resource will have; tells our own effect from a third party's change."""

    @abstractmethod
    def run(self, ref: ResourceRef, parameters: P, before: Captured[S], aws: Aws, token: str) -> None:
        """Do it, once. `token` is the client token for class A.

        Raises:
            AnswerLost: it may have happened.
            Mismatch: class B found another revision; nothing was done.
        """

    def happened(self, ref: ResourceRef, since: datetime, aws: Aws) -> bool | None:
        """Class E: return whether the effect is seen to have happened since that time; None when nobody can say."""
        return None

    def lasts(self, parameters: P) -> int | None:
        """Return after how many seconds the values from before are to be put back, or None when the change stays."""
        return None

    @abstractmethod
    def describe(self, parameters: P) -> str:
        """Return what will be done, in words, with the absolute values."""

    def removes(self, before: S, parameters: P) -> int:
        """Return how much of what serves now the action takes away at once, in percent; most take away nothing."""
        return 0

    def cost_per_hour(self, before: S, parameters: P) -> float | None:
        """Return what the change costs more per hour in US dollars, or None where we do not know the price."""
        return None

    def parse(self, parameters: dict[str, Json]) -> P:
        """Return the typed parameters from a contract."""
        return cast("P", self.parameters.model_validate(parameters))


def action(name: str) -> Action[Model, Model, Model]:
    """Return the action of that name; raises `Refused` (`unknown`) for a name nobody implements."""
    found: Action[Model, Model, Model] = registry.member("grace.actions", name)
    return found


def actions() -> dict[str, Action[Model, Model, Model]]:
    """Return every action by name."""
    return registry.members("grace.actions")
