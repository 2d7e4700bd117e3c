"""Every number that an experiment has from the paper, with ours beside it and its verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

from repro.analysis.compare.comparability import Gate, incomparable_because
from repro.analysis.compare.margins import Rule, numbered_rows
from repro.analysis.compare.measured_runs import Measured
from repro.analysis.compare.row_across_labs import Compared, LabNumbers, lab_numbers, with_labs
from repro.analysis.compare.seed_statistics import sample
from repro.analysis.compare.verdict import Judgement, judge, judge_count
from repro.analysis.runs.run_frames import Collected
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
    labs: LabNumbers | None = None  # of every lab; None where ours is the only one


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
                compared = Compared(row, paper, rule, gate)
                judged.append(_measured(name, compared, measured, collected))
    return list(dict.fromkeys(judged))  # two panels of a figure may show the same row


def quoted_numbers(name: str, experiment: Experiment) -> list[tuple[str, str, str, Paper]]:
    """Return the numbers that the paper quotes from others: nothing is compared with them."""
    if not isinstance(experiment, Table):
        return []
    quoted = []
    for row in experiment.rows:
        for metric, paper in zip(experiment.metrics, row.paper, strict=False):
            if paper and paper.kind == "quoted":
                quoted.append((name, row.label, metric, paper))
    return quoted


def _measured(
    name: str, compared: Compared, measured: Measured, collected: Collected
) -> JudgedNumber:
    row, paper, rule = compared.row, compared.paper, compared.rule
    refused = measured.refused
    reasons = refused
    if row.runs:
        reasons = (*compared.gate(row, measured.metric, measured.runs), *refused)
    judgement = judge(measured.ours, paper, rule, reasons)
    values: tuple[float, ...] = ()
    labs = None
    # Runs that are not alike have no mean, so neither have they a place among the labs.
    if not refused:
        values = measured.ours.finite
        labs = lab_numbers(compared, measured, collected)
    if labs:
        judgement = with_labs(judgement, measured, labs, compared)
    told = judgement.reasons + measured.flags + measured.silent
    judgement = replace(judgement, reasons=told)
    if labs and not labs.several:
        labs = None  # its reasons are said above; there are no several labs to show
    if not values and not labs:
        judgement = replace(judgement, low=None, high=None)
    summary = sample(values)
    mean, std = None, None
    if values:
        mean = summary.mean
    if len(values) > 1:
        std = summary.std
    return JudgedNumber(
        name,
        row.label,
        measured.metric,
        paper,
        judgement,
        mean=mean,
        std=std,
        n=len(measured.ours.finite),
        planned=measured.planned,
        runs=measured.runs.over,
        refused=bool(refused),
        flags=measured.flags,
        rule=rule,
        labs=labs,
    )


def _counted(name: str, row: Row, metric: str, paper: Paper) -> JudgedNumber:
    """Judge a number that needs no training: counted from the net, with the paper's classes."""
    net = row.net
    if row.runs and not net:
        net = row.runs.run.net
    assert net is not None, f"row {row.label} of {name} has nothing to count"
    count, unit = COUNTS[metric]
    # A smoke run's net may have fewer classes; the paper's count has all of them.
    value = getattr(cost(replace(net, classes=as_printed(net).net.classes)), count) / unit
    slack = 0.0
    if count == "multiply_adds":
        # The paper truncates some of them and rounds others.
        slack = 10.0**-paper.digits
    judgement = judge_count(value, paper, slack)
    return JudgedNumber(name, row.label, metric, paper, judgement, value, None, 1, 1, ())
