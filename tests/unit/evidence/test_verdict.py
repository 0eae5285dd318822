"""The verdict (D4): every row of the decision table, and what no sequence of events can bring about."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grace.evidence.confidence import confidence
from grace.evidence.guards import GuardKind, GuardResult, Tolerance, judge_guard
from grace.evidence.verdict import (
    ExpectationResult,
    Importance,
    Outcome,
    Verdict,
    VerdictKind,
    decide,
)

MUST, SHOULD = Importance.MUST, Importance.SHOULD
PASSED, FAILED, UNSURE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE
LINES = list(itertools.product(Importance, Outcome))
Run = tuple[Importance, list[bool | None], int]
"""One expectation: its importance, what each sample said (None: lost), and how many it needs."""


def line(importance: Importance, outcome: Outcome, samples: int = 10) -> ExpectationResult:
    supporting = {PASSED: samples, FAILED: 0, UNSURE: 0}[outcome]
    return ExpectationResult(
        f"{importance} {outcome}", importance, outcome, 0 if outcome is UNSURE else samples, supporting
    )


def observed_as(name: str, importance: Importance, held: list[bool | None], least: int) -> ExpectationResult:
    """What a line comes to: broken by any sample that broke it, kept by `least` that could be measured and kept it."""
    measured = [each for each in held if each is not None]
    outcome = FAILED if False in measured else PASSED if len(measured) >= least else UNSURE
    return ExpectationResult(name, importance, outcome, len(measured), sum(measured))


def guards(kinds: Iterable[GuardKind]) -> dict[str, GuardResult]:
    return {f"guard {i}": GuardResult(kind, 0.0, 0.5, 30.0, f"said {kind}") for i, kind in enumerate(kinds)}


# The table, first matching row from the top: (worst must, worst should, any guard worse) -> verdict. None: there is none.
ANY = "any"
TABLE = [
    (FAILED, ANY, ANY, VerdictKind.FAILED),
    (ANY, ANY, True, VerdictKind.FAILED),
    (None, ANY, False, VerdictKind.INCONCLUSIVE),
    (UNSURE, ANY, False, VerdictKind.INCONCLUSIVE),
    (PASSED, FAILED, False, VerdictKind.PARTIAL),
    (PASSED, UNSURE, False, VerdictKind.PARTIAL),
    (PASSED, PASSED, False, VerdictKind.VERIFIED),
    (PASSED, None, False, VerdictKind.VERIFIED),
]
WORST_FIRST = [FAILED, UNSURE, PASSED]


def by_the_table(lines: Iterable[tuple[Importance, Outcome]], kinds: Iterable[GuardKind]) -> VerdictKind:
    def worst(importance: Importance) -> Outcome | None:
        present = {outcome for wanted, outcome in lines if wanted is importance}
        return next((outcome for outcome in WORST_FIRST if outcome in present), None)

    facts = (worst(MUST), worst(SHOULD), GuardKind.WORSE in kinds)
    return next(row[3] for row in TABLE if all(want in (ANY, is_) for want, is_ in zip(row, facts, strict=False)))


def test_decision_table_over_every_combination_d4() -> None:
    rows = 0
    for size in range(4):
        for lines in itertools.product(LINES, repeat=size):
            for guard_count in range(3):
                for kinds in itertools.product(GuardKind, repeat=guard_count):
                    verdict = decide([line(*one) for one in lines], guards(kinds))
                    assert verdict.kind is by_the_table(lines, kinds), (lines, kinds)
                    rows += 1
    print(f"\ndecision table: {rows} of {rows} combinations as written")
    assert rows == (1 + 6 + 36 + 216) * (1 + 3 + 9)


def test_confidence_is_reported_and_decides_nothing_d4() -> None:
    for samples, sure in ((1, 0.27), (5, 0.65), (20, 0.88), (1000, 0.99)):
        verdict = decide([line(MUST, PASSED, samples)], {})
        assert verdict.kind is VerdictKind.VERIFIED
        assert verdict.confidence == pytest.approx(sure, abs=0.01)


@pytest.mark.parametrize("lines", [[], [line(SHOULD, PASSED)], [line(SHOULD, PASSED), line(SHOULD, PASSED)]])
def test_nothing_promised_is_never_verified(lines: list[ExpectationResult]) -> None:
    verdict = decide(lines, {})
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert verdict.confidence == 0.0
    assert verdict.reasons == ("there is no expectation that must hold, so nothing can be verified",)


def test_a_guard_that_could_not_be_judged_is_said_and_fails_nothing() -> None:
    blind = judge_guard(None, [1.0] * 40, worse="higher", tolerance=Tolerance())
    verdict = decide([line(MUST, PASSED)], {"latency p95": blind})
    assert verdict.kind is VerdictKind.VERIFIED
    assert verdict.notes == ("guard latency p95 was not judged: there is no healthy window to compare with",)
    assert verdict.reasons == ()


def test_a_worse_guard_undoes_a_kept_promise_and_says_why() -> None:
    verdict = decide([line(MUST, PASSED)], guards([GuardKind.PASSED, GuardKind.WORSE]))
    assert verdict.kind is VerdictKind.FAILED
    assert verdict.confidence == 0.0
    assert verdict.reasons == ("guard guard 1: said worse",)


def test_reasons_name_each_result_that_stood_in_the_way() -> None:
    lines = [
        ExpectationResult("error rate below 0.02", MUST, PASSED, 5, 5),
        ExpectationResult("alarm becomes OK", MUST, UNSURE, 0, 0),
        ExpectationResult("duration below 1.2 of before", SHOULD, FAILED, 5, 2),
    ]
    assert decide(lines, {}).reasons == (
        "must alarm becomes OK has too little data: 0 of 0 samples kept it",
        "should duration below 1.2 of before failed: 2 of 5 samples kept it",
    )


events = st.lists(st.sampled_from([True, False, None]), max_size=12)
runs = st.lists(st.tuples(st.sampled_from(Importance), events, st.integers(1, 6)), max_size=6)
windows = st.none() | st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=8)
watches = st.lists(st.tuples(windows, st.lists(st.floats(), max_size=8)), max_size=2)


@given(runs, watches)
def test_no_sequence_of_errors_gaps_or_terminations_is_a_success(
    observed: list[Run], watched: list[tuple[list[float] | None, list[float]]]
) -> None:
    """A None is an error, a gap, or a worker that never came back; a verdict that keeps the change needs measured passes."""
    results = [observed_as(f"e{i}", importance, held, least) for i, (importance, held, least) in enumerate(observed)]
    judged = {
        f"g{i}": judge_guard(old, new, worse="higher", tolerance=Tolerance(), min_samples=2)
        for i, (old, new) in enumerate(watched)
    }
    verdict = decide(results, judged)
    musts = [(held, least) for importance, held, least in observed if importance is MUST]
    measured_and_kept = bool(musts) and all(False not in held and held.count(True) >= least for held, least in musts)
    if verdict.kind.keeps_the_change:
        assert measured_and_kept
    if verdict.kind is VerdictKind.VERIFIED:
        assert all(False not in held and held.count(True) >= least for _, held, least in observed)
    if not measured_and_kept:
        assert verdict.confidence == 0.0


@given(runs.filter(bool), st.data())
def test_losing_a_sample_or_turning_it_bad_never_improves_the_verdict(observed: list[Run], data: st.DataObject) -> None:
    """Monotone in every single observation: True to None (lost) to False (bad) only ever goes down."""
    which = data.draw(st.integers(0, len(observed) - 1))
    importance, held, least = observed[which]
    if True not in held:
        return
    at = held.index(True)

    def judged_with(replacement: bool | None) -> Verdict:
        changed = [*held[:at], replacement, *held[at + 1 :]]
        now = [*observed[:which], (importance, changed, least), *observed[which + 1 :]]
        return decide([observed_as(f"e{i}", *one) for i, one in enumerate(now)], {})

    kept, lost, bad = judged_with(True), judged_with(None), judged_with(False)
    assert bad.kind.rank <= lost.kind.rank <= kept.kind.rank
    assert bad.confidence <= kept.confidence
    assert lost.confidence <= kept.confidence


@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=6),
    st.lists(st.sampled_from(GuardKind), min_size=1, max_size=3),
    st.data(),
)
def test_a_worse_result_never_improves_the_verdict(
    lines: list[tuple[Importance, Outcome]], kinds: list[GuardKind], data: st.DataObject
) -> None:
    i, j = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, len(kinds) - 1))
    verdict = decide([line(*one) for one in lines], guards(kinds))
    for outcome in WORST_FIRST[: WORST_FIRST.index(lines[i][1])]:
        lower = [*lines[:i], (lines[i][0], outcome), *lines[i + 1 :]]
        assert decide([line(*one) for one in lower], guards(kinds)).kind.rank <= verdict.kind.rank
    flagged = [*kinds[:j], GuardKind.WORSE, *kinds[j + 1 :]]
    assert decide([line(*one) for one in lines], guards(flagged)).kind is VerdictKind.FAILED


def test_ranks_put_only_the_two_good_verdicts_on_the_keeping_side() -> None:
    assert [kind for kind in sorted(VerdictKind, key=lambda kind: kind.rank) if kind.keeps_the_change] == [
        VerdictKind.PARTIAL,
        VerdictKind.VERIFIED,
    ]
    assert [VerdictKind.FAILED.rank, VerdictKind.INCONCLUSIVE.rank] == [0, 1]


@given(st.integers(0, 500), st.integers(0, 500))
def test_confidence_lies_between_0_and_the_share_and_grows_with_samples(kept: int, broken: int) -> None:
    sure = confidence(kept, kept + broken)
    assert 0.0 <= sure <= 1.0
    if kept + broken:
        assert sure <= kept / (kept + broken)
        assert confidence(2 * kept, 2 * (kept + broken)) >= sure
    if kept == 0:
        assert sure == 0.0


@pytest.mark.parametrize(
    ("kept", "samples", "bound"),
    # z^2 = 2.705543; n / (n + z^2) when all keep it, 1/2 - 1/2 sqrt(z^2 / (n + z^2)) when half do.
    [
        (20, 20, 20 / (20 + 2.705543)),
        (1, 1, 1 / 3.705543),
        (0, 5, 0.0),
        (50, 100, 0.5 - 0.5 * (2.705543 / 102.705543) ** 0.5),
    ],
)
def test_confidence_by_hand(kept: int, samples: int, bound: float) -> None:
    assert confidence(kept, samples) == pytest.approx(bound, abs=1e-6)


def test_what_nobody_measured_has_no_confidence() -> None:
    assert confidence(0, 0) == 0.0
    assert line(MUST, UNSURE).confidence == line(MUST, FAILED).confidence == 0.0
    assert line(MUST, PASSED, 20).confidence == pytest.approx(0.88, abs=0.01)
    assert decide([line(MUST, UNSURE), line(MUST, PASSED)], {}).confidence == 0.0


def test_impossible_results_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="passed without a single sample"):
        ExpectationResult("x", MUST, PASSED, 0, 0)
    for samples, supporting in ((1, 2), (-1, -1), (3, -1)):
        with pytest.raises(ValueError, match="is not possible"):
            ExpectationResult("x", MUST, FAILED, samples, supporting)
