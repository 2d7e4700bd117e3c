"""A row's number in every lab that has it: which labs count, which are left out, and why.

A lab counts with the seeds that it has, if its runs saw the same images as ours and may be averaged
among themselves. Two labs or more make the row's verdict together; with one, nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from repro.analysis.compare.between_labs import LabSpread, spread_of
from repro.analysis.compare.comparability import REFUSED, Gate
from repro.analysis.compare.lab_verdict import judge_labs, spread_text
from repro.analysis.compare.margins import Rule
from repro.analysis.compare.measured_runs import Measured
from repro.analysis.compare.number_text import mean_text
from repro.analysis.compare.seed_statistics import Sample, sample
from repro.analysis.compare.verdict import Judgement, OurValues, judge
from repro.analysis.runs.run_frames import Collected
from repro.analysis.runs.run_set import RunSet, differing_columns
from repro.definition.experiment import Paper, Row
from repro.definition.verdicts_and_states import Verdict
from repro.storage.labs import OURS

COPIED = (
    "{lab}: {count} of its runs equal{ending} those of another lab to the digit, and count once"
)


@dataclass(frozen=True)
class LabNumber:
    """What one lab has of a row, and the verdict that it would have alone."""

    lab: str
    sample: Sample
    alone: Verdict
    runs: tuple[str, ...]

    def __str__(self) -> str:
        std = None
        if self.sample.n > 1:
            std = self.sample.std
        return f"{self.lab} {mean_text(self.sample.mean, std)} (n = {self.sample.n})"


@dataclass(frozen=True)
class LabNumbers:
    """A row's number in the labs that count."""

    numbers: tuple[LabNumber, ...]  # ours first, if there is one
    left_out: tuple[str, ...]  # a reason for each lab or run that does not count
    incomparable: tuple[str, ...]  # what keeps all of them from the paper's number

    @property
    def several(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.numbers) > 1

    @property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(number.sample for number in self.numbers)

    @cached_property
    def spread(self) -> LabSpread:
        return spread_of(self.samples)


@dataclass(frozen=True)
class Compared:
    """What every lab's runs of a row are asked: against which number, by which rule."""

    row: Row
    paper: Paper
    rule: Rule
    gate: Gate


def lab_numbers(compared: Compared, ours: Measured, collected: Collected) -> LabNumbers | None:
    """Return the number of every lab that has the row; None where no other lab has a run of it."""
    others: dict[str, RunSet] = {}
    left_out: list[str] = []
    for lab, frames in collected.labs.items():
        runs, copies = _without_copies(frames.of(compared.row.runs or ()))
        if copies:
            left_out.append(COPIED.format(lab=lab, count=copies, ending="s" * (copies == 1)))
        if len(runs.finished):
            others[lab] = runs
    if not others and not left_out:
        return None
    # What all must agree with: our runs, or the first lab's where ours have no number.
    numbers = []
    reference = next(iter(others.values()), ours.runs)
    if ours.ours.finite:
        reference = ours.runs
        numbers.append(_number(OURS, ours, compared))
    for lab, runs in others.items():
        measured = replace(ours, runs=runs)
        reasons = tuple(_left_out_because(measured, reference, compared))
        if reasons:
            left_out.append(f"{lab} is left out: {'; '.join(reasons)}")
        else:
            numbers.append(_number(lab, measured, compared))
    incomparable = compared.gate(compared.row, ours.metric, reference)
    return LabNumbers(tuple(numbers), tuple(left_out), incomparable)


def with_labs(alone: Judgement, ours: Measured, labs: LabNumbers, compared: Compared) -> Judgement:
    """Return the verdict of all labs in the place of ours `alone`."""
    if not labs.several:
        # One other lab is shown, and judged by nobody.
        others = tuple(str(number) for number in labs.numbers if number.lab != OURS)
        return replace(alone, reasons=(*alone.reasons, *others, *labs.left_out))
    told = (spread_text(labs.spread), *_each(labs), *labs.left_out)
    if compared.paper.kind == "best":
        # The best of n says nothing of a mean.
        return replace(alone, reasons=(*alone.reasons, *told))
    if labs.incomparable:
        reasons = labs.incomparable
        if ours.ours.finished:
            # Of our own runs it is said already, and which of them diverged.
            reasons = alone.reasons
        return replace(alone, word=Verdict.NOT_COMPARABLE, reasons=(*reasons, *told))
    judged = judge_labs(labs.samples, compared.paper, compared.rule)
    # What is ours alone to say stays: a run that diverged, and seeds that have not finished.
    if ours.ours.lost:
        so_far = f"the mean of {len(labs.numbers)} labs alone: {judged.word}"
        return replace(alone, reasons=(*alone.reasons, so_far, *told))
    if alone.word == Verdict.INCOMPLETE:
        so_far = f"so far: {judged.word}"
        reasons = (alone.reasons[0], so_far, *judged.reasons, *told)
        return replace(judged, word=alone.word, reasons=reasons)
    return replace(judged, reasons=(*judged.reasons, *told))


def _each(labs: LabNumbers) -> Iterator[str]:
    """Yield what each lab has, with the verdict it would have alone."""
    for number in labs.numbers:
        yield f"{number}, alone: {number.alone}"


def _without_copies(runs: RunSet) -> tuple[RunSet, int]:
    """Return the runs that no lab before has to the digit, and how many there are of the others."""
    copied = runs.records["copy_of"].notna()
    return replace(runs, records=runs.records[~copied]), int(copied.sum())


def _number(lab: str, measured: Measured, compared: Compared) -> LabNumber:
    values = measured.ours.finite
    alone = judge(OurValues(values), compared.paper, compared.rule)
    return LabNumber(lab, sample(values), alone.word, measured.runs.of_finished.ids)


def _left_out_because(measured: Measured, reference: RunSet, compared: Compared) -> Iterator[str]:
    """Yield why a lab's runs do not count beside the others'."""
    runs, metric = measured.runs, measured.metric
    if measured.ours.lost:
        yield f"{measured.ours.lost} of its runs diverged, which no mean can show"
    elif not measured.ours.finite:
        yield f"none of its runs has {metric}"
    yield from measured.refused
    if not measured.allow_mixed:
        columns = list(REFUSED)
        both = pd.concat([reference.finished[columns], runs.finished[columns]])
        for name in differing_columns(both, REFUSED):
            yield f"other {name.replace('_', ' ')} than the first lab's"
    of_reference = compared.gate(compared.row, metric, reference)
    for reason in compared.gate(compared.row, metric, runs):
        if reason not in of_reference:
            yield reason
