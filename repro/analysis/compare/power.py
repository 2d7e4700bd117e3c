"""What some seeds could have shown: how often they certify a margin, and how many it takes."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

from repro.analysis.compare.seed_statistics import ALPHA, Sample, t_quantile

POWER = 0.8  # at which a count of seeds "would decide"
MOST_SEEDS = 100  # beyond which nobody would train them
STEPS = 200  # of the integral over what our spread may seem to be


def equivalence_power(
    n: int, std: float, margin: float, theirs: Sample | None = None, spread: float = 0.0
) -> float:
    """Return how often n of our seeds would certify `margin`, if the truth were equal.

    `theirs`: the published mean and spread; or None for a single number, which is one draw of the
    published `spread` (of ours, where none is published).

    Our spread varies from time to time as a χ; for each value it can take, the difference has to
    fall within what is left of the margin.
    """
    if std == 0 and not spread:
        return 1.0
    import numpy as np
    from scipy import special

    levels = (np.arange(STEPS) + 0.5) / STEPS
    seen = std**2 * special.chdtri(n - 1, 1 - levels) / (n - 1)  # the variance ours seem to have
    if theirs is None:
        squared_error = seen / n + np.maximum(seen, spread**2)
        truth = std**2 / n + (spread or std) ** 2
        freedom: Any = n - 1
    else:
        its = theirs.std**2 / theirs.n
        squared_error = seen / n + its
        truth = std**2 / n + its
        freedom = squared_error**2 / ((seen / n) ** 2 / (n - 1) + its**2 / (theirs.n - 1))
    room = margin - special.stdtrit(freedom, 1 - ALPHA) * np.sqrt(squared_error)
    certified = 2 * special.ndtr(room.clip(min=0) / math.sqrt(truth)) - 1
    return float(certified.mean())


def smallest_shown(error: float, freedom: float, power: float = POWER) -> float:
    """Return the smallest true difference that would be shown as one, four times in five."""
    return (t_quantile(1 - ALPHA / 2, freedom) + t_quantile(power, freedom)) * error


def seeds_to_decide(
    std: float, margin: float, theirs: Sample | None = None, spread: float = 0.0
) -> int | None:
    """Return how many of our seeds would certify the margin four times in five, if truly equal.

    None where even `MOST_SEEDS` would not do: the paper's own few runs leave too much open.
    """

    def power(n: int) -> float:
        return equivalence_power(n, std, margin, theirs, spread)

    if power(MOST_SEEDS) < POWER:
        return None
    counts = range(2, MOST_SEEDS + 1)  # more seeds never have less power
    return counts[bisect_left(counts, POWER, key=power)]
