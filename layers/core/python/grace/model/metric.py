"""The deployment's own metrics: ten series in all, whatever the number of playbooks; the rest is in the log lines."""

from enum import StrEnum


class Metric(StrEnum):
    """Every metric of the namespace `Grace`. All are counts."""

    ACTIONS_EXECUTED = "grace_actions_executed_total"
    CONTRACTS_CREATED = "grace_contracts_created_total"
    CONTRACTS_VERIFIED = "grace_contracts_verified_total"
    ROLLBACKS = "grace_rollbacks_total"
    SAFE_HOLDS = "grace_safe_holds_total"
    REFUSED = "grace_refused_total"
    APPROVALS_REQUESTED = "grace_approvals_requested_total"
    APPROVALS_DECIDED = "grace_approvals_decided_total"
    QUARANTINED = "grace_quarantined_total"
    REAP_FAILURES = "grace_reap_failures_total"
