"""Weights that somebody released, measured here: beside the paper's rows, and never among our runs.

Two questions, each with words of its own, because nothing here is a sample of trainings:

- Is the published number of these weights what we measure? `equal` to the printed digit, or
  `differs`.
- How does it stand to the paper's row? `equal` to the printed digit, `lower`, or `higher`.

A number measured on other images than the published one answers neither: `not comparable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from repro.analysis.compare.comparability import IMAGES
from repro.definition.experiment import Experiment, Paper, Row, Table
from repro.definition.net import Net
from repro.definition.origin import may_be_compared
from repro.definition.weight_release import Number, Released
from repro.protocol.released_weights import release_of
from repro.storage.evaluations import Evaluation


class Agreement(StrEnum):
    """How a measured number stands to a printed one."""

    EQUAL = "equal"
    DIFFERS = "differs"
    LOWER = "lower"
    HIGHER = "higher"
    NOT_COMPARABLE = "not comparable"
    UNPUBLISHED = "nothing published"


@dataclass(frozen=True)
class MeasuredNumber:
    """One number in print, and what one set of released weights gives in its place."""

    experiment: str
    row: str
    metric: str
    paper: Paper | None  # None: not in the paper, only published for these weights
    evaluation: str  # the record's name
    weights: str  # whose, in words
    error: float
    images: str  # what it was measured on, in words
    against_paper: Agreement
    published: Number | None
    against_published: Agreement
    reasons: tuple[str, ...]  # what keeps it from comparison, and what the evaluation warned of

    @property
    def printed(self) -> Paper | Number:
        """The number that it is set beside first: the paper's, or else that of the weights."""
        printed = self.paper or self.published
        assert printed is not None, "a number is in print somewhere"
        return printed

    @property
    def word(self) -> Agreement:
        """How it stands to that number."""
        if self.paper is None:
            return self.against_published
        return self.against_paper

    @property
    def cell(self) -> str:
        return f"{self.error:.{self.printed.digits}f} ({self.weights})"


def measured_numbers(
    name: str, experiment: Experiment, evaluations: Iterable[Evaluation]
) -> list[MeasuredNumber]:
    """Return every number of a table that some released weights were measured for, row by row."""
    if not isinstance(experiment, Table):
        return []
    known = list(evaluations)
    numbers: list[MeasuredNumber] = []
    for row in experiment.rows:
        for evaluation in known:
            if _is_of(row, evaluation):
                numbers += _of_row(name, experiment, row, evaluation)
    return numbers


def in_words(number: MeasuredNumber) -> str:
    """Return one number as a line: what was measured, and how it stands to both printed ones."""
    digits = number.printed.digits
    parts = [f"{number.error:.{digits + 1}f} on {number.images}"]
    if number.paper is not None:
        parts.append(f"the paper's {number.paper.value:.{digits}f}: {number.against_paper}")
    if number.published is not None:
        printed = f"{number.published.value:.{number.published.digits}f}"
        parts.append(f"published for these weights {printed}: {number.against_published}")
    return " · ".join((*parts, *number.reasons))


def _is_of(row: Row, evaluation: Evaluation) -> bool:
    if row.runs is None:
        return False
    return _architecture(row.runs.run.net) == _architecture(evaluation.net)


def _architecture(net: Net) -> tuple[object, ...]:
    """Return what makes it the same row: strides, pooling and zeros are variants."""
    return net.family, net.kind, net.depth, net.shortcut


def _of_row(name: str, table: Table, row: Row, evaluation: Evaluation) -> Iterable[MeasuredNumber]:
    """Yield the numbers of a row, and those that are published for the weights alone."""
    release = release_of(
        evaluation.weights.layout,
        evaluation.net.name,
        evaluation.weights.sha256,
        evaluation.preprocessing,
    )
    weights = f"weights of {evaluation.weights.layout}"
    if release:
        weights = release.name
    barred = _barred(evaluation)
    in_table = dict(zip(table.metrics, row.paper, strict=False))
    for metric, error in evaluation.metrics.items():
        paper, published = in_table.get(metric), _published(release, metric)
        # A table's own metric without a number in this row is printed nowhere.
        if paper is None and (published is None or metric in in_table):
            continue
        yield MeasuredNumber(
            name,
            row.label,
            metric,
            paper,
            evaluation.id,
            weights,
            error,
            f"{evaluation.data.name}, {evaluation.data.test_images:,} images",
            _to_paper(error, paper, barred),
            published,
            _to_published(error, published, barred),
            (*barred, *_doubts(release), *evaluation.warnings),
        )


def _doubts(release: Released | None) -> tuple[str, ...]:
    """Return what is not certain about whose weights these are."""
    if release is None or release.sha256:
        return ()
    return (f"taken for {release.name} by the names in the file: no SHA-256 is published",)


def _published(release: Released | None, metric: str) -> Number | None:
    if release is None:
        return None
    for number in release.numbers:
        if number.metric == metric:
            return number
    return None


def _barred(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what keeps an evaluation from being compared with any number of the whole test set."""
    data = evaluation.data
    reasons = []
    expected = IMAGES[evaluation.net.family][1]
    if data.test_images != expected:
        reasons.append(f"test images: {data.test_images:,}, not {expected:,}")
    if not may_be_compared(data.origin):
        reasons.append(f"data: {data.origin}, not the official archive")
    if evaluation.scale != "paper":
        reasons.append(f"scale: {evaluation.scale}")
    if data.tested_on_training_images:
        reasons.append("the test images are the training images")
    return tuple(reasons)


def _to_paper(error: float, paper: Paper | None, barred: Sequence[str]) -> Agreement:
    if paper is None:
        return Agreement.UNPUBLISHED
    if barred:
        return Agreement.NOT_COMPARABLE
    if _as_printed(error, paper.digits) == _as_printed(paper.value, paper.digits):
        return Agreement.EQUAL
    # No `better`: these weights were trained otherwise, so they neither reproduce nor fail to.
    return Agreement.LOWER if error < paper.value else Agreement.HIGHER


def _to_published(error: float, published: Number | None, barred: Sequence[str]) -> Agreement:
    if published is None:
        return Agreement.UNPUBLISHED
    if barred:
        return Agreement.NOT_COMPARABLE
    if _as_printed(error, published.digits) == _as_printed(published.value, published.digits):
        return Agreement.EQUAL
    return Agreement.DIFFERS


def _as_printed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"
