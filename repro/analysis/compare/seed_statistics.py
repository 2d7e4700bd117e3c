"""The statistics of a few seeds: intervals, tests of difference and of equivalence.

With five seeds of one distribution, a single number of the paper's falls outside our 95 %
confidence interval of the mean one time in three, and outside the prediction interval one time in
twenty; a bootstrap of five covers 84 % where it promises 95. So: t intervals, prediction
intervals, Welch, and two one-sided tests. "Not significant" is never "equal".

An `Estimate` is a difference with its standard error and degrees of freedom; every test is a
question to it. `between_labs` has another one, for results of several labs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

ALPHA = 0.05  # of every test here


@dataclass(frozen=True)
class Sample:
    """Some numbers, as far as the tests need them: count, mean, standard deviation."""

    n: int
    mean: float
    std: float  # with n-1; NaN for a single number


class Tests(ABC):
    """A difference that is not known exactly, and the questions that are asked of it."""

    difference: float

    @abstractmethod
    def p_above(self, bound: float) -> float:
        """Return the one-sided p for "the true difference is more than `bound`"."""

    @abstractmethod
    def p_below(self, bound: float) -> float:
        """Return the one-sided p for "the true difference is less than `bound`"."""

    def p_different(self, doubt: float = 0.0) -> float:
        """Return the two-sided p for "the true difference is more than `doubt`, either way"."""
        return min(1.0, 2 * min(self.p_above(doubt), self.p_below(-doubt)))

    def p_within(self, margin: float) -> float:
        """Return the p of the two one-sided tests for "the difference is less than `margin`"."""
        return max(self.p_above(-margin), self.p_below(margin))

    def p_beyond(self, margin: float) -> float:
        """Return the p for "the true difference is larger than `margin`, one way or the other"."""
        return self.p_different(margin)


@dataclass(frozen=True)
class Estimate(Tests):
    """A difference, its standard error, and the degrees of freedom of that error."""

    difference: float
    error: float
    freedom: float

    def interval(self, coverage: float = 1 - ALPHA) -> tuple[float, float]:
        """Return the two-sided t interval."""
        reach = t_quantile(0.5 + coverage / 2, self.freedom) * self.error
        return self.difference - reach, self.difference + reach

    def p_above(self, bound: float) -> float:
        """Return the one-sided p for "the true difference is more than `bound`"."""
        if self.error == 0:
            return 0.0 if self.difference > bound else 1.0
        return t_upper_tail((self.difference - bound) / self.error, self.freedom)

    def p_below(self, bound: float) -> float:
        """Return the one-sided p for "the true difference is less than `bound`"."""
        return replace(self, difference=-self.difference).p_above(-bound)

    def with_least_error(self, error: float) -> Estimate:
        """Return the estimate with an error of at least this: numbers come in steps."""
        return replace(self, error=max(self.error, error))


def sample(values: Sequence[float]) -> Sample:
    """Return how many, their mean, and their standard deviation."""
    n = len(values)
    if n == 0:
        return Sample(0, math.nan, math.nan)
    mean = math.fsum(values) / n
    if n == 1:
        return Sample(1, mean, math.nan)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    if std < 1e-9 * max(1.0, abs(mean)):
        std = 0.0  # what is left of equal numbers by rounding is no spread
    return Sample(n, mean, std)


def mean_estimate(ours: Sample) -> Estimate:
    """Estimate our mean."""
    return Estimate(ours.mean, ours.std / math.sqrt(ours.n), ours.n - 1)


def welch_difference(ours: Sample, theirs: Sample) -> Estimate:
    """Estimate our mean less theirs, the spreads not assumed equal."""
    a, b = ours.std**2 / ours.n, theirs.std**2 / theirs.n
    spread = a**2 / (ours.n - 1) + b**2 / (theirs.n - 1)
    freedom: float = ours.n + theirs.n - 2
    if spread:
        freedom = (a + b) ** 2 / spread  # Welch and Satterthwaite's
    return Estimate(ours.mean - theirs.mean, math.sqrt(a + b), freedom)


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """Estimate the mean of the differences, seed by seed."""
    return mean_estimate(sample([a - b for a, b in zip(ours, theirs, strict=True)]))


def prediction_estimate(ours: Sample, value: float, spread: float = 0.0) -> Estimate:
    """Estimate our mean less one number that is itself a draw, of ours or the published spread."""
    # The wider of the two: five of our seeds that happen to agree say nothing of how far the
    # paper's one run fell from its own mean.
    error = math.hypot(ours.std / math.sqrt(ours.n), max(ours.std, spread))
    return Estimate(ours.mean - value, error, ours.n - 1)


def holm_adjusted(ps: Sequence[float]) -> list[float]:
    """Return the p-values adjusted so that all together err once in twenty, in their order."""
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=lambda at: ps[at])):
        # Never below a smaller p's: what is less certain is not shown before what is more so.
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = highest
    return adjusted


# scipy.special starts in a twentieth of scipy.stats' time, and only where it is asked.


def t_quantile(level: float, freedom: float) -> float:
    """Return the value below which Student's t falls with that probability."""
    from scipy import special

    return float(special.stdtrit(freedom, level))


def t_upper_tail(t: float, freedom: float) -> float:
    """Return how likely Student's t is above this."""
    from scipy import special

    return float(special.stdtr(freedom, -t))


def normal_quantile(level: float) -> float:
    """Return the value below which a standard normal falls with that probability."""
    from scipy import special

    return float(special.ndtri(level))


def normal_upper_tail(z: float) -> float:
    """Return how likely a standard normal is above this."""
    from scipy import special

    return float(special.ndtr(-z))
