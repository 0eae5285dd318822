"""A mission is left: to a person, or because there is nothing to do."""

from __future__ import annotations

from grace.errors import PermanentError, Refused
from grace.flow.attention import tell_a_person
from grace.model.entry import Commit, EntryDraft
from grace.model.ids import command_id
from grace.model.metric import Metric
from grace.model.mission import ATTENTION, Mission, MissionStatus
from grace.model.signal import Signal
from grace.ports import Services


def leave(mission: Mission, signal: Signal, why: PermanentError, services: Services) -> None:
    """Leave it to a person, with the reason."""
    reason = f"{why.code if isinstance(why, Refused) else type(why).__name__}: {why}"
    tell_a_person(signal, mission.model_copy(update={"reason": reason}), services)
    ended(mission, MissionStatus.NEEDS_ATTENTION, reason, services)
    services.telemetry.count(Metric.REFUSED)


def ended(mission: Mission, status: MissionStatus, reason: str, services: Services) -> None:
    """Write that a mission ends in a status, and why."""
    at = services.clock.now()
    services.store.commit(
        Commit(
            command=command_id("leave", mission.mission_id, str(mission.attempt)),
            head=mission.model_copy(
                update={
                    "status": status,
                    "reason": reason[:240],
                    "updated_at": at,
                    "deadline": at + ATTENTION if status is MissionStatus.NEEDS_ATTENTION else mission.deadline,
                }
            ),
            was=mission,
            entries=(EntryDraft(type=f"mission.{status.value}", body={"reason": reason[:1000]}),),
            at=services.clock.now(),
            actor="grace",
            subsystem="contract",
        )
    )


def unattended(mission: Mission, services: Services) -> None:
    """Close what waited for a person in vain, and say so; people are told before it is written."""
    at = services.clock.now()
    services.messages.notify(
        "low",
        f"nobody attended to it: {mission.group}"[:100],
        f"What happened: {mission.diagnosis.value} at {mission.opened_at.isoformat()}. {mission.reason}\n"
        f"What Grace did: nothing. It waited {ATTENTION.days} days for a person and is closed now; whether the trouble "
        "is over, nobody said.\n"
        f"What next: grace retry {mission.mission_id}, if it is still there",
    )
    services.store.commit(
        Commit(
            command=command_id("unattended", mission.mission_id, str(mission.attempt)),
            head=mission.model_copy(
                update={
                    "status": MissionStatus.CLOSED,
                    "reason": f"nobody attended to it; {mission.reason}"[:240],
                    "updated_at": at,
                }
            ),
            was=mission,
            entries=(EntryDraft(type="mission.unattended", body={"days": ATTENTION.days}),),
            at=services.clock.now(),
            actor="grace",
            subsystem="reap",
        )
    )
