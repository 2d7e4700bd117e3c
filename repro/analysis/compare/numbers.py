"""Every number that an experiment has from the paper, with ours beside it and its verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from repro.analysis.compare.comparability import (
    FLAGGED,
    REFUSED,
    Gate,
    columns_not_averaged,
    incomparable_because,
)
from repro.analysis.compare.margins import Rule, numbered_rows
from repro.analysis.compare.statistics import sample
from repro.analysis.compare.verdict import Judgement, OurValues, judge, judge_count
from repro.analysis.runs.frames import Collected
from repro.analysis.runs.run_set import RunSet
from repro.cost.layers import cost
from repro.definition.experiment import Experiment, Figure, Paper, Row, Table
from repro.protocol.deviations import as_printed

# The metrics that are counted from the net, without training: what is counted, and the unit.
COUNTS = {
    "parameters": ("parameters", 1.0),
    "parameters_millions": ("parameters", 1e6),
    "multiply_adds": ("multiply_adds", 1.0),
    "multiply_adds_billions": ("multiply_adds", 1e9),
    "layers": ("layers", 1.0),
    "projections": ("projections", 1.0),
}


@dataclass(frozen=True)
class JudgedNumber:
    """One number of the paper, ours, and the word for it."""

    experiment: str
    row: str
    metric: str
    paper: Paper
    verdict: Judgement
    mean: float | None  # None where there is nothing, or nothing that may be averaged
    std: float | None
    n: int
    planned: int
    runs: tuple[str, ...]
    refused: bool = False  # the runs are not alike, so nothing was averaged
    flags: tuple[str, ...] = ()  # in what they differ although they were averaged
    rule: Rule | None = None  # None of a count


@dataclass(frozen=True)
class Measured:
    """The runs of one row, and what they say about one metric."""

    metric: str
    runs: RunSet
    planned: int
    allow_mixed: bool = False
    strict: bool = False

    @property
    def ours(self) -> OurValues:
        """The finished runs' values, and the runs that diverged instead."""
        lost = tuple(
            f"seed {run.seed} at iteration {_whole(run.failed_at)}"
            for run in self.runs.diverged.itertuples()
        )
        return OurValues(tuple(self.runs.measured(self.metric)), self.planned, lost)

    @property
    def refused(self) -> tuple[str, ...]:
        """Why the runs are not averaged: what they differ in, or that two of them are one."""
        reasons: list[str] = []
        if not self.allow_mixed:
            reasons += self._mixed(columns_not_averaged(self.strict))
        if self.strict:
            reasons += self.runs.moved_machine()
        reasons += self.runs.twinned()
        return tuple(f"{reason}; not averaged" for reason in reasons)

    @property
    def flags(self) -> tuple[str, ...]:
        """In what the runs differ although they are averaged."""
        columns = (*REFUSED, *FLAGGED) if self.allow_mixed else FLAGGED
        flags = (*self._mixed(columns), *self.runs.moved_machine())
        refused = self.refused
        return tuple(flag for flag in flags if f"{flag}; not averaged" not in refused)

    @property
    def silent(self) -> tuple[str, ...]:
        """The runs that gave neither a number nor a divergence, so that nobody has to guess."""
        failed = len(self.runs.failed)
        silent = len(self.runs.finished) - len(self.runs.measured(self.metric))
        reasons = []
        if failed:
            reasons.append(f"{failed} run{'s' * (failed > 1)} failed")
        if silent:
            reasons.append(f"{silent} finished without {self.metric}")
        return tuple(reasons)

    def _mixed(self, columns: Iterable[str]) -> list[str]:
        reasons = []
        for name, values in self.runs.differing(columns).items():
            reasons.append(f"mixed {name}: {', '.join(map(_shortened, values))}")
        return reasons


def judge_numbers(
    name: str,
    experiment: Experiment,
    collected: Collected,
    allow_mixed: bool = False,
    gate: Gate = incomparable_because,
) -> list[JudgedNumber]:
    """Return every number of the experiment that is ours to reproduce, in the paper's order.

    `allow_mixed`: average even runs on different images, and say so. `gate`: another one than the
    paper's.
    """
    if not isinstance(experiment, Table | Figure):
        return []
    judged = []
    for numbered in numbered_rows(experiment):
        row = numbered.row
        triples = zip(numbered.metrics, row.paper, numbered.rules, strict=False)
        for metric, paper, rule in triples:
            if paper is None or paper.kind == "quoted":
                continue
            if paper.kind == "exact" and metric in COUNTS:
                judged.append(_counted(name, row, metric, paper))
            elif rule is not None:
                runs = collected.of(row.runs or ())
                planned = len(row.runs or ())
                measured = Measured(metric, runs, planned, allow_mixed, collected.strict)
                reasons = gate(row, metric, runs) if row.runs else ()
                judged.append(_measured(name, row, paper, measured, rule, reasons))
    return list(dict.fromkeys(judged))  # two panels of a figure may show the same row


def quoted_numbers(name: str, experiment: Experiment) -> list[tuple[str, str, str, Paper]]:
    """Return the numbers that the paper quotes from others: nothing is compared with them."""
    if not isinstance(experiment, Table):
        return []
    return [
        (name, row.label, metric, paper)
        for row in experiment.rows
        for metric, paper in zip(experiment.metrics, row.paper, strict=False)
        if paper and paper.kind == "quoted"
    ]


def _measured(
    name: str,
    row: Row,
    paper: Paper,
    measured: Measured,
    rule: Rule,
    reasons: tuple[str, ...],
) -> JudgedNumber:
    refused = measured.refused
    judgement = judge(measured.ours, paper, rule, (*reasons, *refused))
    told = judgement.reasons + measured.flags + measured.silent
    judgement = replace(judgement, reasons=told)
    values = () if refused else measured.ours.finite
    if not values:
        judgement = replace(judgement, low=None, high=None)
    summary = sample(values)
    return JudgedNumber(
        name,
        row.label,
        measured.metric,
        paper,
        judgement,
        mean=summary.mean if values else None,
        std=summary.std if len(values) > 1 else None,
        n=len(measured.ours.finite),
        planned=measured.planned,
        runs=measured.runs.over,
        refused=bool(refused),
        flags=measured.flags,
        rule=rule,
    )


def _counted(name: str, row: Row, metric: str, paper: Paper) -> JudgedNumber:
    """Judge a number that needs no training: counted from the net, with the paper's classes."""
    net = row.net or (row.runs.run.net if row.runs else None)
    assert net is not None, f"row {row.label} of {name} has nothing to count"
    count, unit = COUNTS[metric]
    value = getattr(cost(replace(net, classes=as_printed(net).net.classes)), count) / unit
    slack = 10.0**-paper.digits if count == "multiply_adds" else 0.0
    judgement = judge_count(value, paper, slack)
    return JudgedNumber(name, row.label, metric, paper, judgement, value, None, 1, 1, ())


def _shortened(value: str) -> str:
    """Return a hash by its beginning."""
    return value if len(value) <= 24 else value[:10]


def _whole(iteration: Any) -> str:
    return "?" if math.isnan(iteration) else f"{int(iteration):,}"
