"""Another lab's numbers in the place of the paper's: a CSV of them, or a folder of results like ours.

A CSV has the columns experiment, row, metric, value, a line for each run, and may have `source` to keep labs apart; or
a line for each mean, with std and n. Several numbers of one source are a sample and are met by Welch's test, one is met
by the prediction interval of ours: the paper's own rules, with another paper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from repro.analysis.compare.numbers import COUNTS, REFUSED, Gate, numbered_rows
from repro.analysis.compare.statistics import Sample, sample
from repro.analysis.runs.cache import Problem
from repro.analysis.runs.frames import Collected, collect
from repro.analysis.runs.run_set import RunSet, differing_columns
from repro.definition.experiment import Experiment, Figure, Paper, Row, Table
from repro.definition.run import Run
from repro.errors import UserError, quote
from repro.storage.paths import Places

NEEDED = ("experiment", "row", "metric", "value")

Numbers = Callable[
    [str, Row, str], Iterator[tuple[str, Paper]]
]  # experiment, row, metric: source and number


@dataclass(frozen=True)
class OtherResults:
    """Somebody else's numbers; what keeps ours from comparison (None: what would for the paper's); what is amiss."""

    numbers: Numbers
    gate: Gate | None
    problems: tuple[Problem, ...]


def load_other_results(where: Path) -> OtherResults:
    """The numbers to compare with, from a folder of results or a CSV."""
    if where.is_dir():
        theirs = collect(Places(where, where, where), keep=False)
        if theirs.runs.empty:
            raise UserError(
                f"no runs in {quote(where, 300)}",
                "name a results folder: one that has `runs` or `published`",
            )
        problems = (
            Problem(f"{where}/{problem.folder}", problem.problem) for problem in theirs.problems
        )
        return OtherResults(_of_runs(theirs), _other_data(theirs), tuple(problems))
    table = _read(where)
    values = pd.to_numeric(table["value"], errors="coerce")
    wrong = table[~np.isfinite(values)]
    problems = (
        Problem(str(where), f"{line.row}, {line.metric}: {quote(line.value)} is no number")
        for line in wrong.itertuples()
    )
    return OtherResults(
        _of_table(table.assign(value=values)[np.isfinite(values)]), None, tuple(problems)
    )


def in_place_of_paper(name: str, experiment: Experiment, numbers: Numbers) -> Experiment:
    """The experiment with each of its rows once for each source, whose numbers stand where the paper's stood."""
    if isinstance(experiment, Table):
        return replace(experiment, rows=tuple(_rows(name, experiment, experiment.rows, numbers)))
    if isinstance(experiment, Figure):
        panels = (
            replace(p, rows=tuple(_rows(name, experiment, p.rows, numbers)))
            for p in experiment.panels
        )
        return replace(experiment, panels=tuple(panels))
    return experiment


def _rows(
    name: str, experiment: Table | Figure, rows: tuple[Row, ...], numbers: Numbers
) -> Iterator[Row]:
    metrics = {row.label: found for row, found, _, _ in numbered_rows(experiment)}
    for row in (row for row in rows if row.runs):
        found = [
            (metric, dict(numbers(name, row, metric)))
            for metric in metrics[row.label]
            if metric not in COUNTS
        ]
        for source in dict.fromkeys(source for _, papers in found for source in papers):
            papers = dict(found)
            theirs = tuple(papers.get(metric, {}).get(source) for metric in metrics[row.label])
            yield replace(
                row, label=f"{row.label} [{source}]" if source else row.label, paper=theirs
            )


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, comment="#")
    except FileNotFoundError:
        raise UserError(
            f"no file or folder {quote(path, 300)}", "name a CSV of numbers or a folder of results"
        ) from None
    except (ValueError, OSError) as error:
        raise UserError(
            f"cannot read {quote(path, 300)}: {error}", f"it must be a CSV with {', '.join(NEEDED)}"
        ) from None
    lacking = [name for name in NEEDED if name not in table]
    if lacking:
        said = ", ".join(map(quote, lacking))
        raise UserError(
            f"{quote(path, 300)} has no column {said}",
            f"it needs {', '.join(NEEDED)}; and may have source, std, n",
        )
    return table


def _of_table(table: pd.DataFrame) -> Numbers:
    columns = {"source": "", "std": float("nan"), "n": float("nan")}
    table = table.assign(**{name: empty for name, empty in columns.items() if name not in table})

    def numbers(name: str, row: Row, metric: str) -> Iterator[tuple[str, Paper]]:
        found = table[
            (table["experiment"] == name)
            & (table["row"] == row.label)
            & (table["metric"] == metric)
        ]
        for source, lines in found.groupby(found["source"].fillna(""), sort=True):
            first = lines.iloc[0]
            if len(lines) == 1 and pd.notna(first["std"]) and pd.notna(first["n"]):
                yield (
                    str(source),
                    _paper(Sample(int(first["n"]), float(first["value"]), float(first["std"]))),
                )
            else:
                yield str(source), _paper(sample(list(lines["value"])), min(lines["value"]))

    return numbers


def _of_runs(theirs: Collected) -> Numbers:
    def numbers(name: str, row: Row, metric: str) -> Iterator[tuple[str, Paper]]:
        values = list(theirs.of(row.runs or ()).values(metric).dropna())
        if values:
            yield "", _paper(sample(values), min(values))

    return numbers


def _other_data(theirs: Collected) -> Gate:
    """Runs of one definition are comparable, whatever its scale, if they saw the same images."""

    def gate(run: Run, metric: str, runs: RunSet) -> tuple[str, ...]:
        same = theirs.finals[
            theirs.finals["net"].eq(run.net.name) & theirs.finals["scale"].eq(run.scale)
        ]
        same = same[same["recipe"] == run.recipe.name]
        found = differing_columns(
            pd.concat([runs.finished[list(REFUSED)], same[list(REFUSED)]]), REFUSED
        )
        return tuple(
            f"{name.replace('_', ' ')}: {' and '.join(value[:24] for value in values)}"
            for name, values in found.items()
        )

    return gate


def _paper(theirs: Sample, best: float | None = None) -> Paper:
    if theirs.n < 2:
        return Paper(theirs.mean)
    return Paper(theirs.mean, kind="mean", std=theirs.std, n=theirs.n, best=best)
