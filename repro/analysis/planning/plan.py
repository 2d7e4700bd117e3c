"""Which runs, in which order, are expected to decide the most claims and rows within a budget.

The search is greedy. A step brings the runs that one claim or row needs to a number of seeds. The
step that decides most per GPU-hour is taken first, and then the search goes on with the rest. The
forecast at the end is made from the whole plan at once, corrected over its claims as in the diff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from repro.analysis.compare.cost_of_looking import AT_PLAN
from repro.analysis.compare.seed_statistics import ALPHA
from repro.analysis.planning.simulated_outcomes import Item, Outcomes, first
from repro.cost.gpu_hours import gpu_hours
from repro.definition.experiment import Experiment, groups_of
from repro.definition.run import Run

LEAST_GAIN = 0.01  # of an item: less is noise of the draws
EVEN = 0.5  # the chance below which a claim or a row counts as left undecided
WORTH_NAMING = 0.05  # by which a step must raise a chance, to be said


@dataclass(frozen=True)
class Step:
    """Runs to train together: what they cost, and the chances they raise, by claim or row."""

    runs: tuple[Run, ...]
    hours: float
    chances: Mapping[str, float]


@dataclass(frozen=True)
class LeftOut:
    """A claim or a row that the plan leaves undecided, and what would decide it."""

    name: str
    is_claim: bool
    seeds: int  # of each of its nets: the fewest that decide it, or all that are allowed
    hours: float  # that these would take beside the plan
    chance: float  # that it would be decided then

    @property
    def would_be_decided(self) -> bool:
        return self.chance >= EVEN


@dataclass(frozen=True)
class Plan:
    """The steps in their order, and what they are expected to decide in all."""

    steps: tuple[Step, ...]
    budget: float
    claims: Mapping[str, float]  # the chance that each is decided at the end
    rows: Mapping[str, float]
    left_out: tuple[LeftOut, ...]
    unknown: tuple[str, ...]  # claims for which the paper gives no number to forecast by

    @property
    def hours(self) -> float:
        return sum(step.hours for step in self.steps)

    @property
    def expected_claims(self) -> float:
        return sum(self.claims.values())

    @property
    def expected_rows(self) -> float:
        return sum(self.rows.values())


def make_plan(
    experiments: Mapping[str, Experiment], budget: float, done: frozenset[Run], most_seeds: int
) -> Plan:
    """Return what to train within so many GPU-hours. `done`: the runs that have finished."""
    outcomes = Outcomes(experiments.values(), most_seeds)
    items, unknown = outcomes.items()
    family = max(1, sum(item.is_claim for item in items))
    seeds = _seeds_there(experiments, done, most_seeds)
    steps: list[Step] = []
    left = budget
    while True:
        best = _best_step(items, seeds, family, left, done, most_seeds)
        if best is None:
            break
        step, seeds = best
        steps.append(step)
        left -= step.hours
    claims, rows = forecast(items, seeds)
    left_out = tuple(_left_out(items, seeds, family, done, most_seeds))
    return Plan(tuple(steps), budget, claims, rows, left_out, tuple(unknown))


def forecast(
    items: list[Item], seeds: Mapping[Run, int]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the chance of each claim and of each row, with Holm's correction over the claims."""
    rows, claims, p_values = {}, [], []
    for item in items:
        if not item.is_claim:
            rows[item.name] = item.chance(seeds, 1)
        # A claim that lacks a net is missing: no p of it is corrected for.
        elif all(map(seeds.get, item.runs)):
            claims.append(item.name)
            p_values.append(item.p_values(seeds))
    if not claims:
        return {}, rows
    # Divided as in the diff: a first look, with all planned seeds there, may spend this part.
    ps = np.array(p_values) / AT_PLAN
    # Holm's correction, for each draw by itself: a column of `ps`.
    order = np.argsort(ps, axis=0)
    ranked = np.take_along_axis(ps, order, axis=0)
    factors = np.arange(len(claims), 0, -1)[:, None]
    adjusted = np.maximum.accumulate(ranked * factors, axis=0)
    decided = np.empty_like(ps, dtype=bool)
    np.put_along_axis(decided, order, adjusted < ALPHA, axis=0)
    return dict(zip(claims, decided.mean(axis=1).tolist(), strict=True)), rows


def _seeds_there(
    experiments: Mapping[str, Experiment], done: frozenset[Run], most_seeds: int
) -> dict[Run, int]:
    """Return how many seeds of each net have finished, from the first one on."""
    seeds: dict[Run, int] = {}
    for experiment in experiments.values():
        for group in groups_of(experiment):
            run = first(group)
            count = 0
            while count < most_seeds and replace(run, seed=count) in done:
                count += 1
            seeds[run] = count
    return seeds


def _best_step(
    items: list[Item],
    seeds: Mapping[Run, int],
    family: int,
    left: float,
    done: frozenset[Run],
    most_seeds: int,
) -> tuple[Step, dict[Run, int]] | None:
    """Return the step with the most gain per GPU-hour that the rest of the budget allows."""
    before = {item.name: item.chance(seeds, family) for item in items}
    best, best_rate = None, 0.0
    for raised in _candidates(items, seeds, most_seeds):
        runs = tuple(_added(raised, seeds, done))
        hours = sum(map(gpu_hours, runs))
        if not runs or hours > left:
            continue
        changed = dict(raised.items() - seeds.items())
        gains: list[float] = []
        told = {}
        for item in items:
            # A chance takes hundreds of draws: what this step leaves as it is need not be asked.
            if changed.keys().isdisjoint(item.runs):
                continue
            chance = item.chance(raised, family)
            gains.append(chance - before[item.name])
            if gains[-1] >= WORTH_NAMING:
                told[item.name] = chance
        # More runs may also lower a chance: then the gain is less, or none.
        gain = sum(gains)
        if gain > LEAST_GAIN and gain / hours > best_rate:
            best, best_rate = (Step(runs, hours, told), raised), gain / hours
    return best


def _left_out(
    items: list[Item], seeds: Mapping[Run, int], family: int, done: frozenset[Run], most_seeds: int
) -> Iterator[LeftOut]:
    """Yield what the plan rather leaves undecided than not."""
    for item in items:
        if item.chance(seeds, family) >= EVEN:
            continue
        for count in range(1, most_seeds + 1):
            raised = _raised(item, seeds, count)
            chance = item.chance(raised, family)
            if chance >= EVEN or count == most_seeds:
                hours = sum(map(gpu_hours, _added(raised, seeds, done)))
                yield LeftOut(item.name, item.is_claim, count, hours, chance)
                break


def _candidates(
    items: list[Item], seeds: Mapping[Run, int], most_seeds: int
) -> Iterator[dict[Run, int]]:
    """Yield every way to bring the nets of one item to so many seeds."""
    known = set()
    for item in items:
        for count in range(1, most_seeds + 1):
            raised = _raised(item, seeds, count)
            key = frozenset(raised.items())
            if key not in known:
                known.add(key)
                yield {**seeds, **raised}


def _raised(item: Item, seeds: Mapping[Run, int], count: int) -> dict[Run, int]:
    """Return the seeds of an item's nets with at least so many of each."""
    # At least, since no run is trained back: a net may have more for the sake of another item.
    return {run: max(seeds.get(run, 0), count) for run in item.runs}


def _added(
    raised: Mapping[Run, int], seeds: Mapping[Run, int], done: frozenset[Run]
) -> Iterator[Run]:
    for run, count in raised.items():
        for seed in range(seeds.get(run, 0), count):
            added = replace(run, seed=seed)
            if added not in done:
                yield added
