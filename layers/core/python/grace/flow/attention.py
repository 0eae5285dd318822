"""What needs a person is told to people."""

from __future__ import annotations

from grace.model.mission import Mission
from grace.model.signal import Signal
from grace.ports import Services


def tell_a_person(opener: Signal, mission: Mission, services: Services) -> None:
    """Tell bus and people that Grace leaves this to them; before it is written, so twice rather than never."""
    services.messages.publish(
        "mission.needs_attention",
        {"mission": mission.mission_id, "corr": mission.corr, "group": mission.group, "reason": mission.reason},
    )
    services.messages.notify(
        opener.severity.value,
        f"needs a person: {opener.name}"[:100],
        f"What happened: {opener.name} is {opener.state.value} ({opener.source}): {mission.diagnosis.value}.\n"
        f"What Grace did: nothing. {mission.reason}\n"
        f"What next: grace why {opener.subject}; when it is dealt with: grace dismiss {mission.mission_id} --reason ...",
    )
