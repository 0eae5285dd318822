"""What `make bench` counts is a real incident: through the doors to its end, and the same once more from its answers."""

from __future__ import annotations

import pytest

from grace.model.contract import ContractStatus
from tests.bench.incident import Incident, account

TRANSITIONS = {"roll_back_lambda_alias": 10, "raise_lambda_memory": 13}


@pytest.mark.parametrize("playbook", TRANSITIONS)
def test_an_incident_of_the_bench_goes_through_the_doors_to_its_verified_end(playbook: str) -> None:
    """P4: of tier 1, and of tier 2 with its approval; a promise that does not hold is undone."""
    for works, end in ((True, ContractStatus.VERIFIED), (False, ContractStatus.ROLLED_BACK)):
        with account():
            incident = Incident(playbook, works=works)
            head = incident.run()
        assert head.status is end
        assert len(incident.visited) <= TRANSITIONS[playbook] + (0 if works else 3)
        assert incident.log.getvalue()


def test_an_incident_played_back_makes_the_same_calls() -> None:
    """P10 measures what is left when AWS's answers come from memory: none may be over or missing."""
    with account():
        first = Incident("roll_back_lambda_alias")
        assert first.live() == ["SUCCEEDED"]
    first.wire.replay(list(first.wire.answers))
    again = Incident("roll_back_lambda_alias", wire=first.wire)

    assert again.live() == ["SUCCEEDED"]
    assert not first.wire.canned
