"""Another lab's numbers in the place of the paper's: from a CSV or a results folder.

A CSV has the columns experiment, row, metric, value, a line for each run, and may have `source`
to keep labs apart; or a line for each mean, with std and n. Several numbers of one source are a
sample and are met by Welch's test, one is met by the prediction interval of ours: the paper's own
rules, with another paper. Its columns selection, data, schedule and departures say what keeps a
number from being compared with ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from repro.analysis.compare.comparability import REFUSED, Gate, incomparable_because
from repro.analysis.compare.judged_numbers import COUNTS
from repro.analysis.compare.margins import metrics_by_row
from repro.analysis.compare.other_numbers_csv import read_table, reasons_of_line
from repro.analysis.compare.seed_statistics import Sample, sample
from repro.analysis.runs.frame_cache import Problem
from repro.analysis.runs.run_frames import Collected, collect
from repro.analysis.runs.run_set import RunSet, differing_columns
from repro.definition.experiment import Experiment, Figure, Paper, Row, Table
from repro.errors import UserError, quote
from repro.storage.paths import Places

# Experiment, row and metric: the number of each source.
Numbers: TypeAlias = Callable[[str, Row, str], dict[str, Paper]]


@dataclass(frozen=True)
class OtherResults:
    """Somebody else's numbers, what keeps ours from comparison with them, and what is amiss."""

    numbers: Numbers
    gate: Gate
    problems: tuple[Problem, ...]


def load_other_results(path: Path, experiments: Mapping[str, Experiment]) -> OtherResults:
    """Return the numbers to compare with, from a folder of results or a CSV."""
    if path.is_dir():
        return _of_folder(path)
    table, problems = read_table(path, experiments)
    return OtherResults(_of_table(table), _gate_of_table(table), problems)


def in_place_of_paper(name: str, experiment: Experiment, numbers: Numbers) -> Experiment:
    """Return the experiment with each row once for each source, with its numbers."""
    if isinstance(experiment, Table):
        return replace(experiment, rows=tuple(_rows(name, experiment, experiment.rows, numbers)))
    if isinstance(experiment, Figure):
        panels = []
        for panel in experiment.panels:
            rows = tuple(_rows(name, experiment, panel.rows, numbers))
            panels.append(replace(panel, rows=rows))
        return replace(experiment, panels=tuple(panels))
    return experiment


def _rows(
    name: str, experiment: Table | Figure, rows: tuple[Row, ...], numbers: Numbers
) -> Iterator[Row]:
    metrics = metrics_by_row(experiment)
    for row in rows:
        if row.runs is None:
            continue
        by_metric: list[dict[str, Paper]] = []
        # Counts follow from the net: theirs could only be ours.
        for metric in metrics[row.label]:
            by_metric.append({} if metric in COUNTS else numbers(name, row, metric))
        for source in dict.fromkeys(chain.from_iterable(by_metric)):
            theirs = tuple(papers.get(source) for papers in by_metric)
            yield replace(row, label=_label(row.label, source), paper=theirs)


def _label(row: str, source: str) -> str:
    if source:
        return f"{row} [{source}]"
    return row


def _of_table(table: pd.DataFrame) -> Numbers:
    def numbers(name: str, row: Row, metric: str) -> dict[str, Paper]:
        lines = table[
            (table["experiment"] == name)
            & (table["row"] == row.label)
            & (table["metric"] == metric)
        ]
        by_source = lines.groupby("source", sort=True)
        return {str(source): _paper_of_lines(some) for source, some in by_source}

    return numbers


def _paper_of_lines(lines: pd.DataFrame) -> Paper:
    """Return one source's number: a mean with its spread, or the sample that its lines are."""
    first = lines.iloc[0]
    if len(lines) == 1 and pd.notna(first["std"]) and pd.notna(first["n"]):
        return _paper(Sample(int(first["n"]), float(first["value"]), float(first["std"])))
    return _paper(sample(list(lines["value"])), min(lines["value"]))


def _gate_of_table(table: pd.DataFrame) -> Gate:
    """Return the paper's gate, and what the file's own columns say besides."""

    def gate(row: Row, metric: str, runs: RunSet) -> tuple[str, ...]:
        reasons = [*incomparable_because(row, metric, runs)]
        for line in table[table["metric"] == metric].to_dict("records"):
            if _label(str(line["row"]), str(line["source"])) == row.label:
                reasons += reasons_of_line(line, row, runs)
        return tuple(dict.fromkeys(reasons))

    return gate


def _of_folder(path: Path) -> OtherResults:
    theirs = collect(Places(path, path, path), keep=False)
    if theirs.runs.empty:
        raise UserError(
            f"no runs in {quote(path, 300)}",
            "name a results folder: one that has `runs` or `published`",
        )
    problems = []
    for problem in theirs.problems:
        problems.append(replace(problem, folder=f"{path}/{problem.folder}"))
    return OtherResults(_of_runs(theirs), _gate_of_runs(theirs), tuple(problems))


def _of_runs(theirs: Collected) -> Numbers:
    def numbers(name: str, row: Row, metric: str) -> dict[str, Paper]:
        values = list(theirs.of(row.runs or ()).values(metric).dropna())
        if not values:
            return {}
        return {"": _paper(sample(values), min(values))}

    return numbers


def _gate_of_runs(theirs: Collected) -> Gate:
    """Return a gate that lets runs of one definition pass, if they saw the same images."""

    def gate(row: Row, metric: str, runs: RunSet) -> tuple[str, ...]:
        assert row.runs is not None
        # Runs are found by their ids, so net, recipe and scale agree: only the images may differ.
        columns = list(REFUSED)
        others = theirs.of(row.runs).finished
        both = pd.concat([runs.finished[columns], others[columns]])
        reasons = []
        for name, values in differing_columns(both, REFUSED).items():
            shortened = " and ".join(value[:24] for value in values)
            reasons.append(f"{name.replace('_', ' ')}: {shortened}")
        return tuple(reasons)

    return gate


def _paper(theirs: Sample, best: float | None = None) -> Paper:
    if theirs.n < 2:
        return Paper(theirs.mean)
    return Paper(theirs.mean, kind="mean", std=theirs.std, n=theirs.n, best=best)
