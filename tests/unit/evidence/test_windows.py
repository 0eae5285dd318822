"""The reference windows: where they end, what shortens them, and that no datapoint mixes two of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.evidence.series import Series
from grace.evidence.settle import AlarmSettings, Missing
from grace.evidence.windows import COMPARISONS, before_window
from grace.model.contract import Window

P = 60


def before(
    notation: str, *, alarm_at: int | None = None, n: int = 3, m: int = 3, treat: Missing = "missing", length: int = 600
) -> Window | None:
    """`notation`: one sign a minute from time 0 (0 good, # breaching, - missing); the alarm fires after the last."""
    points = [(i * P, {"0": 1.0, "#": 9.0}[sign]) for i, sign in enumerate(notation) if sign != "-"]
    return before_window(
        Series.of(P, points),
        AlarmSettings(P, n, m, treat),
        threshold=5.0,
        comparison="GreaterThanThreshold",
        alarm_at=len(notation) * P if alarm_at is None else alarm_at,
        length=length,
        minimum=120,
    )


def minutes(window: Window | None) -> tuple[int, int] | None:
    return None if window is None else (window.start // P, window.end // P)


@pytest.mark.parametrize(
    ("notation", "expected"),
    [
        ("000000###", (0, 6)),  # ends where the first breaching datapoint began
        ("000000#0#", (0, 6)),  # also when a good one lies between
        ("0" * 20 + "###", (10, 20)),  # no longer than asked
        ("000#########", (0, 3)),  # the run that led to the alarm, further back than the evaluated range
        ("00#000000###", (3, 9)),  # an older incident is no reference
        ("00#0###", (0, 2)),  # the older # is in the evaluated range: it was the first breaching one
        ("00#000#00###", (7, 9)),
        ("00#000#0###", (3, 6)),  # likewise
        ("0#000#0000#0###", (6, 10)),
        ("###", None),  # nothing healthy is known
        ("000000", None),  # nothing breached: not this alarm's datapoints
        ("", None),
        ("-000-00###", (1, 7)),  # unknown time before the first datapoint is not healthy
        ("--------###", None),
        ("0000--###", (0, 6)),
    ],
)
def test_the_healthy_window(notation: str, expected: tuple[int, int] | None) -> None:
    assert minutes(before(notation)) == expected


def test_silence_is_healthy_where_the_alarm_says_so() -> None:
    assert minutes(before("--------###", treat="notBreaching", length=480)) == (0, 8)


def test_silence_is_the_incident_where_the_alarm_says_so() -> None:
    assert minutes(before("000000---", treat="breaching")) == (0, 6)
    assert minutes(before("0000#-#--", treat="breaching")) == (0, 4)
    assert before("000000---", treat="missing") is None


def test_the_period_the_alarm_fired_in_counts() -> None:
    assert minutes(before("00000#", n=1, m=1, alarm_at=5 * P + 17)) == (0, 5)


def test_datapoints_after_the_alarm_do_not_move_the_window() -> None:
    assert minutes(before("00000###00#000", alarm_at=8 * P)) == (0, 5)


@pytest.mark.parametrize(("comparison", "value"), [("LessThanThreshold", 4.0), ("LessThanOrEqualToThreshold", 5.0)])
def test_the_alarms_own_comparison_decides(comparison: str, value: float) -> None:
    series = Series.of(P, [(0, 6.0), (60, 6.0), (120, 6.0), (180, value)])
    window = before_window(
        series, AlarmSettings(P, 1, 1), threshold=5.0, comparison=comparison, alarm_at=240, length=600, minimum=60
    )
    assert window == Window(start=0, end=180)


def test_all_fixed_comparisons_at_the_threshold() -> None:
    assert {name for name, breaches in COMPARISONS.items() if breaches(5.0, 5.0)} == {
        "GreaterThanOrEqualToThreshold",
        "LessThanOrEqualToThreshold",
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"comparison": "GreaterThanUpperThreshold"}, "no fixed threshold"),
        ({"minimum": 0}, "0 < minimum <= length"),
        ({"minimum": 700}, "0 < minimum <= length"),
        ({"settings": AlarmSettings(300, 1, 1)}, "300 s but its datapoints are 60 s apart"),
    ],
)
def test_what_cannot_be_answered_is_refused(change: dict[str, Any], sentence: str) -> None:
    arguments: dict[str, Any] = {
        "datapoints": Series.of(P, [(0, 1.0)]),
        "settings": AlarmSettings(P, 1, 1),
        "threshold": 5.0,
        "comparison": "GreaterThanThreshold",
        "alarm_at": 60,
        "length": 600,
        "minimum": 60,
    }
    with pytest.raises(ValueError, match=sentence):
        before_window(**(arguments | change))


@given(
    st.text("0#-", max_size=40), st.sampled_from(["missing", "ignore", "breaching", "notBreaching"]), st.integers(1, 4)
)
def test_a_healthy_window_holds_no_breaching_datapoint_and_ends_at_one(notation: str, treat: Missing, n: int) -> None:
    window = before(notation, treat=treat, n=n, m=1)
    if window is None:
        return
    inside = notation[max(window.start, 0) // P : window.end // P]
    assert "#" not in inside
    if treat == "breaching":
        assert "-" not in inside
    if treat in ("missing", "ignore"):
        assert inside.startswith("0")
        assert notation[window.end // P] == "#"
    assert 120 <= window.end - window.start <= 600
    assert window.start % P == window.end % P == 0
