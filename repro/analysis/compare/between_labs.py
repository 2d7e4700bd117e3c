"""How far labs differ with the same net and recipe, and what their mean then says.

A one-way random-effects model, as in ISO 5725-2: a result is the general level, plus what its lab
always does differently (standard deviation σ_L), plus what its seed does (σ_r).

    s_r   repeatability: between the seeds of one lab, pooled over the labs
    s_L   between labs: what is left of the labs' means beyond s_r; a negative variance is zero
    s_R   reproducibility: of one run of one lab, √(s_L² + s_r²)

Labs may have unequal counts of seeds. The level is the mean of the labs' means, each lab once: ten
more seeds of one lab say nothing of what the others do differently. No lab is left out as an
outlier.

Of two or three labs σ_L is hardly known, and a test that takes s_L for it is wrong too often (two
labs of five seeds with σ_L = 2 σ_r: 11 % in place of 5 %). So each test here is an average over
all that the two variances may be, given how they seem: a variance of f degrees of freedom seems as
large as it is times χ²(f)/f. Such tests (generalised p-values) keep the 5 %; of few labs they are
cautious.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from repro.analysis.compare.seed_statistics import ALPHA, Sample, Tests

Floats: TypeAlias = NDArray[np.float64]

STEPS_BETWEEN = 200  # of what the variance between labs may be
STEPS_WITHIN = 50  # of what a variance between seeds may be, which is known better


@dataclass(frozen=True)
class LabSpread:
    """The means of some labs, and the three standard deviations of ISO 5725-2."""

    labs: int
    n: int  # runs of all labs
    mean: float  # of the labs' means
    repeatability: float | None  # s_r; None where no lab has two runs
    between: float | None  # s_L
    reproducibility: float  # s_R
    between_low: float | None  # 95 % interval of σ_L
    between_high: float | None


@dataclass(frozen=True)
class PossibleSpreads:
    """What the two variances may be: equally likely pairs, given how the labs differ."""

    between: Floats
    within: Floats
    of_mean: Floats  # the variance of the mean of the labs' means


@dataclass(frozen=True, eq=False)
class MixedEstimate(Tests):
    """A difference, normal about the true one, with each of some equally likely variances."""

    difference: float
    variances: Floats

    def p_above(self, bound: float) -> float:
        """Return the one-sided p for "the true difference is more than `bound`"."""
        return self._p(self.difference - bound)

    def p_below(self, bound: float) -> float:
        """Return the one-sided p for "the true difference is less than `bound`"."""
        return self._p(bound - self.difference)

    def reach(self, coverage: float = 1 - ALPHA) -> float:
        """Return half the length of the interval that has the true difference so often."""
        low, high = 0.0, 1.0
        while self._p(high) > (1 - coverage) / 2:
            high *= 2
        for _ in range(40):
            middle = (low + high) / 2
            if self._p(middle) > (1 - coverage) / 2:
                low = middle
            else:
                high = middle
        return high

    def interval(self, coverage: float = 1 - ALPHA) -> tuple[float, float]:
        """Return the two-sided interval."""
        reach = self.reach(coverage)
        return self.difference - reach, self.difference + reach

    def _p(self, distance: float) -> float:
        from scipy import special

        return float(np.mean(special.ndtr(-distance / self._errors)))

    @cached_property
    def _errors(self) -> Floats:
        return np.sqrt(self.variances)


def spread_of(labs: Sequence[Sample]) -> LabSpread:
    """Return how far some labs differ: the analysis of variance of ISO 5725-2, unequal counts."""
    total = sum(lab.n for lab in labs)
    mean = _mean(labs)
    within = _pooled_variance(labs)
    if within is None:
        # One run a lab: only the sum of the two variances shows.
        reproducibility = math.sqrt(_variance_of_means(labs))
        return LabSpread(len(labs), total, mean, None, None, reproducibility, None, None)
    # `count` takes the place of the seeds of a lab where labs have unequally many.
    weighted = math.fsum(lab.n * lab.mean for lab in labs) / total
    count = (total - sum(lab.n**2 for lab in labs) / total) / (len(labs) - 1)
    seen = math.fsum(lab.n * (lab.mean - weighted) ** 2 for lab in labs) / (len(labs) - 1)
    # Means may differ less than seeds let expect: ISO 5725-2 takes a negative variance as zero.
    between = max(0.0, (seen - within) / count)
    low, high = _interval_between(labs)
    spreads = math.sqrt(within), math.sqrt(between), math.sqrt(between + within)
    return LabSpread(len(labs), total, mean, *spreads, low, high)


def possible_spreads(labs: Sequence[Sample], published: float) -> PossibleSpreads:
    """Return what the variances between labs and between seeds may be."""
    count, freedom = len(labs), sum(lab.n for lab in labs) - len(labs)
    within = _pooled_variance(labs)
    # Where every lab has one run, the published spread stands for what their seeds would show.
    of_seeds = np.array([published**2])
    if within is not None:
        of_seeds = _possible_variances(within, freedom, STEPS_WITHIN)
    of_means = _possible_variances(_variance_of_means(labs), count - 1, STEPS_BETWEEN)
    # The variance of the labs' means has a part of the seeds, less of it the more seeds there are.
    part = of_seeds[np.newaxis, :] * sum(1 / lab.n for lab in labs) / count
    between = np.maximum(0.0, of_means[:, np.newaxis] - part)
    of_mean = (between + part) / count
    return PossibleSpreads(between, np.broadcast_to(of_seeds, between.shape), of_mean)


def level(labs: Sequence[Sample], published: float) -> MixedEstimate:
    """Estimate the mean over all labs that there might be."""
    return MixedEstimate(_mean(labs), possible_spreads(labs, published).of_mean)


def against_run(labs: Sequence[Sample], value: float, published: float) -> MixedEstimate:
    """Estimate the labs' mean less one run of yet another lab, which the paper's is."""
    possible = possible_spreads(labs, published)
    # Its draw has what labs do differently, and the wider of the seeds' and the published spread.
    draw = possible.between + np.maximum(possible.within, published**2)
    return MixedEstimate(_mean(labs) - value, possible.of_mean + draw)


def against_mean(labs: Sequence[Sample], theirs: Sample, published: float) -> MixedEstimate:
    """Estimate the labs' mean less the mean of the runs of yet another lab, as published."""
    possible = possible_spreads(labs, published)
    of_seeds = _possible_variances(theirs.std**2, theirs.n - 1, STEPS_WITHIN) / theirs.n
    ours = possible.of_mean + possible.between
    variances = ours[:, :, np.newaxis] + of_seeds[np.newaxis, np.newaxis, :]
    return MixedEstimate(_mean(labs) - theirs.mean, variances)


def _interval_between(labs: Sequence[Sample]) -> tuple[float, float]:
    """Return the 95 % interval of the standard deviation between labs."""
    low = np.quantile(possible_spreads(labs, 0.0).between, ALPHA / 2)
    # The upper end is that of the labs' means, seeds included: labs that happen to agree better
    # than their seeds let expect would else seem to be known to agree exactly.
    means = _possible_variances(_variance_of_means(labs), len(labs) - 1, STEPS_BETWEEN)
    return math.sqrt(low), math.sqrt(np.quantile(means, 1 - ALPHA / 2))


def _possible_variances(seen: float, freedom: int, steps: int) -> Floats:
    """Return equally likely values of a variance that seemed to be `seen`."""
    from scipy import special

    levels = (np.arange(steps) + 0.5) / steps
    variances: Floats = seen * freedom / special.chdtri(freedom, levels)
    return variances


def _mean(labs: Sequence[Sample]) -> float:
    return math.fsum(lab.mean for lab in labs) / len(labs)


def _variance_of_means(labs: Sequence[Sample]) -> float:
    mean = _mean(labs)
    return math.fsum((lab.mean - mean) ** 2 for lab in labs) / (len(labs) - 1)


def _pooled_variance(labs: Sequence[Sample]) -> float | None:
    """Return the variance between seeds of one lab; None where no lab has two."""
    several = [lab for lab in labs if lab.n > 1]
    if not several:
        return None
    squares = math.fsum((lab.n - 1) * lab.std**2 for lab in several)
    return squares / sum(lab.n - 1 for lab in several)
