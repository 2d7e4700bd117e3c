"""A table of the paper as typed values, a row for each number, with the runs behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from repro.analysis.compare.comparability import columns_not_averaged
from repro.analysis.compare.ensembles import ensemble_error
from repro.analysis.compare.judged_numbers import COUNTS, JudgedNumber, judge_numbers
from repro.analysis.compare.number_text import printed_text
from repro.analysis.compare.seed_statistics import sample
from repro.analysis.output.lab_columns import with_lab_facts
from repro.analysis.output.table_formats import MISSING
from repro.analysis.runs.run_frames import Collected
from repro.analysis.runs.run_set import RunSet
from repro.definition.experiment import Paper, Row, Table, at_scale, runs_of
from repro.definition.scales_and_variants import Scale
from repro.protocol.deviations import Departure, departures_by_net

# What the best over training of a metric is called.
SELECTED_ON_TEST = {"test_error": "best_test_error"}


@dataclass(frozen=True)
class Fact:
    """One number of a table. The fields are the columns of its CSV, in their order."""

    experiment: str
    row: str
    metric: str
    paper: float | None = None
    paper_std: float | None = None
    paper_n: int | None = None
    paper_best: float | None = None
    paper_kind: str | None = None
    paper_cell: str = MISSING
    digits: int = 2
    ours_mean: float | None = None
    ours_std: float | None = None
    n: int = 0
    planned: int = 0
    best: float | None = None
    best_seed: int | None = None
    selected_on_test: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    departures: tuple[Departure, ...] = ()
    runs: tuple[str, ...] = ()


def table(
    name: str, experiment: Table, collected: Collected, scale: Scale, seeds: int | None = None
) -> pd.DataFrame:
    """Return each number of the table: the paper's, ours, the best seed, the verdict, the runs."""
    scaled = at_scale(experiment, scale, seeds)
    numbers = judge_numbers(name, scaled, collected)
    judged = {(number.row, number.metric): number for number in numbers}
    facts = []
    for row in scaled.rows:
        papers = row.paper or (None,) * len(scaled.metrics)
        for metric, paper in zip(scaled.metrics, papers, strict=True):
            fact = _paper_fact(name, row, metric, paper)
            fact = _with_ours(fact, row, judged.get((row.label, metric)), collected)
            facts.append(vars(fact))
    return with_lab_facts(pd.DataFrame(facts).assign(scale=scale.name), judged)


def _paper_fact(name: str, row: Row, metric: str, paper: Paper | None) -> Fact:
    """Return what is known before any run is looked at."""
    planned = row.runs.seeds if row.runs else 0
    departures = tuple(departures_by_net(runs_of(row)))
    fact = Fact(name, row.label, metric, planned=planned, departures=departures)
    if paper is None:
        return fact
    return replace(
        fact,
        paper=paper.value,
        paper_std=paper.std,
        paper_n=paper.n,
        paper_best=paper.best,
        paper_kind=paper.kind,
        paper_cell=printed_text(paper),
        digits=paper.digits,
        verdict="quoted",
    )


def _with_ours(fact: Fact, row: Row, judged: JudgedNumber | None, collected: Collected) -> Fact:
    """Add our number: as it was judged, or the mean of seeds where the paper prints nothing."""
    if row.ensemble:
        return _with_ensemble(fact, row, collected)
    runs = collected.of(row.runs or ())
    fact = _with_best(fact, runs.finished)
    if judged is None:
        return _with_mean(fact, runs, collected.strict)
    return replace(
        fact,
        ours_mean=judged.mean,
        ours_std=judged.std,
        n=judged.n,
        low=judged.verdict.low,
        high=judged.verdict.high,
        verdict=judged.verdict.word,
        reasons=judged.verdict.reasons,
        flags=judged.flags,
        runs=judged.runs,
    )


def _with_ensemble(fact: Fact, row: Row, collected: Collected) -> Fact:
    """Add the number of several nets as one. The paper has none to judge it by."""
    ensemble = ensemble_error(row, fact.metric, collected)
    return replace(
        fact,
        ours_mean=ensemble.error,
        n=int(ensemble.error is not None),
        planned=ensemble.planned,
        verdict=ensemble.word,
        reasons=ensemble.reasons,
        runs=ensemble.runs,
    )


def _with_mean(fact: Fact, runs: RunSet, strict: bool) -> Fact:
    """Add the mean over seeds, unless they differ in what must not be averaged."""
    values: list[float] = []
    if not runs.differing(columns_not_averaged(strict)) and not runs.twinned():
        values = list(runs.values(fact.metric).dropna())
    ours = sample(values)
    ids = runs.of_finished.ids
    return replace(fact, ours_mean=ours.mean, ours_std=ours.std, n=ours.n, runs=ids)


def _with_best(fact: Fact, finals: pd.DataFrame) -> Fact:
    """Add the best of several seeds, and the best over training where that was measured."""
    metric, selected = fact.metric, SELECTED_ON_TEST.get(fact.metric, "")
    if selected in finals and len(finals):
        fact = replace(fact, selected_on_test=float(finals[selected].mean()))
    # A count is the same of every seed, so none is the best.
    if metric in COUNTS or metric not in finals:
        return fact
    known = finals.dropna(subset=[metric])
    if len(known) < 2:
        return fact
    best = known.nsmallest(1, metric).iloc[0]
    return replace(fact, best=float(best[metric]), best_seed=int(best["seed"]))
