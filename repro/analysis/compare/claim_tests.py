"""What the runs say about one check of a claim: the effect, its interval, how likely it is, and from which runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from repro.analysis.compare.numbers import columns_not_averaged, is_test_metric
from repro.analysis.compare.statistics import (
    Estimate,
    mean_estimate,
    paired_difference,
    sample,
    welch_difference,
)
from repro.analysis.runs.frames import (
    TRAINING_IMAGES_NOTE,
    Collected,
    differing_columns,
    moved_machine,
    rows_of,
    tested_on_training_images,
    twinned,
)
from repro.cost.layers import cost
from repro.definition.experiment import Bound, Close, Counted, InMostLayers, Ordering
from repro.definition.run import Runs

STEP = (
    0.01  # points: one wrong image in ten thousand; what lies between two steps, seeds cannot show
)


@dataclass(frozen=True)
class Finding:
    """One part of a claim: `p` of its being so, `against` of its opposite; or a word, where nothing is to be tested."""

    word: Literal["tested", "holds", "fails", "undecided", "missing"]
    said: str
    p: float | None = None
    against: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeedGroup:
    """The runs of one net that have a number, by seed."""

    name: str
    numbers: Mapping[int, float]
    runs: tuple[str, ...]
    planned: int

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(self.numbers.values())

    def __str__(self) -> str:
        some = (
            f" ({len(self.numbers)} of {self.planned} seeds)"
            if len(self.numbers) < self.planned
            else ""
        )
        return f"{self.name} {sample(self.values).mean:.4g}{some}"


def judge_ordering(check: Ordering, collected: Collected) -> list[Finding]:
    """Each group's metric against the next one's, at the end."""
    return [_ordered(pair, check.metric, collected) for pair in pairwise(check.higher_to_lower)]


def judge_bound(check: Bound, collected: Collected) -> Finding:
    """A group's mean against a threshold of the paper's, which says nothing at another scale."""
    found = _groups((check.runs,), check.metric, collected)
    if isinstance(found, Finding):
        return found
    (group,) = found
    limits = [f"above {check.above:g}"] if check.above is not None else []
    limits += [f"below {check.below:g}"] if check.below is not None else []
    said = f"{check.metric}: {group}, to be {' and '.join(limits)}"
    if check.runs.run.scale != "paper":
        return _no_threshold(said, check.runs.run.scale, group.runs)
    if len(group.values) < 2:
        return Finding(
            "undecided",
            f"{said}; one seed cannot be tested",
            effect=group.values[0],
            runs=group.runs,
        )
    estimate = _floored(mean_estimate(sample(group.values)), len(group.values))
    sides = (
        [(estimate.p_above(check.above), estimate.p_below(check.above))]
        if check.above is not None
        else []
    )
    sides += (
        [(estimate.p_below(check.below), estimate.p_above(check.below))]
        if check.below is not None
        else []
    )
    p, against = (
        max(side[0] for side in sides),
        min(1.0, len(sides) * min(side[1] for side in sides)),
    )
    return _finding(said, p, against, estimate, group.runs)


def judge_close(check: Close, collected: Collected) -> Finding:
    """Two groups' means nearer than a margin of the paper's, by two one-sided tests; of no use at another scale."""
    found = _groups((check.one, check.other), check.metric, collected)
    if isinstance(found, Finding):
        return found
    said = f"{check.metric}: {found[0]} and {found[1]}, to be within {check.within:g}"
    if check.one.run.scale != "paper":
        return _no_threshold(said, check.one.run.scale, _runs(found))
    estimate = _difference(*found)
    if estimate is None:
        return _untestable(said, *found)
    within = estimate.p_within(check.within), estimate.p_beyond(check.within)
    return _finding(said, *within, estimate, _runs(found))


def judge_count(check: Counted) -> Finding:
    """A ratio of counts: so or not so."""
    count = getattr(cost(check.net), check.count)
    over = (
        check.over
        if isinstance(check.over, (int, float))
        else getattr(cost(check.over), check.count)
    )
    ratio = count / over
    what = check.count.replace("_", "-") if check.count == "multiply_adds" else check.count
    said = f"{what}: {check.net.name} {count:,} is {ratio:.3g} times {over:,.0f}, to be {check.low:g} to {check.high:g}"
    inside = check.low <= ratio <= check.high
    return Finding("holds" if inside else "fails", said, effect=ratio)


def judge_ordering_throughout(
    check: Ordering, printed: Ordering, collected: Collected
) -> list[Finding]:
    """Each group's curve against the next one's, over the stretch of the schedule that the claim is about."""
    originals = printed.higher_to_lower[:-1]
    return [
        _along(pair, check, _stretch(printed, pair[0], original), collected)
        for pair, original in zip(pairwise(check.higher_to_lower), originals, strict=True)
    ]


def judge_most_layers(check: InMostLayers, collected: Collected) -> Finding:
    """The share of layers in which one net responds more, for each seed that both have, against one half.

    The mean over the layers would be decided by the few loudest ones.
    """
    pair = check.higher, check.lower
    layers = [
        rows_of(collected.responses, runs).pivot_table("response", "layer", "seed") for runs in pair
    ]
    means = collected.responses.groupby("id", observed=True)["response"].mean().to_dict()
    found = _groups(pair, "responses", collected, means)
    if isinstance(found, Finding):
        return found
    seeds = sorted(found[0].numbers.keys() & found[1].numbers.keys())
    gaps = [(layers[0][seed] - layers[1][seed]).dropna() for seed in seeds]
    shares = [float((gap > 0).mean()) for gap in gaps]
    said = f"responses: {found[0].name} above {found[1].name} in most layers"
    if len(shares) < 2:
        return Finding(
            "undecided", f"{said}; one pair of seeds cannot be tested", runs=_runs(found)
        )
    counts = ", ".join(f"{(gap > 0).sum()} of {len(gap)}" for gap in gaps)
    estimate = _at_least(mean_estimate(sample(shares)), 1 / len(gaps[0]), len(shares))
    return _finding(
        f"{said} ({counts})", estimate.p_above(0.5), estimate.p_below(0.5), estimate, _runs(found)
    )


def _ordered(pair: tuple[Runs, Runs], metric: str, collected: Collected) -> Finding:
    found = _groups(pair, metric, collected)
    if isinstance(found, Finding):
        return found
    return _above(*found, f"{metric}: {found[0]}, to be above {found[1]}")


def _above(upper: SeedGroup, lower: SeedGroup, said: str) -> Finding:
    estimate = _difference(upper, lower)
    if estimate is None:
        return _untestable(said, upper, lower)
    return _finding(said, estimate.p_above(0), estimate.p_below(0), estimate, _runs((upper, lower)))


def _along(
    pair: tuple[Runs, Runs], check: Ordering, stretch: tuple[float, float], collected: Collected
) -> Finding:
    """The mean gap is tested as at the end; "throughout" is the share of the points that are in order."""
    curves = [_curves(runs, check.metric, stretch, collected) for runs in pair]
    common = curves[0].index.intersection(curves[1].index)
    upper, lower = (curve.loc[common] for curve in curves)
    found = _groups(
        pair, check.metric, collected, pd.concat([upper, lower], axis=1).mean().to_dict()
    )
    if isinstance(found, Finding):
        return found
    share = float((upper.mean(axis=1) > lower.mean(axis=1)).mean())
    stated = f"at {share:.0%} of {len(common)} points, {check.fraction:.0%} stated"
    tested = _above(
        *found, f"{check.metric} along the curve: {found[0]}, to be above {found[1]}: {stated}"
    )
    if tested.p is None or tested.against is None:
        return tested
    against = min(1.0, 2 * min(tested.against, _fewer(upper, lower, check.fraction)))
    return replace(tested, p=tested.p if share >= check.fraction else 1.0, against=against)


def _stretch(printed: Ordering, ran: Runs, original: Runs) -> tuple[float, float]:
    """First and last iteration, in those of the runs: the claim is written in those of scale paper."""
    assert printed.throughout is not None
    times = ran.run.recipe.iterations / original.run.recipe.iterations
    return printed.throughout[0] * times, printed.throughout[1] * times


def _curves(
    runs: Runs, metric: str, stretch: tuple[float, float], collected: Collected
) -> pd.DataFrame:
    """A column for each finished run, a line for each iteration of the stretch."""
    points = rows_of(collected.points, runs)
    points = points[
        points["id"].isin(collected.finals["id"]) & points["iteration"].between(*stretch)
    ]
    return points.pivot_table(metric, "iteration", "id", aggfunc="last", observed=True)


def _fewer(upper: pd.DataFrame, lower: pd.DataFrame, fraction: float) -> float:
    """p of "fewer points than stated are in order", from the share of each run against the others' mean."""
    shares = [float((upper[run] > lower.mean(axis=1)).mean()) for run in upper.columns]
    return _at_least(mean_estimate(sample(shares)), 1 / len(upper), len(shares)).p_below(fraction)


def _groups(
    wanted: Sequence[Runs],
    metric: str,
    collected: Collected,
    along: Mapping[str, float] | None = None,
) -> tuple[SeedGroup, ...] | Finding:
    """The groups' numbers (those given, or the final ones), or why they cannot be had or compared."""
    rows = [rows_of(collected.runs, runs) for runs in wanted]
    finals = [found[found["state"] == "done"] for found in rows]
    names = _names(wanted)
    lacking = [
        name
        for name, final, all_rows in zip(names, finals, rows, strict=True)
        if _none(final, all_rows)
    ]
    if lacking:
        return Finding("missing", f"{metric}: no run of {', '.join(lacking)} has finished")
    every = pd.concat(finals)
    lost = [f"{net} seed {seed}" for net, seed in _diverged(pd.concat(rows), metric)]
    if lost:
        return Finding(
            "undecided",
            f"{metric}: {', '.join(lost)} diverged, which no mean can show",
            runs=tuple(every["id"]),
        )
    mixture = differing_columns(every, columns_not_averaged(collected.strict))
    if collected.strict and moved_machine(every):
        return Finding("undecided", f"{metric}: {moved_machine(every)[0]}", runs=tuple(every["id"]))
    if twinned(every):
        return Finding("undecided", f"{metric}: {twinned(every)[0]}", runs=tuple(every["id"]))
    if mixture:
        return Finding(
            "undecided", f"{metric}: runs of different {', '.join(mixture)} are not compared"
        )
    if is_test_metric(metric) and tested_on_training_images(every):
        return Finding("undecided", f"{metric}: {TRAINING_IMAGES_NOTE}", runs=tuple(every["id"]))
    groups = []
    for name, runs, final in zip(names, wanted, finals, strict=True):
        values = (
            final["id"].map(along)
            if along is not None
            else final.get(metric, pd.Series(np.nan, final.index))
        )
        measured = values.notna()
        numbers = dict(zip(final["seed"][measured], values[measured].astype(float), strict=True))
        if not numbers:
            return Finding(
                "undecided", f"{metric}: no finished run of {name} has it", runs=tuple(final["id"])
            )
        groups.append(SeedGroup(name, numbers, tuple(final["id"][measured]), len(runs)))
    return tuple(groups)


def _none(finals: pd.DataFrame, rows: pd.DataFrame) -> bool:
    return finals.empty and not (rows["state"] == "diverged").any()


def _names(wanted: Sequence[Runs]) -> list[str]:
    """The nets' names, with their recipes where one net has two."""
    nets = [runs.run.net.name for runs in wanted]
    alike = len(set(nets)) < len(nets)
    return [
        f"{runs.run.net.name} {runs.run.recipe.name}" if alike else runs.run.net.name
        for runs in wanted
    ]


def _diverged(rows: pd.DataFrame, metric: str) -> Iterable[tuple[str, int]]:
    infinite = rows["not_finite"].map(lambda names: names is not None and metric in names)
    found = rows[(rows["state"] == "diverged") | infinite]
    return zip(found["net"], found["seed"], strict=True)


def _difference(ours: SeedGroup, theirs: SeedGroup) -> Estimate | None:
    """The difference of two means: by pairs of seeds where both have the same ones, else Welch's."""
    least = min(len(ours.values), len(theirs.values))
    if least < 2:
        return None
    if ours.numbers.keys() == theirs.numbers.keys():
        seeds = sorted(ours.numbers)
        return _floored(
            paired_difference(
                [ours.numbers[seed] for seed in seeds], [theirs.numbers[seed] for seed in seeds]
            ),
            least,
        )
    return _floored(welch_difference(sample(ours.values), sample(theirs.values)), least)


def _floored(estimate: Estimate, n: int) -> Estimate:
    """Seeds that agree to the last image vary at least by what rounding hides."""
    return _at_least(estimate, STEP, n)


def _at_least(estimate: Estimate, step: float, n: int) -> Estimate:
    """The error is no less than that of n numbers which are counted in such steps."""
    return replace(estimate, error=max(estimate.error, step / math.sqrt(12 * n)))


def _no_threshold(said: str, scale: str, runs: tuple[str, ...]) -> Finding:
    return Finding("undecided", f"{said}; a threshold says nothing at scale {scale}", runs=runs)


def _untestable(said: str, *groups: SeedGroup) -> Finding:
    means = [sample(group.values).mean for group in groups]
    return Finding(
        "undecided",
        f"{said}; one seed cannot be tested",
        effect=means[0] - means[1],
        runs=_runs(groups),
    )


def _finding(
    said: str, p: float, against: float, estimate: Estimate, runs: tuple[str, ...]
) -> Finding:
    low, high = estimate.interval()
    return Finding("tested", said, p, against, estimate.difference, low, high, runs)


def _runs(groups: Iterable[SeedGroup]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run for group in groups for run in group.runs))
