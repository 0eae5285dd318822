"""What an approver is shown beside the contract: the resource as it was found, what the action would touch, and a plot."""

from pydantic import Field

from grace.model.base import Instant, Item, Model
from grace.model.resource import Reach


class FieldChange(Model):
    """One field of the resource's state: its value now, and the value the action would lead to."""

    name: str
    now: str
    then: str

    @property
    def changes(self) -> bool:
        """Whether the action sets it to something else."""
        return self.now != self.then


class Plot(Model):
    """The series that fired, as published: a value per period from `start` (epoch seconds) on, None where there is none.

    `since` is when its alarm went off, `threshold` the alarm's own; `period` is in seconds.
    """

    label: str
    start: int
    period: int
    values: tuple[float | None, ...] = Field(max_length=120)
    since: int | None = None
    threshold: float | None = None

    @property
    def points(self) -> tuple[tuple[int, float], ...]:
        """The measured values with the second their period began, ascending."""
        return tuple((self.start + n * self.period, value) for n, value in enumerate(self.values) if value is not None)


class Preview(Item):
    """The page's facts as of the draft. It is shown and never compared: what runs is held to the contract alone.

    `reach` and `plot` are None where they could not be read; `production` is the tag that says so, `key=value`.
    """

    contract_id: str
    taken_at: Instant
    does: str
    changes: tuple[FieldChange, ...]
    reach: Reach | None
    production: str = ""
    plot: Plot | None

    @property
    def ids(self) -> tuple[str, ...]:
        """One per contract."""
        return (self.contract_id,)
