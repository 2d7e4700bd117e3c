"""Claims about whole curves ("throughout") and about the layers of a net ("generally")."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from repro.analysis.compare import image_tests
from repro.analysis.compare.claim_tests import above, tested, untestable, with_step
from repro.analysis.compare.seed_groups import Finding, fewest_seeds, runs_of_groups, seed_groups
from repro.analysis.compare.seed_statistics import mean_estimate, sample
from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import InMostLayers, Ordering
from repro.definition.run import Runs


def judge_ordering_throughout(
    check: Ordering, printed: Ordering, collected: Collected
) -> list[Finding]:
    """Judge each net's curve against the next one's, over the stretch that the claim is about."""
    findings = []
    pairs = pairwise(check.higher_to_lower)
    for pair, original in zip(pairs, printed.higher_to_lower[:-1], strict=True):
        stretch = _stretch(printed, pair[0], original)
        findings.append(_along(pair, check, stretch, collected))
    return findings


def judge_most_layers(check: InMostLayers, collected: Collected) -> Finding:
    """Judge the share of layers in which one net responds more, seed by seed, against one half."""
    # The share, because the mean over the layers would be decided by the few loudest ones.
    pair = check.higher, check.lower
    by_run = collected.responses.groupby("id", observed=True)["response"]
    groups = seed_groups(pair, "responses", collected, by_run.mean().to_dict())
    if isinstance(groups, Finding):
        return groups
    said = f"responses: {groups[0].name} above {groups[1].name} in most {check.by}s"
    gaps = _gaps_by_seed(check, collected)
    shares, counts = [], []
    for gap in gaps:
        shares.append(float((gap > 0).mean()))
        counts.append(f"{(gap > 0).sum()} of {len(gap)}")
    if len(shares) < 2:
        alone = f"{said}; one pair of seeds cannot be tested"
        return Finding("undecided", alone, runs=runs_of_groups(groups))
    estimate = with_step(mean_estimate(sample(shares)), len(shares), 1 / len(gaps[0]))
    low, high = estimate.interval()
    interval = estimate.difference, max(low, 0.0), min(high, 1.0)
    p, against = estimate.p_above(0.5), estimate.p_below(0.5)
    return tested(f"{said} ({', '.join(counts)})", p, against, interval, groups)


def _gaps_by_seed(check: InMostLayers, collected: Collected) -> list[pd.Series]:
    """Return the difference of the responses for each seed that both nets have."""
    tables = []
    for runs in (check.higher, check.lower):
        responses = collected.of(runs).of_finished.responses
        if (
            check.by == "rank"
        ):  # the lower half of Figure 7: nets of unequal depth have no layer alike
            loudest_first = responses.sort_values("response", ascending=False)
            ranks = loudest_first.groupby("id", observed=True).cumcount() + 1
            responses = loudest_first.assign(layer=ranks)
        tables.append(responses.pivot_table("response", "layer", "seed"))
    seeds = sorted(set(tables[0].columns) & set(tables[1].columns))
    return [(tables[0][seed] - tables[1][seed]).dropna() for seed in seeds]


def _along(
    pair: tuple[Runs, Runs], check: Ordering, stretch: tuple[float, float], collected: Collected
) -> Finding:
    """Test the mean gap as at the end; "throughout" is the share of points in order."""
    upper = _curves(pair[0], check.metric, stretch, collected)
    lower = _curves(pair[1], check.metric, stretch, collected)
    common = upper.index.intersection(lower.index)
    upper, lower = upper.loc[common], lower.loc[common]
    along = pd.concat([upper, lower], axis=1).mean()
    groups = seed_groups(pair, check.metric, collected, along.to_dict())
    if isinstance(groups, Finding):
        return groups
    in_order = upper.mean(axis=1) > lower.mean(axis=1)
    share = float(in_order.mean())
    said = (
        f"{check.metric} along the curve: {groups[0]}, to be above {groups[1]}: "
        f"at {share:.0%} of {len(common)} points, {check.fraction:.0%} stated"
    )
    if fewest_seeds(groups) < 2:
        if len(groups[0].numbers) + len(groups[1].numbers) > 2:
            # A single curve has no spread to set beside the other's seeds, and no partner.
            return untestable(said, groups)
        points = int(in_order.sum()), len(common)
        return image_tests.in_order_throughout(said, *points, check.fraction, groups)
    gap = above(groups, check.metric, said)
    assert gap.against is not None
    # Two ways to be refuted, by the mean gap or by the points: hence twice the smaller p.
    refuted = min(1.0, 2 * min(gap.against, _p_fewer(upper, lower, check.fraction)))
    if share < check.fraction:
        gap = replace(gap, p=1.0)
    return replace(gap, against=refuted)


def _stretch(printed: Ordering, ran: Runs, original: Runs) -> tuple[float, float]:
    """Return first and last iteration, in those of the runs: claims are written in the paper's."""
    assert printed.throughout is not None
    times = ran.run.recipe.iterations / original.run.recipe.iterations
    return printed.throughout[0] * times, printed.throughout[1] * times


def _curves(
    runs: Runs, metric: str, stretch: tuple[float, float], collected: Collected
) -> pd.DataFrame:
    """Return a column for each finished run, a line for each iteration of the stretch."""
    points = collected.of(runs).of_finished.points
    points = points[points["iteration"].between(*stretch)]
    return points.pivot_table(metric, "iteration", "id", aggfunc="last", observed=True)


def _p_fewer(upper: pd.DataFrame, lower: pd.DataFrame, fraction: float) -> float:
    """Return p of "fewer points than stated are in order", each run against the others' mean."""
    level = lower.mean(axis=1)
    shares = [float(np.mean(upper[run] > level)) for run in upper.columns]
    estimate = with_step(mean_estimate(sample(shares)), len(shares), 1 / len(upper))
    return estimate.p_below(fraction)
