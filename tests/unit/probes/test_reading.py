"""The window that is measured after the action: whole, published, and there in time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.evidence.settle import publish_seconds
from grace.model.contract import Contract, Window
from grace.probes.base import Reading, Sources, samples_after

NOBODY = cast("Sources", None)
PERIODS = st.sampled_from([1, 10, 30, 60, 120, 300, 900, 3600])


def reading(acted: int, now: int) -> Reading:
    return Reading(NOBODY, {}, now, acted, None)


@given(acted=st.integers(0, 100_000), period=PERIODS, count=st.integers(1, 30), late=st.integers(0, 10_000))
def test_a_line_has_its_points_when_it_is_said_to_have_them(acted: int, period: int, count: int, late: int) -> None:
    """Whatever second of a period the action falls on, and the look."""
    within = count * period
    window = reading(acted, acted + samples_after(count, period) + late).window(period, within)
    assert window is not None
    assert (window.end - window.start) // period == count


def test_one_second_earlier_some_look_would_lack_a_point() -> None:
    period, count = 60, 2
    short = samples_after(count, period) - 2
    windows = [reading(acted, acted + short).window(period, count * period) for acted in range(period)]
    assert any(window is None or window.end - window.start < count * period for window in windows)


@given(acted=st.integers(0, 100_000), period=PERIODS, waited=st.integers(0, 10_000))
def test_no_point_mixes_before_and_after_the_action_or_is_still_filling(acted: int, period: int, waited: int) -> None:
    window = reading(acted, acted + waited).window(period)
    if window is not None:
        assert window.start % period == window.end % period == 0
        assert acted <= window.start
        assert window.end + publish_seconds(period) <= acted + waited


@pytest.mark.parametrize(
    ("healthy", "began"),
    [
        (None, 700),
        (Window(start=0, end=600), 700),
        (Window(start=0, end=900), 900),
        (Window(start=0, end=1000), 1000),
    ],
)
def test_what_was_before_the_action_is_not_thinned_with_what_was_well(healthy: Window | None, began: int) -> None:
    """At most five minutes, and none of the healthy window: an error rate is that of the incident."""
    contract = cast("Contract", SimpleNamespace(during_seconds=300, before=healthy))
    assert Reading.before_action(NOBODY, contract, now=1000).since == began
