"""What an approver reads: everything they need to decide, nothing that somebody else wrote as they meant it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.errors import AccessDenied, Throttled
from grace.flow.link import Challenge, Standing, open_link
from grace.flow.preview import PERIODS
from grace.model.contract import Contract, Mode, Window
from grace.model.preview import FieldChange, Plot, Preview
from grace.model.records import Evidence, PlaybookStats
from grace.model.resource import Reach, ResourceRef
from grace.resources.base import resource_type
from grace.web.notices import notice
from grace.web.pages import approval_page
from grace.web.plot import HEIGHT, WIDTH, draw
from grace.web.views import Facts, Form, facts, span
from tests.support.links import get, minted
from tests.support.scenes import Scene, playbooks
from tests.support.world import START, World
from tests.unit.flow.scenes import SHOP, every, forge, incident, need, read, shop
from tests.unit.web.scenes import mailed


def page_of(world: World, contract: str) -> str:
    return unescape(str(get(world, minted(world, contract, "ada"))["body"]))


def test_the_page_shows_what_a_decision_needs() -> None:
    world, contract = mailed()
    found = need(world, Contract, contract)
    forge(
        world,
        contract,
        PlaybookStats(
            playbook=found.playbook, diagnosis=found.diagnosis, verified=7, partial=1, rolled_back=2, relapsed=1
        ),
    )
    world.clock.advance(120)
    body = page_of(world, contract)
    for wanted in (
        SHOP,
        found.digest(),
        contract,
        "Point the alias at version 1",
        "function version",
        found.reason[1:],
        "likelihood",
        "shop-errors",
        "becomes OK within 600 s",
        "Put back function_version = 2",
        "8 of 10",
        "1 alias",
        "28 minutes left",
        "1 approval is needed, none given so far",
        "Ada (you)",
        "Bob",
        "tier 2",
        "Read 31 Jan 2026, 12:00 UTC",
    ):
        assert wanted in body.replace("\u00a0", " "), wanted
    now, then = re.findall(r'class="(?:now|then) mono">([^<]*)<', body)[:2]
    assert (now, then) == ("2", "1")


def test_the_values_have_the_time_at_which_preflight_found_them_unchanged() -> None:
    """They are those of the draft; preflight refuses the contract when they are others by then."""
    world, contract = mailed()
    drafted = need(world, Preview, contract)
    forge(world, contract, drafted.model_copy(update={"taken_at": drafted.taken_at - timedelta(minutes=7)}))
    said = "Read 31 Jan 2026, 11:53 UTC; <span>unchanged at preflight, 31 Jan 2026, 12:00 UTC</span>."
    assert said in page_of(world, contract)
    assert need(world, Evidence, contract, "preflight").state_digest == need(world, Contract, contract).state_digest


def test_a_first_time_is_said_to_be_one() -> None:
    world, contract = mailed()
    assert "it would be the first time" in page_of(world, contract)


def test_who_has_voted_is_shown_to_the_next() -> None:
    world, contract = mailed(3)
    from tests.unit.flow.scenes import vote  # noqa: PLC0415  beside its one use

    vote(world, contract, "bob")
    body = page_of(world, contract)
    assert "2 approvals are needed, 1 given so far" in body
    assert "approved, 31 Jan 2026" in body


@pytest.mark.parametrize(
    ("update", "said", "told"),
    [
        ({"requested_by": "bob"}, "asked for it", "You asked for this change."),
        ({"caused_by": ("bob",)}, "made the change before it", "You made the change that this one answers to."),
        ({}, "policy says so", "Policy does not let you decide it."),
    ],
    ids=["asked", "caused", "policy"],
)
def test_who_may_not_decide_is_told_why_and_so_are_the_others(update: dict[str, Any], said: str, told: str) -> None:
    world, contract = mailed()
    opened = open_link(minted(world, contract, "bob"), world)
    loaded = opened.loaded._replace(contract=opened.contract.model_copy(update=update))
    approval = opened.approval.model_copy(update={"excluded": ("bob",)})
    opened = replace(opened, loaded=loaded, approval=approval, standing=Standing.NOT_YOURS)
    [bob] = [voter for voter in facts(opened).voters if voter.name == "Bob"]
    assert bob.said == f"may not decide: {said}"
    assert notice(opened, facts(opened)).lines == (f"{told} Somebody else decides.",)


# -- what is kept for it


def test_what_is_shown_is_kept_with_the_draft_and_costs_no_metric_call_of_its_own() -> None:
    world, contract = mailed()
    kept = need(world, Preview, contract)
    assert kept.taken_at == need(world, Contract, contract).created_at
    assert kept.changes[0] == FieldChange(name="function_version", now="2", then="1")
    assert kept.plot
    assert kept.plot.threshold == 5.0
    assert len(kept.plot.values) == PERIODS
    assert kept.plot.points[-1][1] == 20.0
    assert world.metrics.fetches == shop_fetches()


def shop_fetches() -> int:
    """How often the same incident of tier 1 asks for metrics until it acts."""
    world = shop(1, mode=Mode.SHADOW)
    world.fire(_event())
    world.draft()
    return int(world.metrics.fetches)


def _event() -> dict[str, Any]:
    from tests.support.world import alarm_event  # noqa: PLC0415  beside its one use

    return alarm_event()


def test_where_nobody_is_asked_nothing_is_kept() -> None:
    world = shop(1)
    incident(world)
    assert not every(world, Preview)


def test_who_calls_it_and_its_stage_are_found() -> None:
    world = shop(2)
    world.lambdas.functions["shop"]["tags"] |= {"Environment": "production"}
    world.lambdas.sources[SHOP] = ["arn:aws:sqs:eu-west-1:123456789012:orders"]
    world.lambdas.policies["shop", "live"] = {
        "Statement": [
            {"Principal": {"Service": "events.amazonaws.com"}},
            {
                "Principal": "*",
                "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:eu-west-1:1:abc/*/GET/x"}},
            },
        ]
    }
    kept = need(world, Preview, incident(world))
    assert kept.reach == Reach(
        count=1, unit="alias", dependents=("sqs orders", "events.amazonaws.com", "execute-api abc/*/GET/x")
    )
    assert kept.production == "Environment=production"


@pytest.mark.parametrize("error", [AccessDenied("no"), Throttled("slow down")])
def test_what_cannot_be_read_is_left_out_and_people_are_asked_all_the_same(error: Exception) -> None:
    world = shop(2)

    def fails(**_: Any) -> Any:
        raise error

    world.aws.handlers["lambda", "list_event_source_mappings"] = fails
    contract = incident(world)
    assert need(world, Preview, contract).reach is None
    assert world.head(contract).generation == 1
    assert world.telemetry.troubles


@pytest.mark.parametrize(
    ("reach", "targets", "depends"),
    [
        (None, "not known: it could not be read", "not known"),
        (Reach(), "1 resource", "not known"),
        (Reach(unit="instance"), "1 instance", "not known"),
        (Reach(unit="task", count=3, dependents=()), "3 tasks", "nothing found"),
        (Reach(unit="task", count=3, dependents=("lb/one",)), "3 tasks", "lb/one"),
    ],
    ids=str,
)
def test_what_was_not_found_out_is_not_said_to_be_nothing(reach: Reach | None, targets: str, depends: str) -> None:
    world, contract = mailed()
    forge(world, contract, need(world, Preview, contract).model_copy(update={"reach": reach}))
    [said] = re.findall(
        r"<dt>Targets</dt><dd>(.*?)</dd>\s*<dt>Depends on it</dt><dd>(.*?)</dd>", page_of(world, contract)
    )
    assert (said[0].replace("\u00a0", " "), re.sub(r"<[^>]*>", "", said[1])) == (targets, depends)


def test_what_depends_on_an_instance_nobody_knows() -> None:
    kind = resource_type("AWS::EC2::Instance")
    arn = "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0"
    found = kind.reach(ResourceRef(type=kind.cfn_type, arn=arn), shop(2).aws)
    assert found == Reach(count=1, unit="instance", dependents=None)


@pytest.mark.parametrize("name", playbooks())
def test_every_playbook_can_be_shown(name: str) -> None:
    scene = Scene(name, mode=Mode.APPROVAL)
    assert scene.fire(scene.body) == []
    scene.draft()
    [kept] = every_of(scene)
    assert kept.changes
    assert kept.reach
    assert kept.reach.count >= 1


def every_of(scene: Scene) -> list[Preview]:
    scene.store = scene.state
    return every(scene, Preview)


# -- other people's words


NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "\u202egnp.exe",
    "a\u200bb\u2066c\x00d\x1b[31m",
    "'\" onmouseover=alert(1) x='",
    "х" * 10_000,
)


def full_of(text: str) -> Facts:
    """Facts in which every text is somebody's own."""
    world, contract = mailed()
    good = facts(open_link(minted(world, contract, "ada"), world))
    names = [name for name in Facts._fields if isinstance(getattr(good, name), str)]
    given_ = good._asdict()
    given_ |= dict.fromkeys(names, text)
    given_ |= {"changes": (FieldChange(name=text, now=text, then="x" + text),), "dependents": (text,)}
    return Facts(**given_)


@pytest.mark.parametrize("text", NASTY, ids=lambda text: repr(text[:12]))
def test_f38_nothing_that_an_event_says_is_markup_moves_text_or_floods_the_page(text: str) -> None:
    form = Form("/a", "t", Challenge(text, text), 10)
    page = approval_page(full_of(text), form, "n0nce")
    assert "<script" not in page
    assert "<img" not in page
    assert " onmouseover=alert" not in re.sub(r"&#39;&#34; onmouseover", "", page)
    assert ">49<" not in page
    assert not set(page) & set("\u202e\u200b\u2066\x00\x1b")
    assert len(page) < 80_000
    assert max(map(len, re.findall(r">([^<]+)<", page.partition("</style>")[2]))) < 1000


def test_f38_the_arn_is_shown_whole_whatever_its_name_looks_like() -> None:
    world, contract = mailed()
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{'a' * 500}"
    good = facts(open_link(minted(world, contract, "ada"), world))
    shown_ = good._replace(arn=arn)
    assert arn in approval_page(shown_, Form("/a", "t", Challenge("x", "y"), 10), "n")


# -- the plot


def plot(*values: float | None, **changed: Any) -> Plot:
    made = {
        "label": "AWS/Lambda Errors (Sum)",
        "start": 1_769_860_800,
        "period": 60,
        "values": values,
        "threshold": 5.0,
    }
    return Plot.model_validate(made | changed)


def test_a_gap_in_the_series_is_a_gap_in_the_line() -> None:
    drawn = draw(plot(1, 2, None, 3, 4, None, 9), None)
    assert drawn
    assert drawn.line.count("M") == 3
    assert len(drawn.dots) == 1
    assert "latest 9, lowest 1, highest 9, alarm threshold 5." in drawn.says


def test_too_little_to_draw_is_no_drawing() -> None:
    assert draw(plot(1.0), None) is None
    assert draw(plot(None, None), None) is None


@given(
    st.lists(st.none() | st.floats(-1e12, 1e12), min_size=2, max_size=120),
    st.none() | st.floats(-1e12, 1e12),
    st.integers(-7200, 7200),
)
def test_every_drawing_stays_in_its_frame(values: list[float | None], threshold: float | None, shift: int) -> None:
    start = 1_769_860_800
    drawn = draw(
        plot(*values, threshold=threshold, since=start + shift), Window(start=start + shift, end=start + shift + 1800)
    )
    if drawn is None:
        return
    places = [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.e+-]+),(-?[\d.e+-]+)", drawn.line + drawn.area)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert all(0 <= each.at <= WIDTH for each in drawn.x_ticks)
    if drawn.healthy:
        assert 0 <= drawn.healthy.x <= drawn.healthy.x + drawn.healthy.width <= WIDTH


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (89, "89 seconds"),
        (90, "1 minute"),
        (1800, "30 minutes"),
        (5400, "1 hour 30 minutes"),
        (7200, "2 hours"),
    ],
)
def test_time_in_words(seconds: int, words: str) -> None:
    assert span(seconds) == words


def test_no_preview_is_no_error() -> None:
    world, contract = mailed()
    opened = open_link(minted(world, contract, "ada"), world)
    from dataclasses import replace  # noqa: PLC0415  beside its one use

    said = facts(replace(opened, preview=None))
    assert said.arn == SHOP
    assert said.plot is None
    assert START + timedelta(0) == need(world, Contract, contract).created_at
    assert read(world, Preview, contract)
