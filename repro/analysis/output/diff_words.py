"""The words of a diff: its summary, and each number, claim and departure as a phrase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from repro.analysis.compare.claim_tests import Finding
from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.diff import Diff
from repro.analysis.compare.numbers import JudgedNumber
from repro.definition.experiment import Paper
from repro.definition.words import ClaimVerdict, Verdict
from repro.protocol.deviations import departure_lines

# Verdicts in sentences: of one, of several.
CLAIM_VERBS = {
    ClaimVerdict.HOLDS: ("holds", "hold"),
    ClaimVerdict.FAILS: ("fails", "fail"),
    ClaimVerdict.UNDECIDED: ("is undecided", "are undecided"),
    ClaimVerdict.MISSING: ("waits for runs", "wait for runs"),
}
COMPARISONS = {Verdict.CONSISTENT: "with", Verdict.BETTER: "than", Verdict.WORSE: "than"}
FEW = 3  # rows that the summary names one by one

Paint = Callable[[str, str], str]  # a text and the verdict whose colour it gets


def summary(diff: Diff) -> str:
    """Return what a colleague would be told."""
    sentences = []
    if diff.scale != "paper":
        sentences.append(f"At scale {diff.scale}.")
    sentences.append(diff.note)
    if not diff.against:
        sentences.append(_claims_in_words([claim for claim in diff.claims if claim.checked]))
    sentences.append(_numbers_in_words(diff.rows, diff.against or "the paper"))
    if diff.lacking:
        sentences.append(f"{len(diff.lacking)} of {diff.asked} runs have not finished.")
    if diff.problems:
        count = len(diff.problems)
        sentences.append(f"{count} folder{plural(count)} with problems.")
    return " ".join(filter(None, sentences))


def departure_text(diff: Diff) -> list[str]:
    """Return a line for each departure, with the nets it concerns where it does not concern all."""
    return departure_lines(diff.ledger)


def verdict_text(row: JudgedNumber) -> str:
    """Return the verdict; `incomplete` says how far it is."""
    if row.verdict.word == Verdict.INCOMPLETE:
        return f"{row.verdict.word} {row.n}/{row.planned}"
    return str(row.verdict.word)


def number_line(row: JudgedNumber, paint: Paint = lambda text, word: text) -> str:
    """Return `table6 ResNet-20 test_error: 8.61 vs 8.75 consistent (n=5)`."""
    ours = "–" if row.mean is None else f"{row.mean:.{_digits(row)}f}"
    paper = f"{row.paper.value:.{row.paper.digits}f}"
    about = list(row.flags)
    # A count is of no seeds, and `incomplete` says how many there are.
    if row.n and row.paper.kind != "exact" and row.verdict.word != Verdict.INCOMPLETE:
        about.insert(0, f"n={row.n}")
    line = f"{_name(row)}: {ours} vs {paper} {paint(verdict_text(row), row.verdict.word)}"
    return f"{line} ({'; '.join(about)})" if about else line


def paper_cell(paper: Paper) -> str:
    """Return the paper's number with its spread, or how well it was read off a figure."""
    text = f"{paper.value:.{paper.digits}f}"
    if paper.std is not None:
        text += f" ± {paper.std:.{paper.digits}f}"
    if paper.std is not None and paper.n:
        text += f" (n = {paper.n})"
    if paper.reading_error:
        text += f" (read off, ± {paper.reading_error:g})"
    return text


def our_cell(row: JudgedNumber) -> str:
    """Return our number with its spread and the number of seeds; a count has neither."""
    if row.mean is None:
        return "–"
    text = f"{row.mean:.{_digits(row)}f}"
    if row.paper.kind == "exact":
        return text
    if row.std is not None:
        text += f" ± {row.std:.2f}"
    return f"{text} (n = {row.n})"


def evidence_text(finding: Finding) -> str:
    """Return one part of a claim, with its effect and the interval."""
    if finding.low is None or finding.high is None or finding.p is None:
        return finding.said
    effect = f"{finding.effect:.3g} ({finding.low:.3g} to {finding.high:.3g})"
    return f"{finding.said}: {effect}, p = {p_value(finding.p)} alone"


def p_value(value: float) -> str:
    """Return a p-value to three decimals, or `below 0.001`."""
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"


def _numbers_in_words(rows: Sequence[JudgedNumber], other: str) -> str:
    """Return `Of 6 numbers, 5 are reproduced, 1 is missing (ResNet-20 test_error).`"""
    if not rows:
        return f"There is no number of {other} to compare with."
    by_verdict: dict[Verdict, list[JudgedNumber]] = {}
    for row in rows:
        by_verdict.setdefault(row.verdict.word, []).append(row)
    parts = []
    for verdict, some in sorted(by_verdict.items(), key=lambda item: -len(item[1])):
        part = f"{len(some)} {'is' if len(some) == 1 else 'are'} {verdict}"
        if verdict in COMPARISONS:
            part += f" {COMPARISONS[verdict]} {other}"
        if len(some) <= FEW < len(rows):
            part += f" ({', '.join(f'{row.row} {row.metric}' for row in some)})"
        parts.append(part)
    return f"Of {len(rows)} number{plural(len(rows))}, {', '.join(parts)}."


def _claims_in_words(claims: Sequence[JudgedClaim]) -> str:
    """Return `Of 31 claims that can be checked, 6 hold, 3 are undecided, 22 wait for runs.`"""
    if not claims:
        return ""
    counts = Counter(claim.word for claim in claims)
    parts = []
    for verdict, (of_one, of_several) in CLAIM_VERBS.items():
        count = counts[verdict]
        if not count:
            continue
        part = f"{count} {of_one if count == 1 else of_several}"
        if verdict == ClaimVerdict.FAILS:
            failed = [claim.claim.id for claim in claims if claim.word == verdict]
            part += f" ({', '.join(failed)})"
        parts.append(part)
    return f"Of {len(claims)} claim{plural(len(claims))} that can be checked, {', '.join(parts)}."


def _name(row: JudgedNumber) -> str:
    return f"{row.experiment} {row.row} {row.metric}"


def _digits(row: JudgedNumber) -> int:
    """Return how many decimals of ours are shown: of a count, two more than the paper prints."""
    return row.paper.digits + 2 if row.paper.kind == "exact" else 2


def plural(count: int) -> str:
    """Return the ending of a noun of which there are so many."""
    return "" if count == 1 else "s"
