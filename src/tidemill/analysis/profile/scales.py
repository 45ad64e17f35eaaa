"""Round numbers and times for the edges of histograms."""

from __future__ import annotations

import math

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


def round_step(least: float) -> float:
    """The smallest round number that is not below one."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in ROUND if factor * power >= least * (1 - 1e-9))
