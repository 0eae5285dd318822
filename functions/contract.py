"""Woken by triage and the sweep, asynchronously: drafts a mission's contract and starts its workflow."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.contract import draft
    from grace.model.mission import DraftRequest
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Draft; answer with the contract's id, or none when a person has to look."""
    return {"contract_id": draft(DraftRequest.model_validate(event), services(), services().rulebook)}
