"""Where a lane of the log ends."""

from typing import NamedTuple

GENESIS = "0" * 64
"""What the first entry of a lane names as the hash of the one before."""


class LaneHead(NamedTuple):
    """Where a lane ends: `n` entries, `h` the SHA-256 of the last one's bytes, `ts` its time in epoch milliseconds."""

    lane: int
    n: int = 0
    h: str = GENESIS
    ts: int = 0
