"""What the runs say about one check of a claim: the effect, its interval, how likely it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from repro.analysis.compare import image_tests
from repro.analysis.compare.margins import is_error
from repro.analysis.compare.seed_groups import (
    Finding,
    SeedGroup,
    fewest_seeds,
    runs_of_groups,
    seed_groups,
)
from repro.analysis.compare.seed_statistics import (
    Estimate,
    mean_estimate,
    paired_difference,
    sample,
    welch_difference,
)
from repro.analysis.runs.run_frames import Collected
from repro.cost.layers import cost
from repro.definition.experiment import Bound, Close, Counted, Ordering
from repro.definition.run import Runs

STEP = 0.01  # points of an error: one image in ten thousand, below which seeds are alike


def judge_ordering(check: Ordering, collected: Collected) -> list[Finding]:
    """Judge each net's metric against the next one's, at the end."""
    return [_ordered(pair, check.metric, collected) for pair in pairwise(check.higher_to_lower)]


def judge_bound(check: Bound, collected: Collected) -> Finding:
    """Judge a net's mean against a threshold of the paper's, at scale paper only."""
    groups = seed_groups((check.runs,), check.metric, collected)
    if isinstance(groups, Finding):
        return groups
    (group,) = groups
    said = f"{check.metric}: {group}, to be {_limits(check)}"
    if check.runs.run.scale != "paper":
        return _no_threshold(said, check.runs.run.scale, groups)
    if len(group.values) < 2:
        here = image_tests.bound(check, said, group, collected)
        return here or untestable(said, groups, group.mean)
    mean = mean_estimate(sample(group.values))
    estimate = with_step(mean, len(group.values), _step(check.metric))
    low, high = estimate.interval()
    if is_error(check.metric):
        low, high = max(low, 0.0), min(high, 100.0)
    ps, against = [], []
    if check.above is not None:
        ps.append(estimate.p_above(check.above))
        against.append(estimate.p_below(check.above))
    if check.below is not None:
        ps.append(estimate.p_below(check.below))
        against.append(estimate.p_above(check.below))
    # Both sides must be shown; the opposite of either refutes, which is looked for once a side.
    refuted = min(1.0, len(against) * min(against))
    return tested(said, max(ps), refuted, (group.mean, low, high), groups)


def judge_close(check: Close, collected: Collected) -> Finding:
    """Judge whether two nets' means are within a margin of the paper's, at scale paper only."""
    groups = seed_groups((check.one, check.other), check.metric, collected)
    if isinstance(groups, Finding):
        return groups
    said = f"{check.metric}: {groups[0]} and {groups[1]}, to be within {check.within:g}"
    if check.one.run.scale != "paper":
        return _no_threshold(said, check.one.run.scale, groups)
    if fewest_seeds(groups) < 2:
        here = image_tests.close(check, said, groups, collected)
        return here or untestable(said, groups)
    estimate = difference(groups, check.metric)
    p, against = estimate.p_within(check.within), estimate.p_beyond(check.within)
    return tested(said, p, against, (estimate.difference, *estimate.interval()), groups)


def judge_count(check: Counted) -> Finding:
    """Judge a ratio of counts: so or not so."""
    count = getattr(cost(check.net), check.count)
    over = _count_over(check)
    ratio = count / over
    what = check.count.replace("multiply_adds", "multiply-adds")
    said = (
        f"{what}: {check.net.name} {count:,} is {ratio:.3g} times {over:,.0f}, "
        f"to be {check.low:g} to {check.high:g}"
    )
    inside = check.low <= ratio <= check.high
    return Finding("holds" if inside else "fails", said, effect=ratio)


def above(groups: Sequence[SeedGroup], metric: str, said: str) -> Finding:
    """Judge whether the first net's mean is above the second's, by at least two seeds of each."""
    estimate = difference(groups, metric)
    interval = estimate.difference, *estimate.interval()
    return tested(said, estimate.p_above(0), estimate.p_below(0), interval, groups)


def difference(groups: Sequence[SeedGroup], metric: str) -> Estimate:
    """Estimate the difference of two means: by pairs of equal seeds, else Welch's."""
    ours, theirs = groups
    fewest, step = fewest_seeds(groups), _step(metric)
    # Equal seeds see the same batches, which pairing takes out of the difference.
    if ours.numbers.keys() != theirs.numbers.keys():
        return with_step(welch_difference(sample(ours.values), sample(theirs.values)), fewest, step)
    return with_step(paired_difference(ours.values, theirs.values), fewest, step)


def with_step(estimate: Estimate, n: int, step: float) -> Estimate:
    """Return the estimate with the error that n numbers have at least, counted in such steps."""
    # Seeds that agree to the last image vary at least by what rounding hides; rounding to a step
    # has the standard deviation of a uniform draw, step / √12.
    return estimate.with_least_error(step / math.sqrt(12 * n))


def tested(
    said: str,
    p: float,
    against: float,
    interval: tuple[float, float, float],
    groups: Sequence[SeedGroup],
) -> Finding:
    """Return what a test over seeds found. `interval`: the effect, and its 95 % interval."""
    runs, seeds = runs_of_groups(groups), fewest_seeds(groups)
    planned = min(group.planned for group in groups)
    return Finding("tested", said, p, against, *interval, runs=runs, seeds=seeds, planned=planned)


def untestable(said: str, groups: Sequence[SeedGroup], effect: float | None = None) -> Finding:
    """Return that one seed cannot be tested, with the effect it shows."""
    if effect is None:
        effect = groups[0].mean - groups[1].mean
    runs = runs_of_groups(groups)
    return Finding("undecided", f"{said}; one seed cannot be tested", effect=effect, runs=runs)


def _ordered(pair: tuple[Runs, Runs], metric: str, collected: Collected) -> Finding:
    groups = seed_groups(pair, metric, collected)
    if isinstance(groups, Finding):
        return groups
    said = f"{metric}: {groups[0]}, to be above {groups[1]}"
    if fewest_seeds(groups) < 2:
        here = image_tests.ordering(pair, metric, said, groups, collected)
        return here or untestable(said, groups)
    return above(groups, metric, said)


def _step(metric: str) -> float:
    """Return in what steps a metric is counted; gradients and responses are not."""
    return STEP if is_error(metric) else 0.0


def _no_threshold(said: str, scale: str, groups: Sequence[SeedGroup]) -> Finding:
    said = f"{said}; a threshold says nothing at scale {scale}"
    return Finding("undecided", said, runs=runs_of_groups(groups))


def _limits(check: Bound) -> str:
    limits = []
    if check.above is not None:
        limits.append(f"above {check.above:g}")
    if check.below is not None:
        limits.append(f"below {check.below:g}")
    return " and ".join(limits)


def _count_over(check: Counted) -> float:
    if isinstance(check.over, int | float):
        return float(check.over)
    return float(getattr(cost(check.over), check.count))
