"""Series: grid, gaps, fills, ratios and statistics. A gap is never turned into a value without a stated rule."""

import math
from collections.abc import Callable
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.evidence.series import Fill, Series, align, ratio, ratio_of_sums

PERIOD = 60
cells = st.dictionaries(st.integers(0, 30).map(lambda i: i * PERIOD), st.floats(-1e6, 1e6), max_size=31)


def series(*values: float | None, start: int = 0) -> Series:
    return Series.of(PERIOD, [(start + i * PERIOD, v) for i, v in enumerate(values) if v is not None])


def test_raw_points_are_ordered_put_on_the_grid_and_cleaned() -> None:
    raw = [(185, 3.0), (0, 1.0), (61, math.nan), (125, math.inf), (250, -math.inf)]
    assert Series.of(PERIOD, raw) == Series(PERIOD, (0, 180), (1.0, 3.0))


def test_the_same_datapoint_twice_is_one_and_a_contradiction_is_refused() -> None:
    assert len(Series.of(PERIOD, [(0, 1.0), (0, 1.0)])) == 1
    with pytest.raises(ValueError, match=r"two different values, 1\.0 and 2\.0, for the period starting at 60"):
        Series.of(PERIOD, [(60, 1.0), (61, 2.0)])


@pytest.mark.parametrize(
    ("period", "timestamps", "values", "sentence"),
    [
        (0, (), (), "positive"),
        (60, (0,), (), "1 timestamps but 0 values"),
        (60, (30,), (1.0,), "multiples"),
        (60, (60, 0), (1.0, 1.0), "ascend"),
        (60, (60, 60), (1.0, 1.0), "ascend"),
        (60, (0,), (math.nan,), "finite"),
    ],
)
def test_a_series_that_breaks_its_promise_cannot_be_built(
    period: int, timestamps: tuple[int, ...], values: tuple[float, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Series(period, timestamps, values)


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [(0, 240, (0, 60, 120, 180)), (60, 180, (60, 120)), (1, 180, (60, 120)), (60, 179, (60,)), (200, 230, ())],
)
def test_a_cut_keeps_whole_periods_only(start: int, end: int, kept: tuple[int, ...]) -> None:
    assert series(1, 2, 3, 4).between(start, end).timestamps == kept


@pytest.mark.parametrize(
    ("missing", "values"),
    [("gap", {60: 2.0, 180: 4.0}), ("zero", {60: 2.0, 120: 0.0, 180: 4.0, 240: 0.0})],
)
def test_fill_rules(missing: Fill, values: dict[int, float]) -> None:
    filled = series(None, 2, None, 4, None).filled(60, 300, missing)
    assert dict(zip(filled.timestamps, filled.values, strict=True)) == values


def test_repeat_carries_the_last_value_forward_and_invents_none_before_the_first() -> None:
    sparse = series(None, 2, None, 4, None)
    assert sparse.filled(0, 300, "repeat").values == (2.0, 2.0, 4.0, 4.0)
    assert sparse.filled(0, 300, "repeat").timestamps == (60, 120, 180, 240)
    assert sparse.filled(120, 180, "repeat").values == (2.0,)  # carried in from before the window
    assert series().filled(0, 300, "repeat").values == ()


@given(cells, st.integers(0, 1000), st.integers(0, 2000), st.sampled_from(["gap", "zero", "repeat"]))
def test_filling_changes_no_measured_value_and_leaves_the_window_never(
    points: dict[int, float], start: int, end: int, missing: Fill
) -> None:
    source = Series.of(PERIOD, points.items())
    filled = source.filled(start, end, missing)
    read = dict(zip(filled.timestamps, filled.values, strict=True))
    for t, v in zip(source.timestamps, source.values, strict=True):
        if start <= t and t + PERIOD <= end:
            assert read[t] == v
    assert all(start <= t and t + PERIOD <= end for t in read)
    if missing == "gap":
        assert set(read) <= set(points)
    if missing == "zero":
        assert all(v == 0.0 for t, v in read.items() if t not in points)


def test_ratio_is_a_gap_without_a_denominator_whatever_the_rule() -> None:
    errors, calls = series(1, 1, 1, None), series(10, 0, None, None)
    for missing in ("gap", "zero", "repeat"):
        assert ratio(errors, calls, missing) == Series(PERIOD, (0,), (0.1,))


def test_a_missing_numerator_follows_the_rule() -> None:
    errors, calls = series(1, None, 3), series(10, 10, 10)
    assert ratio(errors, calls).values == (0.1, 0.3)
    assert ratio(errors, calls, "zero").values == (0.1, 0.0, 0.3)
    assert ratio(errors, calls, "repeat").values == (0.1, 0.1, 0.3)
    assert ratio(series(None, 1, None), calls, "repeat").timestamps == (60, 120)


@given(cells, cells, st.sampled_from(["gap", "zero", "repeat"]))
def test_a_ratio_exists_only_where_its_denominator_was_measured(
    above: dict[int, float], below: dict[int, float], missing: Fill
) -> None:
    result = ratio(Series.of(PERIOD, above.items()), Series.of(PERIOD, below.items()), missing)
    assert all(below.get(t, 0.0) != 0.0 for t in result.timestamps)
    if missing == "gap":
        assert all(t in above for t in result.timestamps)


def test_alignment_keeps_what_both_have() -> None:
    assert align(series(1, None, 3, 4), series(5, 6, None, 8)) == ((0, 1.0, 5.0), (180, 4.0, 8.0))


def test_a_ratio_of_sums_weighs_periods_by_how_much_happened_in_them() -> None:
    errors, calls = series(1, None, 3), series(1, 94, 5)
    assert ratio_of_sums(errors, calls, "zero") == 0.04
    assert ratio_of_sums(errors, calls) == pytest.approx(4 / 6)  # a gap takes its denominator out as well
    assert ratio_of_sums(errors, series(None, 94, None)) is None
    assert ratio_of_sums(errors, series(0, 0, 0)) is None


@pytest.mark.parametrize("combine", [align, ratio, ratio_of_sums])
def test_series_of_different_periods_are_refused(combine: Callable[[Series, Series], object]) -> None:
    with pytest.raises(ValueError, match="60 s and 300 s cannot be aligned"):
        combine(series(1), Series(300, (0,), (1.0,)))


def test_statistics() -> None:
    s = series(4, 1, None, 3, 2)
    assert (s.mean(), s.sum(), s.min(), s.max(), s.percentile(50)) == (2.5, 10.0, 1.0, 4.0, 2.5)
    assert [s.percentile(p) for p in (0, 100)] == [1.0, 4.0]


def test_statistics_of_nothing_are_none() -> None:
    s = series()
    assert [s.mean(), s.sum(), s.min(), s.max(), s.percentile(95)] == [None] * 5


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_percentiles_agree_with_the_standard_library(values: list[float]) -> None:
    s = series(*values)
    cuts = quantiles(values, n=100, method="inclusive")
    for percent in (1, 25, 50, 95, 99):
        assert s.percentile(percent) == pytest.approx(cuts[percent - 1], rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("percent", [-1, 100.5])
def test_percentiles_outside_the_scale_are_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        series(1).percentile(percent)
