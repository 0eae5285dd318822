"""How answers are used: tiers upward only, modes downward only, and what people are told."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from grace.model.contract import Mode
from grace.model.policy import Calendar, ChangeWindow, Freeze, PolicyAnswer
from grace.policy.calendar import moment
from grace.policy.ruling import Allowed, decide, refusal
from tests.unit.policy.acts import SEEN, TAGS, own, policies, proposal

PRODUCTION = own(
    '@id("shop.production") @reason("production waits for a person")\n'
    'forbid (principal, action in Grace::Action::"act", resource)\n'
    "when { resource.production && context.tier < 2 };"
)
NEVER_ALONE = own(
    '@id("shop.never_alone") @reason("nothing is autonomous here")\n'
    'forbid (principal, action in Grace::Action::"act", resource) when { context.mode == "autonomous" };',
    "alone.cedar",
)
NIGHT = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)


def test_a_forbid_below_a_tier_raises_to_it_and_says_so() -> None:
    found = decide(proposal(), SEEN, TAGS | {"env": "prod"}, policies(PRODUCTION), tier=1, mode=Mode.AUTONOMOUS)
    assert found == Allowed(2, Mode.AUTONOMOUS, ("default.managed",), ("shop.production",))


@pytest.mark.parametrize("tier", [1, 2, 3])
def test_i25_the_tier_is_never_lowered(tier: int) -> None:
    found = decide(proposal(), SEEN, TAGS, policies(), tier=tier, mode=Mode.AUTONOMOUS)  # type: ignore[arg-type]
    assert isinstance(found, Allowed)
    assert found.tier == tier


def test_where_no_tier_will_do_alone_people_are_asked() -> None:
    found = decide(proposal(), SEEN, TAGS, policies(NEVER_ALONE), tier=1, mode=Mode.AUTONOMOUS)
    assert found == Allowed(1, Mode.APPROVAL, ("default.managed",), ("shop.never_alone",))


def test_a_mode_is_never_raised() -> None:
    found = decide(proposal(), SEEN, TAGS, policies(), tier=1, mode=Mode.APPROVAL)
    assert isinstance(found, Allowed)
    assert found.mode is Mode.APPROVAL


def test_a_refusal_is_told_in_the_policies_own_words() -> None:
    frozen = SEEN.model_copy(update={"frozen": "year end", "hold": True})
    found = decide(proposal(), frozen, TAGS, policies(), tier=1, mode=Mode.AUTONOMOUS)
    assert isinstance(found, PolicyAnswer)
    told = str(refusal(found, frozen))
    assert "a freeze is on (year end) [calendar.freeze]" in told
    assert "release it first [constitution.safe_hold]" in told


def test_nothing_that_permits_is_said_as_that() -> None:
    assert str(refusal(PolicyAnswer(allowed=False), SEEN)) == "no policy permits it"


def test_outside_a_window_a_person_decides() -> None:
    found = decide(
        proposal(), SEEN.model_copy(update={"in_window": False}), TAGS, policies(), tier=1, mode=Mode.AUTONOMOUS
    )
    assert isinstance(found, Allowed)
    assert (found.tier, found.raised_by) == (2, ("calendar.window",))


WEEKDAYS = ChangeWindow(days=("mon", "tue", "wed", "thu", "fri"), start=time(9), end=time(18))


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (datetime(2026, 1, 30, 8, 0, tzinfo=UTC), True),  # Friday, 9:00 in Berlin
        (datetime(2026, 1, 30, 7, 59, tzinfo=UTC), False),
        (datetime(2026, 1, 30, 17, 0, tzinfo=UTC), False),  # 18:00 is no longer in it
        (datetime(2026, 1, 31, 10, 0, tzinfo=UTC), False),  # Saturday
        (datetime(2026, 7, 3, 7, 30, tzinfo=UTC), True),  # in summer an hour earlier
    ],
)
def test_a_window_is_kept_in_the_zone_of_its_people(at: datetime, inside: bool) -> None:
    assert moment(Calendar(timezone="Europe/Berlin", windows=(WEEKDAYS,)), at).in_window is inside


def test_a_freeze_begins_and_ends_at_its_moments() -> None:
    calendar = Calendar(freezes=(Freeze(start=NIGHT, end=NIGHT + timedelta(hours=1), reason="year end"),))
    said = [moment(calendar, NIGHT + timedelta(seconds=s)).frozen for s in (-1, 0, 3599, 3600)]
    assert said == ["", "year end", "year end", ""]


def test_weekday_and_hour_are_those_of_the_zone() -> None:
    now = moment(Calendar(timezone="Pacific/Auckland"), datetime(2026, 1, 31, 12, 30, tzinfo=UTC))
    assert (now.weekday, now.hour, now.minute) == (7, 1, 30)
