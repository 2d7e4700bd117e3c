"""The runs behind a claim, net by net: their numbers by seed, or why they cannot be compared."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import pandas as pd

from repro.analysis.compare.comparability import columns_not_averaged, is_test_metric
from repro.analysis.compare.seed_statistics import sample
from repro.analysis.runs.run_frames import Collected
from repro.analysis.runs.run_set import TRAINING_IMAGES_NOTE, RunSet
from repro.definition.run import Runs


@dataclass(frozen=True)
class Finding:
    """One part of a claim: `p` of its being so, `against` of its opposite; or a word.

    `here`: about these trained nets and these test images only, not about how nets train.
    """

    word: Literal["tested", "holds", "fails", "undecided", "missing", "not checked"]
    said: str
    p: float | None = None
    against: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    runs: tuple[str, ...] = ()
    here: bool = False
    seeds: int = 0  # of the net that has the fewest
    planned: int = 0


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

    @property
    def mean(self) -> float:
        return sample(self.values).mean

    def __str__(self) -> str:
        text = f"{self.name} {self.mean:.4g}"
        if len(self.numbers) < self.planned:
            text += f" ({len(self.numbers)} of {self.planned} seeds)"
        return text


def seed_groups(
    wanted: Sequence[Runs],
    metric: str,
    collected: Collected,
    along: Mapping[Hashable, float] | None = None,
) -> tuple[SeedGroup, ...] | Finding:
    """Return the nets' numbers (those given, or the final ones), or why they cannot be compared."""
    names = _names(wanted)
    sets = [collected.of(runs) for runs in wanted]
    missing: list[str] = []
    ids: list[str] = []
    for name, runs in zip(names, sets, strict=True):
        ids += runs.of_finished.ids
        if not runs.over:
            missing.append(name)
    if missing:
        return Finding("missing", f"{metric}: no run of {', '.join(missing)} has finished")
    # All nets at once: two of them may have seen other images, though each is alike in itself.
    together = collected.of(chain.from_iterable(wanted))
    reason = _incomparable_because(metric, together, collected.strict)
    if reason:
        return Finding("undecided", f"{metric}: {reason}", runs=tuple(ids))
    groups = []
    for name, group, runs in zip(names, wanted, sets, strict=True):
        numbers = _numbers(runs, metric, along)
        if numbers.empty:
            said = f"{metric}: no finished run of {name} has it"
            return Finding("undecided", said, runs=runs.of_finished.ids)
        seeds = runs.finished.set_index("id")["seed"][numbers.index]
        # In the order of the seeds, so that nets with equal seeds can be compared in pairs.
        by_seed = dict(sorted(zip(seeds, numbers, strict=True)))
        groups.append(SeedGroup(name, by_seed, tuple(numbers.index), len(group)))
    return tuple(groups)


def fewest_seeds(groups: Iterable[SeedGroup]) -> int:
    """Return how many seeds the net with the fewest has."""
    return min(len(group.numbers) for group in groups)


def runs_of_groups(groups: Iterable[SeedGroup]) -> tuple[str, ...]:
    """Return the runs behind some numbers, each once."""
    runs: dict[str, None] = {}  # a set that keeps their order
    for group in groups:
        runs |= dict.fromkeys(group.runs)
    return tuple(runs)


def _numbers(runs: RunSet, metric: str, along: Mapping[Hashable, float] | None) -> pd.Series:
    """Return each finished run's number, by id; runs that have none are left out."""
    if along is None:
        return runs.values(metric).dropna()
    return pd.Series(along, dtype=float).reindex(runs.finished["id"]).dropna()


def _incomparable_because(metric: str, runs: RunSet, strict: bool) -> str:
    """Return what keeps some nets' runs from being compared; empty where nothing does."""
    diverged = ", ".join(_diverged(runs, metric))
    if diverged:
        return f"{diverged} diverged, which no mean can show"
    reasons = runs.twinned()
    if strict:
        reasons = runs.moved_machine() + reasons
    if reasons:
        return reasons[0]
    mixed = runs.differing(columns_not_averaged(strict))
    if mixed:
        return f"runs of different {', '.join(mixed)} are not compared"
    if is_test_metric(metric) and runs.tested_on_training_images():
        return TRAINING_IMAGES_NOTE
    return ""


def _names(wanted: Sequence[Runs]) -> list[str]:
    """Return the nets' names, with their recipes where one net has two."""
    names = [runs.run.net.name for runs in wanted]
    if len(set(names)) < len(names):
        for at, runs in enumerate(wanted):
            names[at] += f" {runs.run.recipe.name}"
    return names


def _diverged(runs: RunSet, metric: str) -> Iterator[str]:
    """Yield net and seed of each run that diverged, or whose final number is not finite."""
    measured = runs.measured(metric)
    not_finite = set(measured.index[~np.isfinite(measured)])
    lost = runs.records[(runs.records["state"] == "diverged") | runs.records["id"].isin(not_finite)]
    for net, seed in zip(lost["net"], lost["seed"], strict=True):
        yield f"{net} seed {seed}"
