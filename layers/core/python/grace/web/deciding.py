"""`POST /decide`: a vote by command, from a person with an IAM identity."""

from __future__ import annotations

from grace.flow.answer import answer
from grace.model.approval import Decision
from grace.model.base import Json
from grace.ports import Services
from grace.web.api import body_of, respond


def decide(event: dict[str, Json], services: Services) -> dict[str, Json]:
    """Record a vote: 200 with how the approval stands, or why not."""

    def act(principal: str) -> dict[str, Json]:
        result = answer(body_of(event, Decision), principal, services)
        return {"outcome": result.outcome, "status": result.status.value, "have": result.have, "need": result.need}

    return respond(event, act, services)
