"""P5, P6 and P11: AWS calls, write units and bytes of one remediation, and what a rollback may read."""

from __future__ import annotations

from typing import Any

import pytest

from grace.model.contract import Mode, Undo
from tests.bench.counts import CONTRACT_BYTES, HEAD_BYTES, P5, P6, TICKET_BYTES, Counts, count, repeated
from tests.support.matrix import NOT_HELD, STOPPED, clean
from tests.support.scenes import Scene, playbooks
from tests.support.taps import Site

STRICT = {1: 36, 2: 60 + 2 * 2}
"""The same budget with every look at the resource counted, outside the Execute step: it may not grow. Each approver, of
whom there are two here, costs one proof and one letter."""
OVER = {("increase_logging", 1): 1}
"""Its time to live is one item more, with a place of its own in the index: the budget is missed there."""
MODES = [
    pytest.param(name, mode, id=f"{name}-{mode.value}")
    for name, playbook in playbooks().items()
    for mode in (Mode.AUTONOMOUS, Mode.APPROVAL)[playbook.spec.tier > 1 :]
]
UNDONE = [name for name in playbooks() if Scene(name).act.undo is Undo.RESTORE]


@pytest.mark.parametrize(("playbook", "mode"), MODES)
def test_calls_and_write_units_of_a_remediation(playbook: str, mode: Mode) -> None:
    """P5, P6."""
    found = count(playbook, mode=mode)
    print(f"P5 {found.p5} of {P5[found.tier]}, strict {found.strict}; P6 {found.p6} of {P6[found.tier]}")
    print(found.breakdown())
    assert found.status == "verified"
    assert found.p5 <= P5[found.tier]
    assert found.strict <= STRICT[found.tier]
    assert found.p6 <= P6[found.tier] + OVER.get((playbook, found.tier), 0)


@pytest.mark.parametrize(("playbook", "mode"), MODES)
def test_what_is_stored_and_carried_is_small(playbook: str, mode: Mode) -> None:
    """P6: contract, ticket and head."""
    for found in (count(playbook, mode=mode), count(playbook, mode=mode, works=False)):
        assert found.contract_bytes <= CONTRACT_BYTES
        assert found.ticket_bytes <= TICKET_BYTES
        assert found.head_bytes <= HEAD_BYTES


def test_nothing_is_scanned_and_no_metric_is_put_by_call() -> None:
    """P5: no Scan, no PutMetricData."""
    names = {name for _, name in count("scale_out_group", mode=Mode.APPROVAL).calls}
    assert not [name for name in names if "Scan" in name or "put_metric_data" in name]
    assert {"dynamodb.BatchGetItem", "dynamodb.TransactWriteItems"} <= names


@pytest.mark.parametrize("playbook", playbooks())
def test_a_repeated_event_costs_two_calls_at_most_and_changes_nothing(playbook: str) -> None:
    """P5."""
    calls, changed = repeated(playbook)
    assert calls <= 2
    assert not changed


def step(sites: tuple[Site, ...], name: str) -> list[str]:
    return [site.call for site in sites if site.step == name]


@pytest.mark.parametrize("playbook", UNDONE)
@pytest.mark.parametrize("path", [NOT_HELD, STOPPED], ids=lambda path: path.name)
def test_a_rollback_needs_little_and_reads_nothing_else(playbook: str, path: Any) -> None:
    """P11: the forward action's calls and three more; the snapshot, the resource and the source alarm alone."""
    sites = clean(playbook, path).sites
    forward, back = step(sites, "execute"), step(sites, "rollback")
    service = next(call.split(".")[1] for call in forward if call.startswith("aws."))
    also = {"ecs": ("application-autoscaling",)}.get(service, ())
    allowed = ("store.read", "store.commit", "vault.get", "alarms.describe", f"aws.{service}.")
    foreign = [call for call in back if not call.startswith((*allowed, *(f"aws.{each}." for each in also)))]

    assert len(back) <= len(forward) + 3
    assert not foreign
    assert back.count("vault.get") == 1
    assert back.count("alarms.describe") <= 1


def test_the_count_knows_a_call_more() -> None:
    """What is counted is what is made: one more read of the store is one more call."""
    plain: Counts = count("scale_out_group")
    assert plain.calls["verify", "dynamodb.BatchGetItem"] == 1
    assert plain.calls["execute", "dynamodb.TransactWriteItems"] == 2
    assert plain.calls["execute", "aws.autoscaling.update_auto_scaling_group"] == 1
    assert plain.acting == 6  # the tags are read again for policy
