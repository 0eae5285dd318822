"""Guards: what the fix must not make worse, judged statistically against the healthy window.

A guard flags only when three things hold together: the datapoints after the action are worse on average, the
difference is statistically significant, and it is larger than the practical tolerance the playbook states. Noise
alone is not worse, and a real but trifling difference is not worse either.

What a guard can and cannot see, published by `tests/unit/evidence/test_guard_rates.py` as x of y: with 30 datapoints
per window and a datapoint noise whose standard deviation is three quarters of the tolerance, a regression of twice
the tolerance is found in at least 95 % of runs for normal, log-normal and AR(1) 0.5 noise, and far fewer than 5 % of
unchanged runs flag (fewer than 5 % even with a tolerance of zero). Wider noise that is also autocorrelated hides such
a regression from any method at 30 datapoints: the guard then answers `inconclusive`, with the smallest regression it
could have found, rather than calling something safe that it could not see. More datapoints (a longer window) pay for
a narrower tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import fmean
from typing import Literal, NamedTuple

from grace.evidence.distributions import student_t_critical, student_t_upper_tail

Worse = Literal["higher", "lower"]

_POWER = 0.95
_FEWEST_INDEPENDENT = 3.0  # below this many independent values per window a variance means nothing
_STRONGEST_CORRELATION = 0.95
_ROUNDING = 1e-12  # of the largest value: two means of the same numbers may differ by as much


class GuardKind(StrEnum):
    """What a guard found."""

    PASSED = "passed"
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse is still acceptable: the larger of an absolute amount and a share of the healthy mean.

    `absolute` is in the metric's own unit, `relative` a fraction (0.1 = ten percent). Both must be finite and not
    negative.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("absolute", self.absolute), ("relative", self.relative)):
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"tolerance {name} must be a finite number, 0 or more; got {value}")

    def of(self, healthy_mean: float) -> float:
        """The tolerance in the metric's unit, for this healthy mean."""
        return max(self.absolute, self.relative * abs(healthy_mean))


class GuardResult(NamedTuple):
    """One guard's finding, with the numbers behind it.

    `effect`: mean after minus mean before, turned so that positive is worse; metric's unit. `p_value`: one-sided, of
    "not worse". `effective_n`: independent datapoints' worth of the smaller window. `tolerance`: in the metric's
    unit. `detectable`: the smallest regression found 95 times of 100 in windows like these. Numbers are None where
    nothing could be measured.
    """

    kind: GuardKind
    effect: float | None
    p_value: float | None
    effective_n: float
    reason: str
    tolerance: float | None = None
    detectable: float | None = None


def judge_guard(
    before: Sequence[float] | None,
    after: Sequence[float],
    *,
    worse: Worse,
    tolerance: Tolerance,
    min_samples: int = 30,
    alpha: float = 0.01,
) -> GuardResult:
    """Compare the window after the action with the healthy window before the incident.

    Method: Welch's unequal-variance t-test, one-sided, on effective sample sizes, with the tolerance as a separate
    demand on the effect. Consecutive datapoints of a metric resemble each other, so n of them are worth n (1 - r) /
    (1 + r) independent ones, with r the lag-1 autocorrelation pooled over both windows and corrected for its
    small-sample bias. The mean, not a rank or a median, because the regression that matters most (a few periods full
    of errors among zeros) leaves the median where it was.

    Sources: B. L. Welch, "The generalization of Student's problem", Biometrika 34 (1947); M. S. Bartlett, "Some
    aspects of the time-correlation problem", J. R. Stat. Soc. 98 (1935) for the effective size; F. H. C. Marriott and
    J. A. Pope, "Bias in the estimation of autocorrelations", Biometrika 41 (1954).

    `before` is None when there is no healthy window. Values that are not finite count as gaps. `min_samples` is the
    fewest datapoints each window needs; `alpha` the share of false flags accepted were the tolerance zero.
    Raises ValueError when `min_samples` < 2 or `alpha` is not between 0 and 0.5.
    """
    if min_samples < 2:
        raise ValueError(f"min_samples must be at least 2, got {min_samples}")
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, got {alpha}")
    if before is None:
        return _unmeasured("there is no healthy window to compare with", 0.0)
    old, new = [v for v in before if math.isfinite(v)], [v for v in after if math.isfinite(v)]
    fewest = min(len(old), len(new))
    if fewest < min_samples:
        return _unmeasured(
            f"{len(old)} datapoints before and {len(new)} after; {min_samples} of each are needed", float(fewest)
        )

    # In units of the largest value, squares neither overflow nor vanish, whatever the metric measures.
    unit = max(map(abs, (*old, *new))) or 1.0
    old, new = [v / unit for v in old], [v / unit for v in new]
    correlation = _lag_one_correlation(old, new)
    shrink = (1.0 - correlation) / (1.0 + correlation)
    n_old, n_new = len(old) * shrink, len(new) * shrink
    effective = min(n_old, n_new)
    if effective < _FEWEST_INDEPENDENT:
        return _unmeasured(
            f"datapoints follow each other so closely that they are worth {effective:.1f} independent ones", effective
        )

    healthy, now = fmean(old), fmean(new)
    difference = now - healthy if worse == "higher" else healthy - now
    effect = difference * unit if abs(difference) > _ROUNDING else 0.0
    allowed = tolerance.of(healthy * unit)
    square_old, square_new = _variance(old, healthy) / n_old, _variance(new, now) / n_new
    error = math.sqrt(square_old + square_new) * unit
    if error == 0.0:  # both windows constant: the difference is exact
        p_value, detectable = (0.0 if effect > 0 else 1.0), allowed
    else:
        share = square_old / (square_old + square_new)
        df = 1.0 / (share**2 / (n_old - 1.0) + (1.0 - share) ** 2 / (n_new - 1.0))  # Welch and Satterthwaite
        p_value = student_t_upper_tail(effect / error, df)
        detectable = max(allowed, student_t_critical(alpha, df) * error) + student_t_critical(1.0 - _POWER, df) * error

    numbers = f"{effect:+.6g} (worse is positive), tolerance {allowed:.6g}, p {p_value:.2g}"
    if effect > allowed and p_value < alpha:
        kind, reason = GuardKind.WORSE, f"worse, significant and beyond the tolerance: {numbers}"
    elif 0.0 < 2.0 * allowed < detectable:
        kind = GuardKind.INCONCLUSIVE
        reason = f"too noisy to see twice the tolerance, only {detectable:.6g} or more: {numbers}"
    else:
        kind, reason = GuardKind.PASSED, f"not worse beyond the tolerance: {numbers}"
    return GuardResult(kind, effect, p_value, effective, reason, allowed, detectable)


def _variance(values: Sequence[float], mean: float) -> float:
    """Sample variance about the mean. As exact as `statistics.variance`, which adds up in fractions."""
    return math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)


def _lag_one_correlation(*windows: Sequence[float]) -> float:
    """Lag-1 autocorrelation pooled over the windows, each about its own mean, bias-corrected, between 0 and 0.95.

    Negative correlation is read as none: it would make the sample look larger than it is.
    """
    products, squares, count = 0.0, 0.0, 0
    for window in windows:
        mean = fmean(window)
        centred = [v - mean for v in window]
        products += math.fsum(a * b for a, b in pairwise(centred))
        squares += math.fsum(v * v for v in centred)
        count += len(window)
    if squares == 0.0:
        return 0.0
    per_window = count / len(windows)
    raw = products / squares
    corrected = (raw + 1.0 / per_window) / (1.0 - 3.0 / per_window) if per_window > 3.0 else raw
    return min(max(corrected, 0.0), _STRONGEST_CORRELATION)


def _unmeasured(reason: str, effective: float) -> GuardResult:
    return GuardResult(GuardKind.INCONCLUSIVE, None, None, effective, reason)
