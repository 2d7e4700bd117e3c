"""One word for each of the paper's numbers: what ours, and how many of them, can say about it.

    reproduced      equal within the declared margin, by two one-sided tests; or an equal count
    consistent      neither a difference nor its absence could be shown
    better, worse   a difference is shown; lower errors are better
    deviates        a count that is not the paper's, or another difference that is no error
    not comparable  another data set, split, schedule, crop, selection or scale: looked at first
    incomplete      some seeds have not finished; what the others say stands in the reasons
    missing         nothing has finished

The rule follows what the paper's number is: a mean of n runs is met by Welch's test, a single run
by the prediction interval of ours, one seed of ours by a tolerance derived from the published
spread. A run that diverged is worse than any number, and is never dropped. Where several labs have
the row, `lab_verdict` asks the mean of their means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from repro.analysis.compare.margins import Rule
from repro.analysis.compare.number_text import gap_text, p_text
from repro.analysis.compare.power import seeds_to_decide, smallest_shown
from repro.analysis.compare.seed_statistics import (
    ALPHA,
    Estimate,
    Sample,
    Tests,
    mean_estimate,
    prediction_estimate,
    sample,
    welch_difference,
)
from repro.definition.experiment import Paper
from repro.definition.verdicts_and_states import Verdict


@dataclass(frozen=True)
class Judgement:
    """A word, why, and the 95 % interval behind it: of one more run, or of our mean.

    `p` is of "our number is different"; None where none is tested.
    """

    word: Verdict
    reasons: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class OurValues:
    """What our runs gave for one metric. A value that is not finite is a run that diverged."""

    values: tuple[float, ...]
    planned: int | None = None  # seeds that were asked for; None: those there are
    diverged: tuple[str, ...] = ()  # runs that gave no number, as a reader would look for them

    @property
    def finite(self) -> tuple[float, ...]:
        return tuple(value for value in self.values if math.isfinite(value))

    @property
    def lost(self) -> int:
        return len(self.values) - len(self.finite) + len(self.diverged)

    @property
    def finished(self) -> int:
        return len(self.values) + len(self.diverged)


def judge(ours: OurValues, paper: Paper, rule: Rule, incomparable: Sequence[str] = ()) -> Judgement:
    """Return the word for our numbers against the paper's.

    `incomparable`: the fields in which the two are of different things.
    """
    planned = max(ours.planned or 0, ours.finished)
    if not ours.finished:
        return _missing(planned)
    if paper.kind == "best" and paper.n != len(ours.values):
        count = paper.n or "some"
        incomparable = (
            *incomparable,
            f"selection: the paper's is the best of {count}, ours are {len(ours.values)}",
        )
    if incomparable:
        low, high = _interval_of_mean(ours, rule)
        return Judgement(Verdict.NOT_COMPARABLE, (*incomparable, *_lost(ours)), low, high)
    # Before the count of seeds: a run that diverged makes the row worse, whatever is to come.
    if ours.lost:
        return _with_divergence(ours, paper, rule, planned)
    judged = _by_kind(ours.finite, paper, rule)
    if ours.finished < planned:
        so_far = (f"{ours.finished} of {planned} seeds have finished", f"so far: {judged.word}")
        return replace(judged, word=Verdict.INCOMPLETE, reasons=so_far + judged.reasons)
    return judged


def judge_count(value: float, paper: Paper, slack: float = 0.0) -> Judgement:
    """Return whether a count is the paper's as printed, or within the slack."""
    seen, printed = f"{value:.{paper.digits + 2}f}", f"{paper.value:.{paper.digits}f}"
    if round(value, paper.digits) == round(paper.value, paper.digits):
        return Judgement(Verdict.REPRODUCED, (f"{seen} rounds to {printed}",))
    if abs(value - paper.value) <= slack + 1e-9:
        return Judgement(Verdict.REPRODUCED, (f"{seen} is within one printed digit of {printed}",))
    return Judgement(Verdict.DEVIATES, (f"{seen} is not {printed}",))


def _missing(planned: int) -> Judgement:
    if not planned:
        return Judgement(Verdict.MISSING)
    return Judgement(Verdict.MISSING, (f"none of {planned} runs has given a number",))


def _with_divergence(ours: OurValues, paper: Paper, rule: Rule, planned: int) -> Judgement:
    """Return `worse`: a net that did not train is no reproduction, whatever the other seeds say."""
    reasons = [*_lost(ours)]
    if ours.finished < planned:
        reasons.append(f"{ours.finished} of {planned} seeds have finished")
    if not ours.finite:
        return Judgement(Verdict.WORSE, tuple(reasons))
    rest = _by_kind(ours.finite, paper, rule)
    reasons.append(f"the other {len(ours.finite)} alone: {rest.word}")
    return replace(rest, word=Verdict.WORSE, reasons=(*reasons, *rest.reasons), p=None)


def _lost(ours: OurValues) -> tuple[str, ...]:
    if not ours.lost:
        return ()
    text = f"{ours.lost} of {ours.finished} runs diverged"
    if ours.diverged:
        text += f" ({', '.join(ours.diverged)})"
    return (text,)


def _by_kind(values: tuple[float, ...], paper: Paper, rule: Rule) -> Judgement:
    ours = sample(values)
    if paper.kind == "best":
        said = f"best of {ours.n} against best of {ours.n}"
        return judge_one_number(min(values), paper, rule, said)
    if ours.n == 1:
        return judge_one_number(ours.mean, paper, rule, "one seed")
    if ours.std == 0:
        # No spread that could be tested against, so that the published one stands for it.
        said = f"{ours.n} seeds gave the same number, which counts once"
        return judge_one_number(ours.mean, paper, rule, said)
    if paper.kind == "mean" and paper.std is not None and paper.n:
        return _against_mean(ours, values, paper, rule)
    return _against_single(ours, paper, rule)


def judge_one_number(value: float, paper: Paper, rule: Rule, said: str) -> Judgement:
    """Judge one number against one, by how far seeds are known to differ; never `reproduced`."""
    gap, doubt = value - paper.value, paper.reading_error or 0.0
    room = rule.tolerance(paper) + doubt
    p = rule.p_of_one_seed(max(abs(gap) - doubt, 0.0), paper)
    side = "within" if abs(gap) <= room + 1e-9 else "beyond"
    reason = (
        f"{said}: {gap_text(gap)}, {side} the tolerance of {room:.2f}, "
        f"which chance alone exceeds {rule.false_alarms:.0%} of the time"
    )
    if side == "within":
        return Judgement(Verdict.CONSISTENT, (reason,), p=p)
    return Judgement(_different(gap, rule), (reason,), p=p)


def _against_mean(ours: Sample, values: tuple[float, ...], paper: Paper, rule: Rule) -> Judgement:
    """Judge our seeds against a published mean of n runs, by Welch's test."""
    theirs = Sample(paper.n or 0, paper.value, paper.std or 0.0)
    estimate = welch_difference(ours, theirs)
    judged = judgement_of(estimate, rule, 0.0)
    reasons = judged.reasons
    if judged.word == Verdict.CONSISTENT:
        needed = seeds_to_decide(ours.std, rule.margin, theirs)
        reasons += _what_would_decide(ours, rule, needed, estimate)
    if paper.best is not None:
        # The best of many is better than the best of few, so such a pair is only shown.
        unfair = "" if paper.n == ours.n else f", of {paper.n}: not judged"
        reasons += (f"best of {ours.n}: {min(values):.2f} (theirs: {paper.best:.2f}{unfair})",)
    low, high = cut_to_errors(*mean_estimate(ours).interval(), rule)
    return replace(judged, reasons=reasons, low=low, high=high)


def _against_single(ours: Sample, paper: Paper, rule: Rule) -> Judgement:
    """Judge our seeds against one more draw, so by where one more run of ours would fall."""
    # What was read off a figure may be wrong by its reading error: that much is granted before a
    # difference is seen, and taken off the margin before equality is.
    doubt = paper.reading_error or 0.0
    estimate = prediction_estimate(ours, paper.value, rule.spread)
    judged = judgement_of(estimate, rule, doubt)
    reasons = judged.reasons
    if judged.word == Verdict.CONSISTENT:
        needed = seeds_to_decide(ours.std, rule.margin - doubt, spread=rule.spread)
        reasons += _what_would_decide(ours, rule, needed, estimate)
    low, high = estimate.interval()
    low, high = cut_to_errors(low + paper.value, high + paper.value, rule)
    return replace(judged, reasons=reasons, low=low, high=high)


def judgement_of(
    estimate: Tests, rule: Rule, doubt: float, spread: str = "the spread of seeds"
) -> Judgement:
    """Return the word for a difference, asking for equality first."""
    # A difference too small to matter is often shown by tight seeds, and it does not matter.
    gap = gap_text(estimate.difference)
    p = estimate.p_different(doubt)
    p_equal = 1.0
    if rule.margin > doubt:
        p_equal = estimate.p_within(rule.margin - doubt)
    if p_equal < ALPHA:
        within = f"equal within ±{rule.margin:g} by two one-sided tests (p = {p_text(p_equal)})"
        return Judgement(Verdict.REPRODUCED, (f"{gap}; {within}",), p=p)
    if p < rule.false_alarms:
        reason = f"{gap}, more than {spread} explains"
        return Judgement(_different(estimate.difference, rule), (reason,), p=p)
    return Judgement(Verdict.CONSISTENT, (f"{gap}, which {spread} can explain",), p=p)


def _different(gap: float, rule: Rule) -> Verdict:
    if not rule.is_error:
        return Verdict.DEVIATES
    if gap < 0:
        return Verdict.BETTER
    return Verdict.WORSE


def _what_would_decide(
    ours: Sample, rule: Rule, needed: int | None, estimate: Estimate
) -> tuple[str, ...]:
    shown = smallest_shown(estimate.error, estimate.freedom)
    could_show = f"{ours.n} seeds could show a difference of {shown:.2f} or more"
    question = f"whether it is within ±{rule.margin:g}"
    if needed:
        return f"{needed} seeds would decide {question}", could_show
    because = "the other side has too few runs"
    return f"no number of seeds would decide {question}: {because}", could_show


def _interval_of_mean(ours: OurValues, rule: Rule) -> tuple[float | None, float | None]:
    """Return the interval of our mean, where nothing is judged."""
    if len(ours.finite) < 2:
        return None, None
    return cut_to_errors(*mean_estimate(sample(ours.finite)).interval(), rule)


def cut_to_errors(low: float, high: float, rule: Rule) -> tuple[float, float]:
    """Cut an interval at what an error can be."""
    if not rule.is_error:
        return low, high
    return max(low, 0.0), min(high, 100.0)
