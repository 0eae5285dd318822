"""How sure samples make us."""

from __future__ import annotations

import math

_ONE_SIDED_95 = 1.6448536269514715
"""`statistics.NormalDist().inv_cdf(0.95)`, written out: doors that count need not load statistics for it."""


def confidence(supporting: int, samples: int) -> float:
    """How sure the samples make us that the promise is kept, in [0, 1]: 0.0 without samples.

    The one-sided 95 % lower bound for the share of observations that keep the promise: 20 of 20 gives 0.88, 5 of 5
    0.65, 1 of 1 0.27. Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    J. Am. Stat. Assoc. 22 (1927).
    """
    if supporting == 0:  # also where nothing was measured; rounding must not make it more than nothing
        return 0.0
    z2 = _ONE_SIDED_95**2
    share = supporting / samples
    centre = share + z2 / (2 * samples)
    spread = _ONE_SIDED_95 * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    return min(max((centre - spread) / (1 + z2 / samples), 0.0), 1.0)
