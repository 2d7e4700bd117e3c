"""The paper's sentences, judged: holds, fails, undecided, or missing.

An ordering is a one-sided test, paired by seed where both nets have the same seeds and Welch's where not. A claim holds
if each of its parts is shown, so its p is the largest of theirs; it fails if the opposite of one part is shown, for
which the smallest counts, times the number of parts. Both are adjusted by Holm over all claims that are asked at once.
Counts need no test. What no test can decide is undecided: one seed, a run that diverged, a threshold of the paper's at
another scale, a claim that nothing here checks; the evidence says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repro.analysis.compare.claim_tests import (
    Finding,
    judge_bound,
    judge_close,
    judge_count,
    judge_most_layers,
    judge_ordering,
    judge_ordering_throughout,
)
from repro.analysis.compare.statistics import ALPHA, holm_adjusted
from repro.analysis.runs.frames import Collected
from repro.definition.experiment import (
    Bound,
    Check,
    Claim,
    Close,
    Counted,
    Experiment,
    InMostLayers,
    Ordering,
    Skipped,
    Unchecked,
)
from repro.definition.words import ClaimVerdict


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and its verdict. `p` is adjusted over all claims judged with it; None where not all could be tested."""

    experiment: str
    claim: Claim
    word: ClaimVerdict
    p: float | None
    evidence: tuple[Finding, ...]

    @property
    def checked(self) -> bool:
        """Whether anything here could decide it."""
        return not all(isinstance(check, Unchecked) for check in self.claim.checks)


def judge_claims(
    declared: Mapping[str, Experiment], scaled: Mapping[str, Experiment], collected: Collected
) -> list[JudgedClaim]:
    """Every claim of some experiments, each once. `declared` has them as the paper has them, `scaled` as they ran."""
    found: dict[str, tuple[str, Claim, tuple[Finding, ...]]] = {}
    for name, experiment in scaled.items():
        paper = declared[name]
        if isinstance(experiment, Skipped) or isinstance(paper, Skipped):
            continue
        for claim, printed in zip(experiment.claims, paper.claims, strict=True):
            if claim.id not in found:
                found[claim.id] = name, claim, _evidence(claim, printed, collected)
    return _adjusted(list(found.values()))


def _evidence(claim: Claim, printed: Claim, collected: Collected) -> tuple[Finding, ...]:
    pairs = zip(claim.checks, printed.checks, strict=True)
    return tuple(
        finding for check, original in pairs for finding in _found(check, original, collected)
    )


def _found(check: Check, printed: Check, collected: Collected) -> Sequence[Finding]:
    """What the runs say about one check. `printed` is the check at scale paper, in whose iterations it is written."""
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
            return [Finding("undecided", f"not checked here: {reason}")]
    raise AssertionError(check)


def _adjusted(found: list[tuple[str, Claim, tuple[Finding, ...]]]) -> list[JudgedClaim]:
    """The words, once the p-values of all claims are known."""
    tested = [
        at
        for at, (_, _, evidence) in enumerate(found)
        if any(finding.p is not None for finding in evidence)
    ]
    shown = dict(zip(tested, holm_adjusted([_shown(found[at][2]) for at in tested]), strict=True))
    refuted = dict(
        zip(tested, holm_adjusted([_refuted(found[at][2]) for at in tested]), strict=True)
    )
    words = [
        _word(evidence, shown.get(at), refuted.get(at)) for at, (_, _, evidence) in enumerate(found)
    ]
    return [
        JudgedClaim(name, claim, word, None if word == "missing" else shown.get(at), evidence)
        for at, ((name, claim, evidence), word) in enumerate(zip(found, words, strict=True))
    ]


def _shown(evidence: Sequence[Finding]) -> float:
    """p of "all parts are true": the largest."""
    return max(finding.p for finding in evidence if finding.p is not None)


def _refuted(evidence: Sequence[Finding]) -> float:
    """p of "the opposite of some part is true": the smallest, times the number of parts."""
    against = [finding.against for finding in evidence if finding.against is not None]
    return min(1.0, len(against) * min(against)) if against else 1.0


def _word(evidence: Sequence[Finding], shown: float | None, refuted: float | None) -> ClaimVerdict:
    words = {finding.word for finding in evidence}
    if "fails" in words or (refuted is not None and refuted < ALPHA):
        return "fails"
    if "missing" in words:
        return "missing"
    if "undecided" in words:
        return "undecided"
    return "holds" if shown is None or shown < ALPHA else "undecided"
