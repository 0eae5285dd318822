"""Every state that approvers, thieves, editors, time and the workflow can bring an approval into is a sound one."""

from __future__ import annotations

import pytest

from tests.models.approving import MUTANTS, SPARE, Broken, explore


def test_no_reachable_state_breaks_an_invariant() -> None:
    assert explore() > 1_000


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_a_mechanism_an_invariant_breaks(mutant: str) -> None:
    removed, invariant = MUTANTS[mutant]
    with pytest.raises(Broken, match=f"^{invariant}:"):
        explore(removed)


@pytest.mark.parametrize("spare", SPARE)
def test_a_mechanism_with_another_behind_it_may_fail_alone(spare: str) -> None:
    assert explore(SPARE[spare]) > 1_000
    assert any(SPARE[spare] < removed for removed, _ in MUTANTS.values())


def test_every_invariant_of_the_approval_is_broken_by_a_mutant() -> None:
    assert {invariant for _, invariant in MUTANTS.values()} == {f"I{n}" for n in range(15, 22)}
