"""The paper's sentences, judged: holds, fails, undecided, missing, or not checked.

An ordering is a one-sided test, paired by seed where both nets have the same seeds and Welch's
where not. A claim holds if each of its parts is shown, so its p is the largest of theirs; it
fails if the opposite of one part is shown, for which the smallest counts, times the number of
parts. Each is divided by the part of the 5 % that this look may spend, and both are adjusted by
Holm over all claims that are asked at once. Counts need no test.

What no test can decide is undecided: a run that diverged, a threshold of the paper's at another
scale, one seed whose predictions were not kept. Of one seed each, a claim about these nets can
still be judged image by image; it then has words of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from repro.analysis.compare.claim_tests import judge_bound, judge_close, judge_count, judge_ordering
from repro.analysis.compare.cost_of_looking import LookBook
from repro.analysis.compare.curve_claims import judge_most_layers, judge_ordering_throughout
from repro.analysis.compare.seed_groups import Finding
from repro.analysis.compare.seed_statistics import ALPHA, holm_adjusted
from repro.analysis.runs.run_frames import Collected
from repro.definition.claim_checks import (
    Bound,
    Check,
    Close,
    Counted,
    InMostLayers,
    Ordering,
    Unchecked,
)
from repro.definition.experiment import Claim, Experiment, Skipped
from repro.definition.verdicts_and_states import ClaimVerdict

CERTAIN = ("holds", "fails", "not checked")  # words of a part that no test decides


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and its verdict.

    `p` is adjusted for all claims judged with it and for earlier looks; None where not all could be
    tested. `looks`: how many different sets of runs it has been judged by.
    """

    experiment: str
    claim: Claim
    word: ClaimVerdict
    p: float | None
    evidence: tuple[Finding, ...]
    looks: int = 1

    @property
    def checked(self) -> bool:
        """Whether anything here could decide it."""
        return self.word != ClaimVerdict.UNCHECKED

    @property
    def by_counting(self) -> bool:
        """Whether it follows from counting alone, so that no run could have changed it."""
        return all(isinstance(check, Counted) for check in self.claim.checks)

    @property
    def tested(self) -> bool:
        """Whether a test of runs was made: it belongs to the family that is corrected together."""
        return any(finding.p is not None for finding in self.evidence)


@dataclass(frozen=True)
class _Weighed:
    """A claim's evidence, and what it says before all claims are corrected together."""

    experiment: str
    claim: Claim
    evidence: tuple[Finding, ...]
    shown: float  # p of "all parts are true"
    refuted: float  # p of "the opposite of some part is true"
    looks: int

    @property
    def tested(self) -> bool:
        return any(finding.p is not None for finding in self.evidence)


def judge_claims(
    declared: Mapping[str, Experiment],
    scaled: Mapping[str, Experiment],
    collected: Collected,
    books: Mapping[str, LookBook] | None = None,
) -> list[JudgedClaim]:
    """Return every claim of some experiments, each once, judged.

    `declared` has them as the paper has them, `scaled` as they ran. `books`: the earlier looks at
    each experiment; without them each claim is looked at for the only time, with all of the 5 %.
    """
    weighed: dict[str, _Weighed] = {}
    for name, claim, printed in _claims(declared, scaled):
        if claim.id not in weighed:
            evidence: list[Finding] = []
            for check, original in zip(claim.checks, printed.checks, strict=True):
                evidence += _findings(check, original, collected)
            book = (books or {}).get(name)
            weighed[claim.id] = _weigh(name, claim, tuple(evidence), book)
    return _corrected(list(weighed.values()))


def _claims(
    declared: Mapping[str, Experiment], scaled: Mapping[str, Experiment]
) -> Iterator[tuple[str, Claim, Claim]]:
    """Yield each claim with its experiment, as it ran and as the paper has it."""
    for name, experiment in scaled.items():
        paper = declared[name]
        if isinstance(experiment, Skipped) or isinstance(paper, Skipped):
            continue
        for claim, printed in zip(experiment.claims, paper.claims, strict=True):
            yield name, claim, printed


def _findings(check: Check, printed: Check, collected: Collected) -> Sequence[Finding]:
    """Return what the runs say about one check.

    `printed` is the check at scale paper, in whose iterations it is written.
    """
    match check, printed:
        case Ordering(throughout=None), _:
            return judge_ordering(check, collected)
        case Ordering(), Ordering():
            return judge_ordering_throughout(check, printed, collected)
        case InMostLayers(), _:
            return [judge_most_layers(check, collected)]
        case Bound(), _:
            return [judge_bound(check, collected)]
        case Close(), _:
            return [judge_close(check, collected)]
        case Counted(), _:
            return [judge_count(check)]
        case Unchecked(reason), _:
            return [Finding("not checked", f"not checked here: {reason}")]
    raise AssertionError(check)


def _weigh(
    name: str, claim: Claim, evidence: tuple[Finding, ...], book: LookBook | None
) -> _Weighed:
    """Combine the parts of a claim, each p-value divided by what this look at it may spend."""
    shown, against, looks = [0.0], [1.0], 1
    for number, finding in enumerate(evidence, start=1):
        if finding.p is None or finding.against is None:
            continue
        part = f"{claim.id} part {number}"
        portion = 1.0
        if book:
            portion = book.portion(part, finding)
            looks = max(looks, book.count(part, finding))
        shown.append(min(1.0, finding.p / portion))
        against.append(min(1.0, finding.against / portion))
    # Parts whose runs are missing will be tested too, and are counted from the beginning.
    testable = sum(finding.word not in CERTAIN for finding in evidence)
    refuted = min(1.0, testable * min(against))
    return _Weighed(name, claim, evidence, max(shown), refuted, looks)


def _corrected(weighed: Sequence[_Weighed]) -> list[JudgedClaim]:
    """Return the verdicts, with the p-values of all tested claims corrected together."""
    # Counts and claims without runs are no tests: they do not make the others harder to show.
    tested = [one for one in weighed if one.tested]
    shown = iter(holm_adjusted([one.shown for one in tested]))
    refuted = iter(holm_adjusted([one.refuted for one in tested]))
    judged = []
    for one in weighed:
        corrected, p = None, None
        if one.tested:
            corrected = replace(one, shown=next(shown), refuted=next(refuted))
        word = _word(one.evidence, corrected)
        if corrected and word != ClaimVerdict.MISSING:
            p = corrected.shown
        judged.append(JudgedClaim(one.experiment, one.claim, word, p, one.evidence, one.looks))
    return judged


def _word(evidence: Sequence[Finding], tested: _Weighed | None) -> ClaimVerdict:
    """Return the word; `tested` has the corrected p-values, None where nothing was tested."""
    words = {finding.word for finding in evidence}
    holds, fails = _words_of_scope(evidence)
    if words == {"not checked"}:
        return ClaimVerdict.UNCHECKED
    if "fails" in words:
        return ClaimVerdict.FAILS
    # Before `missing`: one refuted part is enough, whatever the others will say.
    if tested is not None and tested.refuted < ALPHA:
        return fails
    if "missing" in words:
        return ClaimVerdict.MISSING
    if words & {"undecided", "not checked"}:
        return ClaimVerdict.UNDECIDED
    if tested is None:
        return ClaimVerdict.HOLDS
    if tested.shown >= ALPHA:
        return ClaimVerdict.UNDECIDED
    return holds


def _words_of_scope(evidence: Sequence[Finding]) -> tuple[ClaimVerdict, ClaimVerdict]:
    # One seed of each net says nothing of the recipe: such words say that they are of these nets.
    if any(finding.here for finding in evidence):
        return ClaimVerdict.HOLDS_HERE, ClaimVerdict.FAILS_HERE
    return ClaimVerdict.HOLDS, ClaimVerdict.FAILS
