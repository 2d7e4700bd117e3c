"""The statistics of a few seeds: intervals, tests of difference and of equivalence, and what they could have shown.

With five seeds of the same distribution, a single number of the paper falls outside our 95 % confidence interval of the
mean one time in three, and outside the prediction interval one time in twenty; a bootstrap of five covers 84 % where it
promises 95. So: t intervals, prediction intervals, Welch, and two one-sided tests. "Not significant" is never "equal".

An `Estimate` is a difference with its standard error and degrees of freedom; every test is a question to it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

ALPHA = 0.05  # of every test here
POWER = 0.8  # at which a count of seeds "would decide"
MOST_SEEDS = 100  # beyond which nobody would train them
STEPS = 200  # of the integral over what our spread may seem to be


@dataclass(frozen=True)
class Sample:
    """Some numbers, as far as the tests need them: how many, their mean, their standard deviation."""

    n: int
    mean: float
    std: float  # with n-1; NaN for a single number


@dataclass(frozen=True)
class Estimate:
    """A difference, its standard error, and the degrees of freedom with which that error is known."""

    difference: float
    error: float
    freedom: float

    def interval(self, coverage: float = 1 - ALPHA) -> tuple[float, float]:
        """The two-sided t interval."""
        reach = quantile(0.5 + coverage / 2, self.freedom) * self.error
        return self.difference - reach, self.difference + reach

    def p_above(self, bound: float) -> float:
        """One-sided p for "the true difference is more than `bound`"."""
        if self.error == 0:
            return 0.0 if self.difference > bound else 1.0
        return upper_tail((self.difference - bound) / self.error, self.freedom)

    def p_below(self, bound: float) -> float:
        """One-sided p for "the true difference is less than `bound`"."""
        return Estimate(-self.difference, self.error, self.freedom).p_above(-bound)

    def p_different(self) -> float:
        """Two-sided p for "the true difference is not zero"."""
        return min(1.0, 2 * min(self.p_above(0), self.p_below(0)))

    def p_within(self, margin: float) -> float:
        """p of the two one-sided tests for "the true difference is smaller than `margin`, either way"."""
        return max(self.p_above(-margin), self.p_below(margin))

    def p_beyond(self, margin: float) -> float:
        """p for "the true difference is larger than `margin`, one way or the other"."""
        return min(1.0, 2 * min(self.p_above(margin), self.p_below(-margin)))


def sample(values: Sequence[float]) -> Sample:
    n = len(values)
    mean = math.fsum(values) / n if n else math.nan
    std = (
        math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
        if n > 1
        else math.nan
    )
    return Sample(n, mean, 0.0 if std < 1e-9 * max(1.0, abs(mean)) else std)


def mean_estimate(ours: Sample) -> Estimate:
    """Our mean."""
    return Estimate(ours.mean, ours.std / math.sqrt(ours.n), ours.n - 1)


def welch_difference(ours: Sample, theirs: Sample) -> Estimate:
    """Our mean less theirs, the spreads not assumed equal."""
    a, b = ours.std**2 / ours.n, theirs.std**2 / theirs.n
    spread = a**2 / (ours.n - 1) + b**2 / (theirs.n - 1)
    freedom = (a + b) ** 2 / spread if spread else ours.n + theirs.n - 2
    return Estimate(ours.mean - theirs.mean, math.sqrt(a + b), freedom)


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """The mean of the differences, seed by seed."""
    return mean_estimate(sample([a - b for a, b in zip(ours, theirs, strict=True)]))


def prediction_estimate(ours: Sample, value: float) -> Estimate:
    """Our mean less one number that is itself a draw: the error is that of a prediction."""
    return Estimate(ours.mean - value, ours.std * math.sqrt(1 + 1 / ours.n), ours.n - 1)


def prediction_interval(ours: Sample, coverage: float = 1 - ALPHA) -> tuple[float, float]:
    """Where one more run would fall."""
    return prediction_estimate(ours, 0.0).interval(coverage)


def holm_adjusted(ps: Sequence[float]) -> list[float]:
    """The p-values adjusted so that all together err once in twenty; each keeps its place."""
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=lambda at: ps[at])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = highest
    return adjusted


def equivalence_power(n: int, std: float, margin: float, theirs: Sample | None = None) -> float:
    """How often n of our seeds would certify `margin` by the two one-sided tests, if the truth were equal.

    `theirs`: the published mean and spread, or None for a single number, which is one draw with our spread. Our spread
    varies from time to time as a χ; for each value it can take, the difference has to fall within what is left of the
    margin.
    """
    if std == 0:
        return 1.0
    import numpy as np
    from scipy import special

    levels = (np.arange(STEPS) + 0.5) / STEPS
    ours = (
        std**2 * special.chdtri(n - 1, 1 - levels) / (n - 1) / n
    )  # what our squared error will seem to be
    its = ours * n if theirs is None else np.full(STEPS, theirs.std**2 / theirs.n)
    truth = std**2 * (1 + 1 / n) if theirs is None else std**2 / n + theirs.std**2 / theirs.n
    freedom = (
        n - 1
        if theirs is None
        else (ours + its) ** 2 / (ours**2 / (n - 1) + its**2 / (theirs.n - 1))
    )
    room = margin - special.stdtrit(freedom, 1 - ALPHA) * np.sqrt(ours + its)
    return float((2 * special.ndtr(room.clip(min=0) / math.sqrt(truth)) - 1).mean())


def smallest_shown(error: float, freedom: float, power: float = POWER) -> float:
    """The smallest true difference that would be shown as one, four times in five."""
    return (quantile(1 - ALPHA / 2, freedom) + quantile(power, freedom)) * error


def seeds_to_decide(std: float, margin: float, theirs: Sample | None = None) -> int | None:
    """How many of our seeds would certify the margin, four times in five, if the truth were equal.

    None where even `MOST_SEEDS` would not do: the paper's own few runs leave too much open.
    """
    if equivalence_power(MOST_SEEDS, std, margin, theirs) < POWER:
        return None
    counts = range(2, MOST_SEEDS + 1)  # more seeds never have less power
    return counts[
        bisect_left(counts, POWER, key=lambda n: equivalence_power(n, std, margin, theirs))
    ]


def quantile(level: float, freedom: float) -> float:
    """Student's t: the value below which it falls with that probability."""
    from scipy import special  # a twentieth of scipy.stats' start-up

    return float(special.stdtrit(freedom, level))


def upper_tail(t: float, freedom: float) -> float:
    from scipy import special

    return float(special.stdtr(freedom, -t))
