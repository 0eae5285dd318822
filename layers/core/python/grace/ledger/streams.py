"""Which head a stream of the log belongs to: the name alone says it."""

from __future__ import annotations

from grace.errors import NotFound
from grace.model.base import Head
from grace.model.contract import ContractHead
from grace.model.entry import Ref, ref
from grace.model.mission import Mission
from grace.model.records import KillSwitch, Subsystem

_KILL_STREAM, _SYSTEM_STREAM = "sys:kill", "sys:"


def head_of(stream: str) -> Ref[Head]:
    """Return which head a stream of the log belongs to.

    Raises:
        NotFound: the stream's name is not one we give.
    """
    if stream.startswith("m-"):
        return ref(Mission, stream)
    if stream.startswith("c-"):
        return ref(ContractHead, stream)
    if stream == _KILL_STREAM:
        return ref(KillSwitch)
    if stream.startswith(_SYSTEM_STREAM):
        return ref(Subsystem, stream.removeprefix(_SYSTEM_STREAM))
    raise NotFound(f"{stream!r} is no stream of the log: a mission begins with m-, a contract with c-")
