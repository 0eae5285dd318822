"""The verdict: did the promise hold? Decided from what was measured, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from grace.evidence.confidence import confidence
from grace.evidence.guards import GuardKind, GuardResult


class Importance(StrEnum):
    """`must` decides whether the change stays; `should` only whether it is a full success."""

    MUST = "must"
    SHOULD = "should"


class Outcome(StrEnum):
    """What measuring one expectation said."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class VerdictKind(StrEnum):
    """The four verdicts, from worst to best by `rank`."""

    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    PARTIAL = "partial"
    VERIFIED = "verified"

    @property
    def rank(self) -> int:
        """0 (failed) to 3 (verified)."""
        return list(VerdictKind).index(self)

    @property
    def keeps_the_change(self) -> bool:
        """Whether the change stays; with the other two verdicts it is undone, or a person is told."""
        return self in (VerdictKind.PARTIAL, VerdictKind.VERIFIED)


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One line of the promise, measured: `samples` observations were made, `supporting` of them kept it.

    Raises ValueError unless 0 <= supporting <= samples, and for a pass without a sample: nothing was measured then.
    """

    name: str
    importance: Importance
    outcome: Outcome
    samples: int
    supporting: int

    def __post_init__(self) -> None:
        if not 0 <= self.supporting <= self.samples:
            raise ValueError(
                f"expectation {self.name}: {self.supporting} supporting of {self.samples} samples is not possible"
            )
        if self.outcome is Outcome.PASSED and self.samples == 0:
            raise ValueError(f"expectation {self.name}: passed without a single sample; nothing was measured")

    @property
    def confidence(self) -> float:
        """`confidence` of this line alone; 0.0 unless it passed."""
        return confidence(self.supporting, self.samples) if self.outcome is Outcome.PASSED else 0.0


class Verdict(NamedTuple):
    """The decision, why, and what should be known beside it.

    `reasons`: one sentence per result that kept it from being verified. `notes`: guards that could not be judged;
    they do not fail it. `confidence`: see `confidence`; 0.0 unless the change is kept.
    """

    kind: VerdictKind
    confidence: float
    reasons: tuple[str, ...]
    notes: tuple[str, ...]


def decide(expectations: Sequence[ExpectationResult], guards: Mapping[str, GuardResult]) -> Verdict:
    """The verdict over a contract's expectations and its guards by name.

    In this order:

    1. failed: a `must` failed or a guard is worse;
    2. inconclusive: a `must` has too little data, or there is no `must` at all (nothing was promised, so nothing can
       be shown);
    3. partial: every `must` passed, and a `should` failed or has too little data. A `should` nobody could measure was
       not shown to hold, so it is not a full success; it was not promised either, so it undoes nothing;
    4. verified: everything passed.

    A guard that could not be judged (no healthy window, too few datapoints, too noisy) changes nothing and is said in
    the notes. Confidence is reported and decides nothing.
    """
    musts = [e for e in expectations if e.importance is Importance.MUST]
    shoulds = [e for e in expectations if e.importance is Importance.SHOULD]
    worse = [f"guard {name}: {guard.reason}" for name, guard in guards.items() if guard.kind is GuardKind.WORSE]
    if worse or any(e.outcome is Outcome.FAILED for e in musts):
        kind = VerdictKind.FAILED
    elif not musts or any(e.outcome is not Outcome.PASSED for e in musts):
        kind = VerdictKind.INCONCLUSIVE
    elif any(e.outcome is not Outcome.PASSED for e in shoulds):
        kind = VerdictKind.PARTIAL
    else:
        kind = VerdictKind.VERIFIED

    reasons = [_sentence(e) for e in (*musts, *shoulds) if e.outcome is not Outcome.PASSED] + worse
    if not musts:
        reasons.append("there is no expectation that must hold, so nothing can be verified")
    notes = [
        f"guard {name} was not judged: {guard.reason}"
        for name, guard in guards.items()
        if guard.kind is GuardKind.INCONCLUSIVE
    ]
    sure = confidence(sum(e.supporting for e in musts), sum(e.samples for e in musts)) if kind.keeps_the_change else 0.0
    return Verdict(kind, sure, tuple(reasons), tuple(notes))


def _sentence(result: ExpectationResult) -> str:
    what = "failed" if result.outcome is Outcome.FAILED else "has too little data"
    return f"{result.importance.value} {result.name} {what}: {result.supporting} of {result.samples} samples kept it"
