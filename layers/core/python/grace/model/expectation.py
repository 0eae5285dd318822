"""What must be measurably true afterwards, compiled: every line names a real observation."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grace.model.base import Json, Model
from grace.model.signal import MetricRef


class Threshold(Model):
    """One bound on a value. `of` says whether the number is the bound itself or a multiple of the `before` window."""

    op: Literal["below", "above", "at_most", "at_least"]
    value: float
    of: Literal["value", "before"] = "value"

    def holds(self, observed: float, reference: float | None = None) -> bool:
        """Return whether `observed` keeps the bound; `reference` is the value of the `before` window.

        Raises:
            ValueError: when the bound is relative and there is no reference to compare with.
        """
        bound = self.value
        if self.of == "before":
            if reference is None:
                raise ValueError("a relative bound needs a reference value")
            bound = self.value * reference
        match self.op:
            case "below":
                return observed < bound
            case "above":
                return observed > bound
            case "at_most":
                return observed <= bound
            case "at_least":
                return observed >= bound

    def text(self) -> str:
        """Return the bound as a person reads it, for example `below 0.02` or `below 1.2 of before`."""
        return f"{self.op.replace('_', ' ')} {self.value:g}" + (" of before" if self.of == "before" else "")


class _Line(Model):
    id: str = Field(pattern=r"^[eg][0-9]{1,2}$")
    must: bool = True


class MetricLine(_Line):
    """A plain series, or the ratio of two, reduced to one number over a window of `within` seconds.

    `missing`: what a gap in the data means. `reduce`: how the window becomes one number. `min_samples`: fewer
    measured points than that are too little data.
    """

    kind: Literal["metric"] = "metric"
    series: tuple[MetricRef, ...] = Field(min_length=1, max_length=2)
    within: int = Field(ge=10, le=86400)
    bound: Threshold
    missing: Literal["gap", "zero"] = "gap"
    reduce: Literal["mean", "min", "max", "ratio_of_sums"] = "mean"
    min_samples: int = Field(default=3, ge=1, le=1000)

    @model_validator(mode="after")
    def _ratio_has_two(self) -> Self:
        if (len(self.series) == 2) != (self.reduce == "ratio_of_sums"):
            raise ValueError("two series are a ratio and need reduce: ratio_of_sums; one series needs another reduce")
        return self


class StateLine(_Line):
    """A JMESPath over the captured state of the resource must equal a value."""

    kind: Literal["state"] = "state"
    path: str = Field(min_length=1, max_length=256)
    equals: Json


class AlarmLine(_Line):
    """An alarm must be in a state within `within` seconds."""

    kind: Literal["alarm"] = "alarm"
    alarm: str = Field(min_length=1, max_length=2048)
    becomes: Literal["OK"] = "OK"
    within: int = Field(ge=10, le=86400)


class InvokeLine(_Line):
    """A Lambda function, called `times` times with `payload`, must answer with every field of `expect` each time."""

    kind: Literal["invoke"] = "invoke"
    function: str = Field(min_length=1, max_length=512)
    payload: Json
    expect: dict[str, Json]
    times: int = Field(default=1, ge=1, le=100)


class HttpLine(_Line):
    """A URL of the allow-list, asked `times` times, must answer with `status` each time."""

    kind: Literal["http"] = "http"
    url: str = Field(min_length=8, max_length=1024)
    status: int = Field(default=200, ge=100, le=599)
    contains: str = Field(default="", max_length=256)
    times: int = Field(default=1, ge=1, le=20)


Expectation = Annotated[MetricLine | StateLine | AlarmLine | InvokeLine | HttpLine, Field(discriminator="kind")]
"""One promise, by kind of observation."""


class Guard(_Line):
    """What must not get worse than the healthy window before the incident, judged statistically.

    Worse by more than `relative` of the reference mean and by more than `absolute` is beyond practical tolerance.
    """

    series: tuple[MetricRef, ...] = Field(min_length=1, max_length=2)
    worse: Literal["higher", "lower"] = "higher"
    relative: float = Field(default=0.2, ge=0, le=10)
    absolute: float = Field(default=0.0, ge=0)
    min_samples: int = Field(default=30, ge=5, le=10000)
    missing: Literal["gap", "zero"] = "gap"
