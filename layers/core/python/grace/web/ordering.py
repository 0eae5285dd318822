"""`POST /operate`: an operator's order."""

from __future__ import annotations

from grace.flow.operate import Order, operate
from grace.model.base import Json
from grace.ports import Services
from grace.web.api import body_of, respond


def order(event: dict[str, Json], services: Services) -> dict[str, Json]:
    """Carry out an operator's order: 200 with what is so now, or why not."""

    def act(principal: str) -> dict[str, Json]:
        return {"now": operate(body_of(event, Order), principal, services)}

    return respond(event, act, services)
