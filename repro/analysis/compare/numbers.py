"""Every number that an experiment has from the paper, with ours beside it and its verdict.

First the gate: a number of ours is of the same thing as the paper's only if data set, split, count of images,
schedule, crops, selection and scale agree. Runs of one row on different images are not averaged at all; different code
or torch is averaged and flagged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from repro.analysis.compare.statistics import sample
from repro.analysis.compare.verdict import OurValues, Verdict, judge
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
from repro.definition.experiment import Experiment, Figure, Paper, Row, Table, metrics_of_row
from repro.definition.origin import may_be_compared
from repro.definition.run import Run
from repro.protocol.deviations import OFFICIAL_IMAGES, as_printed, format_value

IMAGES = {
    "cifar": (50_000, 10_000),
    "imagenet": (1_281_167, 50_000),
}  # training and test images: sections 4.2 and 4.1
MARGIN = 0.5  # of a figure's levels; a table declares its own
TOLERANCE = {
    "cifar": 0.35,
    "imagenet": 0.55,
}  # published spread between seeds, for figures as for tables

COUNTS = {
    "parameters": ("parameters", 1.0),
    "parameters_millions": ("parameters", 1e6),
    "multiply_adds": ("multiply_adds", 1.0),
    "multiply_adds_billions": ("multiply_adds", 1e9),
    "layers": ("layers", 1.0),
    "projections": ("projections", 1.0),
}

TESTS = (
    "test_",
    "best_test_",
    "center_",
    "ten_crop_",
    "multi_scale_",
)  # what metrics on test images begin with

# Never averaged over. The container that the images came in is not among them: the hash says
# whether they are the same.
REFUSED = ("data_name", "data_hash", "train_images", "test_images")
FLAGGED = ("code", "commit", "torch", "device", "precision")  # averaged, and said
STRICTLY = ("code", "torch", "device", "precision")  # not averaged with --strict


@dataclass(frozen=True)
class JudgedNumber:
    """One number of the paper, ours, and the word for it."""

    experiment: str
    row: str
    metric: str
    paper: Paper
    verdict: Verdict
    mean: float | None  # None where there is nothing, or nothing that may be averaged
    std: float | None
    n: int
    planned: int
    runs: tuple[str, ...]
    refused: bool = False  # the runs are not alike, so nothing was averaged
    flags: tuple[str, ...] = ()  # in what they differ although they were averaged


@dataclass(frozen=True)
class Measured:
    """The runs of one row, and what they say about one metric."""

    metric: str
    rows: pd.DataFrame  # whatever their state
    planned: int
    allow_mixed: bool = False
    strict: bool = False

    @property
    def finals(self) -> pd.DataFrame:
        return self.rows[self.rows["state"] == "done"]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.rows.loc[self.rows["state"].isin(["done", "diverged"]), "id"])

    @property
    def ours(self) -> OurValues:
        """The finished runs' values, NaN where one is not finite. What a run did not measure is not there."""
        found = self.rows[self.rows["state"] == "diverged"]
        lost = tuple(
            f"seed {run.seed} at iteration {_whole(run.failed_at)}" for run in found.itertuples()
        )
        values = self.finals.loc[self._known, self.metric] if self.metric in self.rows else ()
        return OurValues(tuple(map(float, values)), self.planned, lost)

    @property
    def refused(self) -> tuple[str, ...]:
        """In what the runs differ so that they are not averaged, or that two of them are one."""
        found = (
            {}
            if self.allow_mixed
            else differing_columns(self.finals, columns_not_averaged(self.strict))
        )
        said = [f"mixed {name}: {_listed(values)}" for name, values in found.items()]
        said += moved_machine(self.finals) if self.strict else ()
        return tuple(f"{reason}; not averaged" for reason in (*said, *twinned(self.finals)))

    @property
    def flags(self) -> tuple[str, ...]:
        """In what the runs differ although they are averaged."""
        found = differing_columns(
            self.finals, (*REFUSED, *FLAGGED) if self.allow_mixed else FLAGGED
        )
        said = [f"mixed {name}: {_listed(values)}" for name, values in found.items()]
        return tuple(
            one
            for one in (*said, *moved_machine(self.finals))
            if f"{one}; not averaged" not in self.refused
        )

    @property
    def silent(self) -> tuple[str, ...]:
        """The runs that gave neither a number nor a divergence, so that nobody has to guess where they went."""
        failed, silent = int((self.rows["state"] == "failed").sum()), int((~self._known).sum())
        said = [f"{failed} run{'s' * (failed > 1)} failed"] if failed else []
        return (*said, *([f"{silent} finished without {self.metric}"] if silent else []))

    @property
    def _known(self) -> pd.Series:
        if self.metric not in self.rows:
            return pd.Series(False, self.finals.index)
        infinite = [self.metric in names for names in self.finals["not_finite"]]
        return self.finals[self.metric].notna() | pd.Series(infinite, self.finals.index, dtype=bool)


Gate = Callable[
    [Run, str, pd.DataFrame], tuple[str, ...]
]  # run, metric, finals: what keeps them from comparison


def judge_numbers(
    name: str,
    experiment: Experiment,
    collected: Collected,
    allow_mixed: bool = False,
    gate: Gate | None = None,
) -> list[JudgedNumber]:
    """Every number of the experiment that is ours to reproduce, in the paper's order; quoted ones are not.

    `allow_mixed`: average even runs on different images, and say so. `gate`: another one than the paper's.
    """
    if not isinstance(experiment, Table | Figure):
        return []
    found = []
    for row, metrics, margin, tolerance in numbered_rows(experiment):
        for metric, paper in zip(metrics, row.paper, strict=False):
            if paper and paper.kind == "exact" and metric in COUNTS:
                found.append(_counted(name, row, metric, paper))
            elif paper and paper.kind != "quoted":
                rows = rows_of(collected.runs, row.runs or ())
                measured = Measured(
                    metric, rows, len(row.runs or ()), allow_mixed, collected.strict
                )
                fields = (
                    (gate or incomparable_because)(row.runs.run, metric, measured.finals)
                    if row.runs
                    else ()
                )
                found.append(_measured(name, row, paper, measured, fields, margin, tolerance))
    return list(dict.fromkeys(found))  # two panels of a figure may show the same row


def columns_not_averaged(strict: bool) -> tuple[str, ...]:
    """In what runs must be alike to be averaged."""
    return (*REFUSED, *STRICTLY) if strict else REFUSED


def quoted_numbers(name: str, experiment: Experiment) -> list[tuple[str, str, str, Paper]]:
    """The numbers that the paper quotes from others: nothing of ours is compared with them."""
    if not isinstance(experiment, Table):
        return []
    return [
        (name, row.label, metric, paper)
        for row in experiment.rows
        for metric, paper in zip(experiment.metrics, row.paper, strict=False)
        if paper and paper.kind == "quoted"
    ]


def incomparable_because(run: Run, metric: str, finals: pd.DataFrame) -> tuple[str, ...]:
    """The fields that keep these runs' numbers from being compared with the paper's."""
    found = [] if run.scale == "paper" else [f"scale: {run.scale}"]
    ours, theirs = run.recipe, as_printed(run.net).recipe
    fields = [("data set", ours.dataset, theirs.dataset), ("split", ours.split, theirs.split)]
    fields.append(("iterations", ours.iterations, theirs.iterations))
    for what in ("size", "test_side", "test_sides"):
        fields.append((f"crops ({what})", getattr(ours.input, what), getattr(theirs.input, what)))
    found += [
        f"{field}: {format_value(mine)}, not {format_value(its)}"
        for field, mine, its in fields
        if mine != its
    ]
    if metric.startswith("best_"):
        found.append("selection: the best on the test set, not the last")
    return (
        *found,
        *_other_images(run, finals),
        *(
            [TRAINING_IMAGES_NOTE]
            if is_test_metric(metric) and tested_on_training_images(finals)
            else ()
        ),
    )


def is_test_metric(metric: str) -> bool:
    """Whether a metric is an error on the test images, by whatever crops."""
    return metric.startswith(TESTS)


def numbered_rows(
    experiment: Table | Figure,
) -> Iterator[tuple[Row, tuple[str, ...], float, float]]:
    """Each row, the metrics its numbers are of, and the margin and the tolerance that were declared for them."""
    if isinstance(experiment, Table):
        for row in experiment.rows:
            yield row, experiment.metrics, experiment.margin, experiment.one_seed_tolerance
        return
    for panel in experiment.panels:
        for row in panel.rows:
            family = row.runs.run.net.family if row.runs else "cifar"
            yield row, metrics_of_row(row), MARGIN, TOLERANCE[family]


def _measured(
    name: str,
    row: Row,
    paper: Paper,
    measured: Measured,
    fields: tuple[str, ...],
    margin: float,
    tolerance: float,
) -> JudgedNumber:
    word = judge(measured.ours, paper, margin, tolerance, (*fields, *measured.refused))
    word = replace(word, reasons=word.reasons + measured.flags + measured.silent)
    values = () if measured.refused else measured.ours.finite
    if not values:
        word = replace(word, low=None, high=None)
    summary = sample(values)
    return JudgedNumber(
        name,
        row.label,
        measured.metric,
        paper,
        word,
        mean=summary.mean if values else None,
        std=summary.std if len(values) > 1 else None,
        n=len(measured.ours.finite),
        planned=measured.planned,
        runs=measured.ids,
        refused=bool(measured.refused),
        flags=measured.flags,
    )


def _counted(name: str, row: Row, metric: str, paper: Paper) -> JudgedNumber:
    """A number that needs no training: counted from the net, with the paper's count of classes."""
    net = row.net or (row.runs.run.net if row.runs else None)
    assert net is not None, f"row {row.label} of {name} has nothing to count"
    count, unit = COUNTS[metric]
    value = getattr(cost(replace(net, classes=as_printed(net).net.classes)), count) / unit
    slack = 10.0**-paper.digits if count == "multiply_adds" else 0.0
    word = judge(OurValues((value,)), paper, 0.0, slack)
    return JudgedNumber(name, row.label, metric, paper, word, value, None, 1, 1, ())


def _other_images(run: Run, finals: pd.DataFrame) -> list[str]:
    """Whether the images the runs saw are the paper's."""
    origins = sorted(set(finals["data_origin"].fillna("of unrecorded origin")))
    others = [origin for origin in origins if not may_be_compared(origin)]
    found = [f"data: {origin}, not the {OFFICIAL_IMAGES[run.net.family]}" for origin in others]
    for column, count in zip(("train_images", "test_images"), IMAGES[run.net.family], strict=True):
        what = column.replace("_", " ")
        found += [
            f"{what}: {int(value):,}, not {count:,}" for value in _values(finals, column, count)
        ]
    return found


def _values(finals: pd.DataFrame, column: str, expected: object) -> list[object]:
    return sorted(value for value in finals[column].dropna().unique() if value != expected)


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(value if len(value) <= 24 else value[:10] for value in values)


def _whole(iteration: float) -> str:
    return "?" if math.isnan(iteration) else f"{int(iteration):,}"
