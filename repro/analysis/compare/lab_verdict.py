"""The verdict about a row that several labs have: of the mean of their means.

The rule was fixed before any second lab had a record. The paper is one more lab: its number differs
from the level of all labs by what its lab and its seeds did. So it is compared with where one more
run (or mean of n runs) of one more lab would fall. `docs/reading-a-verdict.md` has the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from repro.analysis.compare.between_labs import (
    LabSpread,
    against_mean,
    against_run,
    level,
    spread_of,
)
from repro.analysis.compare.margins import Rule
from repro.analysis.compare.power import POWER
from repro.analysis.compare.seed_statistics import Sample
from repro.analysis.compare.verdict import Judgement, cut_to_errors, judge_one_number, judgement_of
from repro.definition.experiment import Paper


def judge_labs(labs: Sequence[Sample], paper: Paper, rule: Rule) -> Judgement:
    """Return the word for the level of two labs or more against the paper's number."""
    spread = spread_of(labs)
    if spread.reproducibility == 0:
        about = f"{spread.n} runs of {spread.labs} labs gave the same number, which counts once"
        return judge_one_number(spread.mean, paper, rule, about)
    doubt = paper.reading_error or 0.0
    is_mean = paper.kind == "mean" and paper.std is not None and bool(paper.n)
    if is_mean:
        theirs = Sample(paper.n or 0, paper.value, paper.std or 0.0)
        estimate = against_mean(labs, theirs, rule.spread)
        low, high = level(labs, rule.spread).interval()
    else:
        estimate = against_run(labs, paper.value, rule.spread)
        low, high = estimate.interval()
        low, high = low + paper.value, high + paper.value
    judged = judgement_of(estimate, rule, doubt, "the spread of labs and seeds")
    # A difference as large as this would be seen four times in five.
    shown = estimate.reach() + estimate.reach(2 * POWER - 1)
    could_show = f"{spread.labs} labs could show a difference of {shown:.2f} or more"
    low, high = cut_to_errors(low, high, rule)
    return replace(judged, reasons=(*judged.reasons, could_show), low=low, high=high)


def spread_text(spread: LabSpread) -> str:
    """Return the three standard deviations in words, with how well that between labs is known."""
    several = f"{spread.labs} labs, {spread.n} runs"
    if spread.repeatability is None or spread.between is None:
        return (
            f"{several}: reproducibility s_R {spread.reproducibility:.2f}; "
            "with one run a lab, labs and seeds cannot be told apart"
        )
    text = f"{several}: repeatability s_r {spread.repeatability:.2f}"
    text += f", between labs s_L {spread.between:.2f}"
    if spread.between_low is not None and spread.between_high is not None:
        text += f" (95 %: {spread.between_low:.2f} to {spread.between_high:.2f})"
    return f"{text}, reproducibility s_R {spread.reproducibility:.2f}"
