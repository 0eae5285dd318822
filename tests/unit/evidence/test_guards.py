"""What one guard says, rule by rule. Rates over noise are in test_guard_rates.py."""

import math
import random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.evidence.guards import GuardKind, Tolerance, judge_guard

Worse = Literal["higher", "lower"]

values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


def noisy(mean: float, n: int = 30, sigma: float = 1.0, seed: int = 7) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, sigma) for _ in range(n)]


def test_worse_significant_and_beyond_the_tolerance_flags() -> None:
    found = judge_guard(noisy(100), noisy(120, seed=8), worse="higher", tolerance=Tolerance(relative=0.1))
    assert found.kind is GuardKind.WORSE
    assert found.effect == pytest.approx(20, abs=1)
    assert found.tolerance == pytest.approx(10, abs=0.1)
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.reason.startswith("worse, significant and beyond the tolerance")


def test_significant_but_within_the_tolerance_does_not_flag() -> None:
    found = judge_guard(noisy(100), noisy(105, seed=8), worse="higher", tolerance=Tolerance(relative=0.1))
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.kind is GuardKind.PASSED


def test_beyond_the_tolerance_but_not_significant_does_not_flag() -> None:
    before, after = noisy(100, sigma=50), noisy(120, sigma=50, seed=9)
    found = judge_guard(before, after, worse="higher", tolerance=Tolerance(absolute=1))
    assert found.effect is not None
    assert found.effect > 1
    assert found.kind is not GuardKind.WORSE


@pytest.mark.parametrize(("worse", "kind"), [("higher", GuardKind.PASSED), ("lower", GuardKind.WORSE)])
def test_direction(worse: Worse, kind: GuardKind) -> None:
    found = judge_guard(noisy(100), noisy(80, seed=8), worse=worse, tolerance=Tolerance(absolute=5))
    assert found.kind is kind


def test_without_a_healthy_window_nothing_is_judged() -> None:
    found = judge_guard(None, noisy(100), worse="higher", tolerance=Tolerance())
    assert found.kind is GuardKind.INCONCLUSIVE
    assert found.reason == "there is no healthy window to compare with"
    assert (found.effect, found.p_value, found.effective_n) == (None, None, 0.0)


@pytest.mark.parametrize(("before", "after"), [(29, 30), (30, 29), (0, 0), (0, 100)])
def test_below_min_samples_a_guard_is_inconclusive_however_bad_it_looks(before: int, after: int) -> None:
    found = judge_guard([1.0] * before, [1e9] * after, worse="higher", tolerance=Tolerance(), min_samples=30)
    assert found.kind is GuardKind.INCONCLUSIVE
    assert f"{before} datapoints before and {after} after; 30 of each are needed" in found.reason


def test_values_that_are_not_finite_are_gaps_and_do_not_count_as_samples() -> None:
    gaps = [math.nan, math.inf, -math.inf]
    found = judge_guard(noisy(100) + gaps, noisy(100, 27) + gaps, worse="higher", tolerance=Tolerance())
    assert "30 datapoints before and 27 after" in found.reason


def test_datapoints_that_only_repeat_each_other_are_not_thirty_samples() -> None:
    ramp = [float(i) for i in range(30)]
    found = judge_guard(ramp, [v + 50 for v in ramp], worse="higher", tolerance=Tolerance(absolute=1))
    assert found.kind is GuardKind.INCONCLUSIVE
    assert found.effective_n < 3
    assert "worth 0.8 independent ones" in found.reason


def test_correlated_datapoints_count_for_fewer_and_p_grows_accordingly() -> None:
    rng = random.Random(3)
    chain = [0.0]
    for _ in range(199):
        chain.append(0.5 * chain[-1] + rng.gauss(0, 1))
    shuffled = rng.sample(chain, len(chain))
    moved, mixed = [v + 0.5 for v in chain], [v + 0.5 for v in shuffled]
    correlated = judge_guard(chain, moved, worse="higher", tolerance=Tolerance())
    independent = judge_guard(shuffled, mixed, worse="higher", tolerance=Tolerance())
    assert correlated.effective_n < 100 < independent.effective_n
    assert correlated.effect == pytest.approx(independent.effect)
    assert correlated.p_value is not None
    assert independent.p_value is not None
    assert correlated.p_value > 10 * independent.p_value


def test_noise_that_would_hide_twice_the_tolerance_is_said_not_passed() -> None:
    found = judge_guard(
        noisy(100, sigma=30), noisy(100, sigma=30, seed=8), worse="higher", tolerance=Tolerance(absolute=5)
    )
    assert found.kind is GuardKind.INCONCLUSIVE
    assert found.detectable is not None
    assert found.detectable > 10
    assert found.reason.startswith("too noisy to see twice the tolerance")


@pytest.mark.parametrize(
    ("after", "kind"),
    [(0.0, GuardKind.PASSED), (0.5, GuardKind.PASSED), (2.0, GuardKind.WORSE), (-9.0, GuardKind.PASSED)],
)
def test_constant_windows_are_compared_exactly(after: float, kind: GuardKind) -> None:
    found = judge_guard([0.0] * 30, [after] * 30, worse="higher", tolerance=Tolerance(absolute=1.0))
    assert found.kind is kind
    assert found.p_value == (0.0 if after > 0 else 1.0)


def test_a_burst_of_errors_among_zeros_is_seen_although_the_median_does_not_move() -> None:
    after = [100.0 if i % 3 == 0 else 0.0 for i in range(60)]
    assert judge_guard([0.0] * 60, after, worse="higher", tolerance=Tolerance(absolute=5)).kind is GuardKind.WORSE


@given(values, values, st.sampled_from(["higher", "lower"]), st.floats(0, 10), st.floats(0, 1))
def test_whatever_the_data_no_flag_without_a_worse_mean_beyond_the_tolerance(
    before: list[float], after: list[float], worse: Worse, absolute: float, relative: float
) -> None:
    tolerance = Tolerance(absolute, relative)
    found = judge_guard(before, after, worse=worse, tolerance=tolerance, min_samples=2)
    old, new = math.fsum(before) / len(before), math.fsum(after) / len(after)
    harm = new - old if worse == "higher" else old - new
    if found.kind is GuardKind.WORSE:
        assert harm > 0
        assert harm >= tolerance.of(old) * (1 - 1e-9)
        assert found.p_value is not None
        assert found.p_value < 0.01
    if found.p_value is not None:
        assert 0.0 <= found.p_value <= 1.0


@given(values, values)
def test_both_directions_never_flag_together(before: list[float], after: list[float]) -> None:
    directions: tuple[Worse, ...] = ("higher", "lower")
    kinds = [judge_guard(before, after, worse=w, tolerance=Tolerance(), min_samples=2).kind for w in directions]
    assert kinds.count(GuardKind.WORSE) <= 1


@given(st.floats(1e-6, 1e6), st.integers(2, 60), st.integers(2, 60))
def test_rounding_of_the_mean_is_no_difference(value: float, before: int, after: int) -> None:
    for worse in ("higher", "lower"):
        found = judge_guard([value] * before, [value] * after, worse=worse, tolerance=Tolerance(), min_samples=2)
        assert (found.kind is GuardKind.WORSE, found.effect or 0.0) == (False, 0.0)


@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1.0, 1e9, 1e100, 1e300])
def test_the_unit_of_the_metric_changes_nothing(unit: float) -> None:
    before, after = [v * unit for v in noisy(10)], [v * unit for v in noisy(12, seed=8)]
    plain = judge_guard(noisy(10), noisy(12, seed=8), worse="higher", tolerance=Tolerance(relative=0.1))
    scaled = judge_guard(before, after, worse="higher", tolerance=Tolerance(relative=0.1))
    assert scaled.kind is plain.kind is GuardKind.WORSE
    assert plain.effect is not None
    assert scaled.p_value == pytest.approx(plain.p_value, rel=1e-6)
    assert scaled.effect == pytest.approx(plain.effect * unit, rel=1e-6)


def test_the_tolerance_is_the_larger_of_both_parts() -> None:
    assert Tolerance(absolute=3, relative=0.1).of(-100) == 10
    assert Tolerance(absolute=30, relative=0.1).of(100) == 30


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_impossible_tolerances_are_refused(bad: float) -> None:
    for wrong in ({"absolute": bad}, {"relative": bad}):
        with pytest.raises(ValueError, match="must be a finite number, 0 or more"):
            Tolerance(**wrong)


@pytest.mark.parametrize(
    ("wrong", "sentence"), [({"min_samples": 1}, "at least 2"), ({"alpha": 0.0}, "alpha"), ({"alpha": 0.5}, "alpha")]
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        judge_guard([1.0], [1.0], worse="higher", tolerance=Tolerance(), **wrong)
