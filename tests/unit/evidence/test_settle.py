"""The alarm rules against both tables of CloudWatch's guide, and the settle time against the rules.

Guide: "Configuring how CloudWatch alarms treat missing data". In its notation 0 is a good datapoint, X a breaching one, - a
missing one, the newest on the right.
"""

import itertools
import math
from typing import get_args

import pytest

from grace.evidence.settle import AlarmSettings, Missing, UnsupportedAlarm, settle_seconds
from tests.support.alarm_rules import AlarmState, alarm_state

OK, ALARM, INSUFFICIENT = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
RETAIN = "retain"
TREATMENTS: tuple[Missing, ...] = get_args(Missing)

# Columns as in the guide: missing, ignore, breaching, notBreaching.
THREE_OF_THREE = [
    ("0 - X - X", OK, OK, OK, OK),
    ("0 - - - -", OK, OK, OK, OK),
    ("- - - - -", INSUFFICIENT, RETAIN, ALARM, OK),
    ("0 X X - X", ALARM, ALARM, ALARM, ALARM),
    ("- - X - -", ALARM, RETAIN, ALARM, OK),
]
TWO_OF_THREE = [
    ("0 - X - X", ALARM, ALARM, ALARM, ALARM),
    ("0 0 X 0 X", ALARM, ALARM, ALARM, ALARM),
    ("0 - X - -", OK, OK, ALARM, OK),
    ("- - - - 0", OK, OK, ALARM, OK),
    ("- - - X -", ALARM, RETAIN, ALARM, OK),
]
# The text below the tables says these are not ALARM "immediately" with 3 of 3; the guide's edition of 2018 has the row
# with its states. The states once the next datapoint is good are in the text as well.
PREMATURE_AVOIDED = [
    ("- - - - X", INSUFFICIENT, RETAIN, ALARM, OK),
    ("- - - X -", INSUFFICIENT, RETAIN, ALARM, OK),
    ("- - - X 0", OK, OK, OK, OK),
    ("- - X - 0", OK, OK, OK, OK),
]
ROWS = [(3, *row) for row in THREE_OF_THREE + PREMATURE_AVOIDED] + [(2, *row) for row in TWO_OF_THREE]


def points(notation: str) -> list[bool | None]:
    return [{"0": False, "X": True, "-": None}[sign] for sign in notation.split()]


@pytest.mark.parametrize("previous", list(AlarmState))
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} of 3: {row[1]}")
def test_every_row_of_the_documented_tables(
    row: tuple[int, str, *tuple[AlarmState | str, ...]], previous: AlarmState
) -> None:
    m, notation, *states = row
    for treatment, state in zip(TREATMENTS, states, strict=True):
        settings = AlarmSettings(300, 3, m, treatment)
        expected = previous if state == RETAIN else state
        assert alarm_state(points(notation), settings, previous) is expected, treatment


def test_the_columns_are_the_guides() -> None:
    assert TREATMENTS == ("missing", "ignore", "breaching", "notBreaching")


def test_the_evaluation_range_of_the_tables_is_five() -> None:
    assert AlarmSettings(300, 3, 3).evaluation_range == 5


def test_datapoints_beyond_the_evaluation_range_are_not_read() -> None:
    settings = AlarmSettings(300, 3, 3, "missing")
    assert alarm_state(points("0 - - - - -"), settings, OK) is INSUFFICIENT
    assert (
        alarm_state(points("0 X X - - - X"), settings, OK) is ALARM
    )  # X - - - X: premature, and the 0 is out of range


def test_the_next_silent_period_of_row_two_alarms_when_silence_is_breaching() -> None:
    """The guide: "the next time this alarm is evaluated, if the data is still missing it will go to ALARM"."""
    assert alarm_state(points("0 - - - - -"), AlarmSettings(300, 3, 3, "breaching"), OK) is ALARM


def test_periods_before_the_first_datapoint_are_missing() -> None:
    for treatment in TREATMENTS:
        settings = AlarmSettings(60, 3, 3, treatment)
        for notation in ("X", "0", "X -", "0 X"):
            padded = "- " * (5 - len(points(notation))) + notation
            assert alarm_state(points(notation), settings, OK) is alarm_state(points(padded), settings, OK)


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize(("n", "m"), [(n, m) for n in range(1, 5) for m in range(1, n + 1)])
def test_without_gaps_the_rule_is_m_of_the_last_n_whatever_the_treatment(n: int, m: int, treatment: Missing) -> None:
    settings = AlarmSettings(60, n, m, treatment)
    for pattern in itertools.product([True, False], repeat=settings.evaluation_range):
        expected = ALARM if sum(pattern[-n:]) >= m else OK
        assert alarm_state(pattern, settings, INSUFFICIENT) is expected


def periods_until_ok(
    settings: AlarmSettings, history: tuple[bool | None, ...], after: tuple[bool | None, ...]
) -> float:
    """After how many of the periods `after` the alarm is OK and stays so."""
    state, steady = ALARM, 0
    for count in range(1, len(after) + 1):
        state = alarm_state(history + after[:count], settings, state)
        if state is not OK:
            steady = count
    return steady + 1 if state is OK else math.inf


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize(("n", "m"), [(n, m) for n in range(1, 5) for m in range(1, n + 1)])
def test_settle_is_the_worst_case_over_all_histories_and_no_later(n: int, m: int, treatment: Missing) -> None:
    """Every history and every all-good future, through the alarm's own rules: OK in time in each, and in the last moment in one.

    The last period of the history is the one the action fell into. Silence is good news only for `notBreaching`.
    """
    settings = AlarmSettings(60, n, m, treatment)
    good = (False, None) if treatment == "notBreaching" else (False,)
    horizon = settings.evaluation_range + 1
    futures = list(itertools.product(good, repeat=horizon))
    histories = [
        history
        for history in itertools.product([True, False, None], repeat=settings.evaluation_range)
        if alarm_state(history, settings, ALARM) is ALARM
    ]
    slowest = max(periods_until_ok(settings, history, future) for history in histories for future in futures)
    mixed_period = 1
    assert (
        settle_seconds(settings) == (mixed_period + slowest) * 60 + settings.publish_seconds + settings.evaluated_every
    )


@pytest.mark.parametrize(
    ("period", "n", "m", "treatment", "seconds"),
    [
        (60, 1, 1, "missing", 2 * 60 + 120),
        (60, 3, 3, "missing", 2 * 60 + 120),  # one good datapoint breaks three in a row
        (60, 3, 2, "missing", 3 * 60 + 120),
        (60, 5, 1, "breaching", 6 * 60 + 120),  # five good ones must push the last bad one out
        (60, 5, 1, "ignore", 6 * 60 + 120),
        (60, 3, 3, "notBreaching", 4 * 60 + 120),  # silence: the old ones are read as far as the range reaches
        (60, 3, 2, "notBreaching", 5 * 60 + 120),
        (300, 3, 2, "missing", 3 * 300 + 120),
        (10, 1, 1, "missing", 2 * 10 + 20),  # high resolution: evaluated every 10 seconds
        (10, 3, 2, "missing", 3 * 10 + 20),
        (30, 2, 2, "missing", 2 * 30 + 20),
        (86_400, 2, 2, "missing", 2 * 86_400 + 60 + 3600),  # over more than a day: evaluated every hour
        (3600, 24, 24, "missing", 2 * 3600 + 120),  # exactly a day is not more than one
    ],
)
def test_settle_seconds_by_hand(period: int, n: int, m: int, treatment: Missing, seconds: int) -> None:
    assert settle_seconds(AlarmSettings(period, n, m, treatment)) == seconds


def test_settings_from_what_an_alarm_says() -> None:
    assert AlarmSettings.of("errors", 60, 3, 2, "notBreaching") == AlarmSettings(60, 3, 2, "notBreaching")


def test_an_alarm_without_a_period_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        UnsupportedAlarm, match=r"alarm checkout-down has no period of its own .*: name one of its metric"
    ):
        AlarmSettings.of("checkout-down", None, 1, 1, "missing")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ((45, 1, 1, "missing"), "10, 20, 30 or a multiple of 60 seconds, got 45"),
        ((0, 1, 1, "missing"), "got 0"),
        ((60, 2, 3, "missing"), "3 datapoints to alarm out of 2"),
        ((60, 0, 0, "missing"), "0 datapoints to alarm out of 0"),
        ((60, 1, 1, "sometimes"), "unknown missing-data treatment 'sometimes'"),
    ],
)
def test_settings_cloudwatch_would_refuse_are_refused(settings: tuple[int, int, int, Missing], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        AlarmSettings.of("a", *settings)
