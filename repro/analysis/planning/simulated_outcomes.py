"""Simulated outcomes of runs that nobody has trained: what they would decide if the paper is right.

The truth is drawn around the paper's number, as the paper's own run was drawn around it; our seeds
are drawn around the truth. Both have the published spread. What is judged is judged by the rules of
`repro/analysis/compare`, written here for many draws at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from repro.analysis.compare.cost_of_looking import AT_PLAN
from repro.analysis.compare.margins import Rule, numbered_rows
from repro.analysis.compare.seed_statistics import ALPHA
from repro.definition.claim_checks import Bound, Check, Close, Counted, Ordering, Unchecked
from repro.definition.experiment import Claim, Experiment, Figure, Paper, Skipped, Table
from repro.definition.run import Run, Runs
from repro.protocol.decidable import PER_IMAGE

DRAWS = 400
DISAGREEING = 0.15  # of ImageNet's images, on which only one of two such nets is wrong
IMAGES = 50_000

Floats: TypeAlias = NDArray[np.float64]
Key: TypeAlias = tuple[Run, str]  # a net with its recipe (seed 0), and a metric
Seeds: TypeAlias = Mapping[Run, int]  # how many seeds of each net there are


@dataclass(frozen=True)
class Item:
    """A claim or a row that runs may decide."""

    name: str
    runs: tuple[Run, ...]  # the nets it needs, by their seed 0
    # One p-value for each draw, given how many seeds each net has.
    p_values: Callable[[Seeds], Floats] = field(compare=False)
    is_claim: bool

    def chance(self, seeds: Seeds, family: int) -> float:
        """Return how often it is decided, a claim as one of a family that is corrected together."""
        # A row has no word before all its seeds are there, so it is looked at once, uncorrected.
        level = ALPHA * AT_PLAN / family if self.is_claim else ALPHA
        return float((self.p_values(seeds) < level).mean())


class Outcomes:
    """Draws of every number that the paper prints for a net of ours."""

    def __init__(self, experiments: Iterable[Experiment], seeds: int, draws: int = DRAWS) -> None:
        """Draw `seeds` seeds of every net and metric; the same ones for the same experiments."""
        self.experiments = tuple(experiments)
        self.draws, self.seeds = draws, seeds
        self._numbers: dict[Key, tuple[Paper, Rule]] = {}
        self._drawn: dict[Key, Floats] = {}
        for experiment in self.experiments:
            for run, metric, paper, rule in _numbers(experiment):
                self._numbers.setdefault((run, metric), (paper, rule))

    def values(self, run: Run, metric: str) -> Floats:
        """Return draws × seeds of a net's metric; all seeds of one draw have one truth."""
        key = run, metric
        if key not in self._drawn:
            paper, rule = self._numbers[key]
            # By name, so that a net's draws do not depend on which others are asked about.
            rng = np.random.default_rng([*run.id.encode(), *metric.encode()])
            behind = paper.n if paper.kind == "mean" and paper.n else 1
            doubt = math.hypot(rule.spread / math.sqrt(behind), (paper.reading_error or 0.0) / 2)
            truth = paper.value + doubt * rng.standard_normal((self.draws, 1))
            noise = rule.spread * rng.standard_normal((self.draws, self.seeds))
            self._drawn[key] = truth + noise
        return self._drawn[key]

    def items(self) -> tuple[list[Item], list[str]]:
        """Return what can be forecast, and the claims for which the paper gives no number."""
        items: dict[str, Item] = {}  # by name: a row may stand in several tables
        unknown: list[str] = []
        for experiment in self.experiments:
            if isinstance(experiment, Skipped):
                continue
            for claim in experiment.claims:
                item = self._of_claim(claim)
                if item is not None:
                    items[item.name] = item
                elif _needs_runs(claim):
                    unknown.append(claim.id)
            for item in self._of_rows(experiment):
                items[item.name] = item
        return list(items.values()), unknown

    def _of_claim(self, claim: Claim) -> Item | None:
        parts: list[Callable[[Seeds], Floats]] = []
        runs: list[Run] = []
        for check in claim.checks:
            if isinstance(check, Counted):
                continue
            for groups, p_values in self._of_check(check):
                parts.append(p_values)
                runs += groups
        if not parts or not all(self._known(check) for check in claim.checks):
            return None

        def worst_p(seeds: Seeds) -> Floats:
            largest = np.zeros(self.draws)
            for part in parts:
                largest = np.maximum(largest, part(seeds))
            return largest

        return Item(claim.id, tuple(dict.fromkeys(runs)), worst_p, is_claim=True)

    def _known(self, check: Check) -> bool:
        """Return whether the paper has a number for everything that a check compares."""
        if isinstance(check, Counted):
            return True
        groups: tuple[Runs, ...]
        if isinstance(check, Ordering) and check.throughout is None:
            groups = check.higher_to_lower
        elif isinstance(check, Close):
            groups = check.one, check.other
        elif isinstance(check, Bound):
            groups = (check.runs,)
        else:  # of whole curves and layers the paper prints no number
            return False
        return all((first(group), check.metric) in self._numbers for group in groups)

    def _of_check(
        self, check: Check
    ) -> Iterator[tuple[tuple[Run, ...], Callable[[Seeds], Floats]]]:
        """Yield the parts of a check: the nets of each, and its p-values by their seeds."""
        if not self._known(check):
            return
        if isinstance(check, Ordering):
            for upper, lower in pairwise(check.higher_to_lower):
                runs = first(upper), first(lower)
                yield runs, self._difference(runs, check.metric, None)
        elif isinstance(check, Close):
            runs = first(check.one), first(check.other)
            yield runs, self._difference(runs, check.metric, check.within)
        elif isinstance(check, Bound):
            yield (first(check.runs),), self._bound(check)

    def _difference(
        self, pair: tuple[Run, Run], metric: str, within: float | None
    ) -> Callable[[Seeds], Floats]:
        """Return the p-values of "the first is higher", or of "they are within a margin"."""

        def p_values(seeds: Seeds) -> Floats:
            counts = seeds.get(pair[0], 0), seeds.get(pair[1], 0)
            upper = self.values(pair[0], metric)[:, : counts[0]]
            lower = self.values(pair[1], metric)[:, : counts[1]]
            if min(counts) == 0:
                return np.ones(self.draws)
            if min(counts) == 1:
                return _one_seed_each(upper[:, 0] - lower[:, 0], metric, within)
            gap = upper.mean(1) - lower.mean(1)
            # As many seeds are the same seeds, from 0 on, and are compared in pairs; else Welch's.
            if counts[0] == counts[1]:
                error = (upper - lower).std(1, ddof=1) / math.sqrt(counts[0])
                return _p(gap, error, counts[0] - 1.0, within)
            a, b = upper.var(1, ddof=1) / counts[0], lower.var(1, ddof=1) / counts[1]
            freedom = (a + b) ** 2 / (a**2 / (counts[0] - 1) + b**2 / (counts[1] - 1))
            return _p(gap, np.sqrt(a + b), freedom, within)

        return p_values

    def _bound(self, check: Bound) -> Callable[[Seeds], Floats]:
        run = first(check.runs)

        def p_values(seeds: Seeds) -> Floats:
            n = seeds.get(run, 0)
            values = self.values(run, check.metric)[:, :n]
            if n == 0 or (n == 1 and not check.metric.endswith(PER_IMAGE)):
                return np.ones(self.draws)
            mean = values.mean(1)
            if n == 1:
                error = 100 * np.sqrt((mean / 100) * (1 - mean / 100) / IMAGES)
                freedom = float(IMAGES)
            else:
                error, freedom = values.std(1, ddof=1) / math.sqrt(n), n - 1.0
            sides = []
            if check.above is not None:
                sides.append(_p(mean - check.above, error, freedom, None))
            if check.below is not None:
                sides.append(_p(check.below - mean, error, freedom, None))
            largest: Floats = np.max(sides, axis=0)
            return largest

        return p_values

    def _of_rows(self, experiment: Experiment) -> Iterator[Item]:
        for run, metric, paper, rule in _numbers(experiment):
            name = f"{run.net.name} {metric} {paper.value:g}"
            yield Item(name, (run,), self._reproduced(run, metric, paper, rule), is_claim=False)

    def _reproduced(
        self, run: Run, metric: str, paper: Paper, rule: Rule
    ) -> Callable[[Seeds], Floats]:
        """Return the p-values of "equal within the margin"; one seed never shows that."""
        margin = rule.margin - (paper.reading_error or 0.0)

        def p_values(seeds: Seeds) -> Floats:
            n = seeds.get(run, 0)
            if n < 2 or margin <= 0:
                return np.ones(self.draws)
            values = self.values(run, metric)[:, :n]
            variance = values.var(1, ddof=1)
            gap = values.mean(1) - paper.value
            if paper.kind == "mean" and paper.std is not None and paper.n:
                a, b = variance / n, paper.std**2 / paper.n
                freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (paper.n - 1))
                return _p(gap, np.sqrt(a + b), freedom, margin)
            # The paper's number is one more draw, of the wider of both spreads.
            error = np.sqrt(variance / n + np.maximum(variance, rule.spread**2))
            return _p(gap, error, n - 1.0, margin)

        return p_values


def first(group: Runs) -> Run:
    """Return the group's first seed, by which its net is known."""
    return replace(group.run, seed=0)


def _p(gap: Floats, error: Floats, freedom: Floats | float, within: float | None) -> Floats:
    """Return one-sided p-values of "more than zero", or those of two one-sided tests."""
    from scipy import special

    error = np.maximum(error, 1e-9)
    if within is None:
        return np.asarray(special.stdtr(freedom, -gap / error))
    nearest = within - np.abs(gap)
    return np.asarray(special.stdtr(freedom, -nearest / error))


def _one_seed_each(gap: Floats, metric: str, within: float | None) -> Floats:
    """Return the p-values of a paired test on the images, where predictions are kept."""
    if not metric.endswith(PER_IMAGE):
        return np.ones(len(gap))
    error = np.full(len(gap), 100 * math.sqrt(DISAGREEING / IMAGES))
    return _p(gap, error, float(IMAGES), within)


def _numbers(experiment: Experiment) -> Iterator[tuple[Run, str, Paper, Rule]]:
    """Yield every number that a run of ours can be compared with."""
    if not isinstance(experiment, Table | Figure):
        return
    for numbered in numbered_rows(experiment):
        if numbered.row.runs is None:
            continue
        triples = zip(numbered.metrics, numbered.row.paper, numbered.rules, strict=False)
        for metric, paper, rule in triples:
            if paper is not None and rule is not None:
                yield first(numbered.row.runs), metric, paper, rule


def _needs_runs(claim: Claim) -> bool:
    return not all(isinstance(check, Counted | Unchecked) for check in claim.checks)
