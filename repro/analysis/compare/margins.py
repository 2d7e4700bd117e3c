"""What a table declares before any run: what would matter, and how far chance reaches.

The margin of a number is the gap to the nearest neighbour in its column, but never more than the
table declares for the metric. So a net with a neighbour's error is called `reproduced` one time in
twenty at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from repro.analysis.compare.seed_statistics import normal_quantile, normal_upper_tail
from repro.definition.experiment import Figure, Paper, Row, Table, metrics_of_row

ERRORS = ("error", "top1", "top5")  # in the names of metrics that are errors in percent


@dataclass(frozen=True)
class Rule:
    """What is declared for one number: `margin` and `spread` in its unit."""

    margin: float  # a difference that would matter
    spread: float  # standard deviation between seeds, as published
    false_alarms: float = 0.05  # how often a net equal to the paper's may be called different
    is_error: bool = True  # in percent: lower is better, and nothing is below 0 or above 100

    def chance_error(self, paper: Paper) -> float:
        """Return the standard deviation of one seed less the paper's number, both being draws."""
        # Two draws differ by √2 of the spread; against a mean of n runs, by √(1 + 1/n).
        return self.spread * math.sqrt(1 + 1 / _runs_behind(paper))

    def tolerance(self, paper: Paper) -> float:
        """Return how far one seed may be off before chance alone is too rare an explanation."""
        return normal_quantile(1 - self.false_alarms / 2) * self.chance_error(paper)

    def p_of_one_seed(self, gap: float, paper: Paper) -> float:
        """Return how often chance alone puts one seed so far from the paper's number."""
        error = self.chance_error(paper)
        if error == 0:
            return 1.0 if gap == 0 else 0.0
        return 2 * normal_upper_tail(abs(gap) / error)


@dataclass(frozen=True)
class Numbered:
    """A row, what its numbers are of, and the rule of each; None where the paper has no number."""

    row: Row
    metrics: tuple[str, ...]
    rules: tuple[Rule | None, ...]


def numbered_rows(experiment: Table | Figure) -> Iterator[Numbered]:
    """Yield each row with its metrics and what was declared for them."""
    if isinstance(experiment, Table):
        declared = experiment.margins, experiment.spreads
        for row in experiment.rows:
            rules = _rules(row, experiment.metrics, experiment.rows, *declared)
            yield Numbered(row, experiment.metrics, rules)
        return
    for panel in experiment.panels:
        for row in panel.rows:
            metrics = metrics_of_row(row)
            rules = _rules(row, metrics, panel.rows, panel.margins, panel.spreads)
            yield Numbered(row, metrics, rules)


def metrics_by_row(experiment: Table | Figure) -> dict[str, tuple[str, ...]]:
    """Return the metrics of each row, by the row's label."""
    return {numbered.row.label: numbered.metrics for numbered in numbered_rows(experiment)}


def is_error(metric: str) -> bool:
    """Return whether a metric is an error in percent."""
    return metric.endswith(ERRORS)


def _rules(
    row: Row,
    metrics: tuple[str, ...],
    rows: tuple[Row, ...],
    margins: tuple[float, ...],
    spreads: tuple[float, ...],
) -> tuple[Rule | None, ...]:
    rules: list[Rule | None] = []
    for column, metric in enumerate(metrics):
        if _number(row, column) is None or column >= len(margins):
            rules.append(None)
            continue
        margin = min(margins[column], _gap_to_neighbours(row, column, rows))
        rules.append(Rule(margin, spreads[column], is_error=is_error(metric)))
    return tuple(rules)


def _gap_to_neighbours(row: Row, column: int, rows: tuple[Row, ...]) -> float:
    """Return how near the numbers of the rows above and below are; else infinity."""
    numbered: list[Row] = []
    at = 0
    for other in rows:
        if other is row:
            at = len(numbered)
        # Rows of the same runs are one net with numbers of several sources: no neighbours.
        elif other.runs == row.runs or _number(other, column) is None:
            continue
        numbered.append(other)
    value = _number(row, column)
    gaps = [math.inf]
    for other in (*numbered[max(at - 1, 0) : at], *numbered[at + 1 : at + 2]):
        neighbour = _number(other, column)
        if value is not None and neighbour is not None:
            # Rounded, so that 0.34 is not 0.33999: the margin is printed, and a limit of a test.
            gaps.append(round(abs(value - neighbour), 6))
    return min(gaps)


def _number(row: Row, column: int) -> float | None:
    """Return the paper's number for a net of ours; quoted ones and counts have no neighbours."""
    if column >= len(row.paper):
        return None
    paper = row.paper[column]
    if paper is None or paper.kind in ("quoted", "exact"):
        return None
    return paper.value


def _runs_behind(paper: Paper) -> int:
    if paper.kind == "mean" and paper.n:
        return paper.n
    return 1
