"""Every state that writers, two integrators and the signer can reach, with deaths between all steps, is a sound one."""

from __future__ import annotations

import pytest

from tests.models.publishing import MUTANTS, Broken, explore


def test_no_reachable_state_breaks_an_invariant() -> None:
    assert explore() > 1_000


def test_of_a_log_replaced_at_any_moment_one_history_is_signed() -> None:
    assert explore(replaced=True) > 10_000


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_any_one_mechanism_an_invariant_breaks(mutant: str) -> None:
    with pytest.raises(Broken, match=f"^{MUTANTS[mutant]}:"):
        explore(mutant, replaced="signer's record" in mutant)
