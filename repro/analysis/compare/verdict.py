"""One word for each of the paper's numbers: what ours, and how many of them, can say about it.

    reproduced      equal within the margin declared with the table, shown by two one-sided tests; or an equal count
    consistent      neither a difference nor its absence could be shown
    better, worse   a difference is shown; lower errors are better
    deviates        a count that is not the paper's
    not comparable  another data set, split, count of images, schedule, crop, selection or scale: looked at first
    incomplete      some seeds have not finished; what the others say stands in the reasons
    missing         nothing has finished

The rule follows what the paper's number is: a mean of n runs is met by Welch's test, a single run by the prediction
interval of ours, one seed of ours by a tolerance declared from the published spread. A run that diverged is worse than
any number, and is never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from repro.analysis.compare.statistics import (
    ALPHA,
    Estimate,
    Sample,
    mean_estimate,
    prediction_estimate,
    prediction_interval,
    sample,
    seeds_to_decide,
    smallest_shown,
    welch_difference,
)
from repro.definition.experiment import Paper
from repro.definition.words import Verdict as Word


@dataclass(frozen=True)
class Verdict:
    """A word, why, and the 95 % interval behind it: of one more run against a single number, else of our mean."""

    word: Word
    reasons: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


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


def judge(
    ours: OurValues, paper: Paper, margin: float, tolerance: float, barred: Sequence[str] = ()
) -> Verdict:
    """The word for our numbers against the paper's. `barred`: the fields in which they are of different things.

    `tolerance` is for one number against one: the published spread between seeds, or the slack of a count's last digit.
    """
    planned = max(ours.planned or 0, ours.finished)
    if not ours.finished:
        return Verdict(
            "missing", (f"none of {planned} runs has given a number",) if planned else ()
        )
    if barred:
        return Verdict("not comparable", (*barred, *_lost(ours)), *_interval(ours))
    if paper.kind == "best" and paper.n != len(ours.values):
        said = f"selection: the paper's is the best of {paper.n or 'some'}, ours are {len(ours.values)}"
        return Verdict("not comparable", (said, *_lost(ours)), *_interval(ours))
    if ours.lost:
        return _with_divergence(ours, paper, margin, tolerance, planned)
    judged = _by_kind(ours.finite, paper, margin, tolerance)
    if ours.finished < planned:
        so_far = (f"{ours.finished} of {planned} seeds have finished", f"so far: {judged.word}")
        return replace(judged, word="incomplete", reasons=so_far + judged.reasons)
    return judged


def _with_divergence(
    ours: OurValues, paper: Paper, margin: float, tolerance: float, planned: int
) -> Verdict:
    """A net that did not train is no reproduction, whatever the seeds that did say."""
    reasons = [*_lost(ours)]
    if ours.finished < planned:
        reasons.append(f"{ours.finished} of {planned} seeds have finished")
    if not ours.finite:
        return Verdict("worse", tuple(reasons))
    rest = _by_kind(ours.finite, paper, margin, tolerance)
    reasons.append(f"the other {len(ours.finite)} alone: {rest.word}")
    return replace(rest, word="worse", reasons=(*reasons, *rest.reasons))


def _lost(ours: OurValues) -> tuple[str, ...]:
    runs = f" ({', '.join(ours.diverged)})" if ours.diverged else ""
    return (f"{ours.lost} of {ours.finished} runs diverged{runs}",) if ours.lost else ()


def _by_kind(values: tuple[float, ...], paper: Paper, margin: float, tolerance: float) -> Verdict:
    ours = sample(values)
    if paper.kind == "exact":
        return _exact(ours.mean, paper, tolerance)
    if paper.kind == "best":
        said = f"best of {len(values)} against best of {paper.n}"
        return _by_tolerance(min(values), paper, tolerance, said)
    if ours.n == 1:
        return _by_tolerance(ours.mean, paper, tolerance, "one seed")
    if ours.std == 0:
        return _by_tolerance(
            ours.mean, paper, tolerance, f"{ours.n} seeds gave the same number, which counts once"
        )
    if paper.kind == "mean" and paper.std is not None and paper.n:
        return _against_mean(ours, values, paper, margin)
    return _against_single(ours, paper, margin)


def _exact(value: float, paper: Paper, slack: float) -> Verdict:
    """Equal as printed, or within the slack: the paper truncates some of its multiply-adds and rounds others."""
    seen = f"{value:.{paper.digits + 2}f}"
    if round(value, paper.digits) == round(paper.value, paper.digits):
        return Verdict("reproduced", (f"{seen} rounds to {paper.value:.{paper.digits}f}",))
    if abs(value - paper.value) <= slack + 1e-9:
        return Verdict(
            "reproduced", (f"{seen} is within one printed digit of {paper.value:.{paper.digits}f}",)
        )
    return Verdict("deviates", (f"{seen} is not {paper.value:.{paper.digits}f}",))


def _by_tolerance(value: float, paper: Paper, tolerance: float, said: str) -> Verdict:
    """One number against another says little: only a gap wider than seeds have been seen to differ is a difference."""
    gap, room = value - paper.value, tolerance + (paper.reading_error or 0.0)
    if abs(gap) <= room + 1e-9:
        return Verdict("consistent", (f"{said}: {_apart(gap)}, within the tolerance of {room:g}",))
    return Verdict(
        "better" if gap < 0 else "worse",
        (f"{said}: {_apart(gap)}, beyond the tolerance of {room:g}",),
    )


def _against_mean(ours: Sample, values: tuple[float, ...], paper: Paper, margin: float) -> Verdict:
    theirs = Sample(paper.n or 0, paper.value, paper.std or 0.0)
    estimate = welch_difference(ours, theirs)
    judged = _tested(estimate, margin, 0.0, estimate.p_different() < ALPHA)
    needed = seeds_to_decide(ours.std, margin, theirs) if judged.word == "consistent" else None
    reasons = judged.reasons + (
        _undecided(ours, margin, needed, estimate) if judged.word == "consistent" else ()
    )
    if paper.best is not None:
        fair = "" if paper.n == ours.n else f", of {paper.n}: not judged"
        reasons += (f"best of {ours.n}: {min(values):.2f} (theirs: {paper.best:.2f}{fair})",)
    low, high = mean_estimate(ours).interval()
    return replace(judged, reasons=reasons, low=low, high=high)


def _against_single(ours: Sample, paper: Paper, margin: float) -> Verdict:
    """The paper's number is one more draw, so it is compared with where one more run of ours would fall.

    What was read off a figure may be wrong by its reading error: that much is granted before a difference is seen, and
    taken off the margin before equality is.
    """
    estimate, doubt = prediction_estimate(ours, paper.value), paper.reading_error or 0.0
    low, high = prediction_interval(ours)
    judged = _tested(estimate, margin, doubt, not low - doubt <= paper.value <= high + doubt)
    reasons = judged.reasons
    if judged.word == "consistent":
        reasons += _undecided(ours, margin, seeds_to_decide(ours.std, margin - doubt), estimate)
    return replace(judged, reasons=reasons, low=low, high=high)


def _tested(estimate: Estimate, margin: float, doubt: float, different: bool) -> Verdict:
    """Equality is asked first: a difference too small to matter is shown often enough by tight seeds."""
    equal = estimate.p_within(margin - doubt) if margin > doubt else 1.0
    gap = _apart(estimate.difference)
    if equal < ALPHA:
        return Verdict(
            "reproduced",
            (f"{gap}; equal within ±{margin:g} by two one-sided tests (p = {_p(equal)})",),
        )
    if different:
        return Verdict(
            "better" if estimate.difference < 0 else "worse",
            (f"{gap}, more than the spread of seeds explains",),
        )
    return Verdict("consistent", (f"{gap}, which the spread of seeds can explain",))


def _undecided(
    ours: Sample, margin: float, needed: int | None, estimate: Estimate
) -> tuple[str, ...]:
    shown = smallest_shown(estimate.error, estimate.freedom)
    decide = f"{needed} seeds would decide" if needed else "no number of seeds would decide"
    because = "" if needed else ": the other side has too few runs"
    return (
        f"{decide} whether it is within ±{margin:g}{because}",
        f"{ours.n} seeds could show a difference of {shown:.2f} or more",
    )


def _interval(ours: OurValues) -> tuple[float | None, float | None]:
    """The interval of our mean, where nothing is judged."""
    return mean_estimate(sample(ours.finite)).interval() if len(ours.finite) > 1 else (None, None)


def _apart(gap: float) -> str:
    return (
        f"{abs(gap):.2f} {'lower' if gap < 0 else 'higher'}"
        if abs(gap) >= 0.005
        else "equal as printed"
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"
