"""The words of a diff: its summary, and each number, claim and departure as a phrase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from repro.analysis.compare.between_labs import LabSpread
from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.judged_numbers import JudgedNumber
from repro.analysis.compare.measured_weights import MeasuredNumber
from repro.analysis.compare.number_text import mean_text, p_text
from repro.analysis.compare.paper_diff import Diff
from repro.analysis.compare.seed_groups import Finding
from repro.definition.verdicts_and_states import ClaimVerdict, Verdict

# Verdicts in sentences: of one, of several.
CLAIM_VERBS = {
    ClaimVerdict.HOLDS: ("holds", "hold"),
    ClaimVerdict.FAILS: ("fails", "fail"),
    ClaimVerdict.HOLDS_HERE: ("holds for these nets", "hold for these nets"),
    ClaimVerdict.FAILS_HERE: ("fails for these nets", "fail for these nets"),
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
        sentences += _claims_in_words(diff)
    sentences.append(_numbers_in_words(diff.rows, diff.against or "the paper"))
    sentences.append(_labs_in_words(diff.rows))
    sentences.append(_false_words(diff))
    if diff.measured:
        sentences.append(_measured_in_words(diff.measured))
    if diff.lacking:
        sentences.append(f"{len(diff.lacking)} of {diff.asked} runs have not finished.")
    if diff.problems:
        count = len(diff.problems)
        sentences.append(f"{count} folder{plural(count)} with problems.")
    return " ".join(filter(None, sentences))


def verdict_text(row: JudgedNumber) -> str:
    """Return the verdict; `incomplete` says how far it is."""
    if row.verdict.word == Verdict.INCOMPLETE:
        return f"{row.verdict.word} {row.n}/{row.planned}"
    return str(row.verdict.word)


def number_line(row: JudgedNumber, paint: Paint = lambda text, word: text) -> str:
    """Return `table6 ResNet-20 test_error: 8.61 vs 8.75 consistent (n=5)`.

    Of several labs, the mean is of theirs: that is what the verdict is about.
    """
    mean = row.labs.spread.mean if row.labs else row.mean
    ours = "–" if mean is None else f"{mean:.{_digits(row)}f}"
    paper = f"{row.paper.value:.{row.paper.digits}f}"
    about = [flag.partition(":")[0].partition(",")[0] for flag in row.flags]
    # A count is of no seeds, and `incomplete` says how many there are.
    if row.labs:
        about = [*_spreads(row.labs.spread), *about]
    elif row.n and row.paper.kind != "exact" and row.verdict.word != Verdict.INCOMPLETE:
        about.insert(0, f"n={row.n}")
    name = f"{row.experiment} {row.row} {row.metric}"
    line = f"{name}: {ours} vs {paper} {paint(verdict_text(row), row.verdict.word)}"
    return f"{line} ({'; '.join(about)})" if about else line


def our_cell(row: JudgedNumber) -> str:
    """Return our number with its spread and the number of seeds; a count has neither.

    Of several labs: the mean of their means, and s_R, the spread of one run of one lab.
    """
    if row.labs:
        spread = row.labs.spread
        text = mean_text(spread.mean, spread.reproducibility, _digits(row))
        return f"{text} ({spread.labs} labs, n = {spread.n})"
    if row.mean is None:
        return "–"
    text = mean_text(row.mean, row.std, _digits(row))
    return text if row.paper.kind == "exact" else f"{text} (n = {row.n})"


def evidence_text(finding: Finding) -> str:
    """Return one part of a claim, with its effect and the interval."""
    if finding.low is None or finding.high is None or finding.p is None:
        return finding.said
    effect = f"{finding.effect:.3g} ({finding.low:.3g} to {finding.high:.3g})"
    return f"{finding.said}: {effect}, p = {p_text(finding.p)} alone"


def _spreads(spread: LabSpread) -> list[str]:
    """Return `5 labs`, `n=23`, and the three standard deviations as far as they are known."""
    parts = [f"{spread.labs} labs", f"n={spread.n}"]
    if spread.repeatability is not None and spread.between is not None:
        parts += [f"s_r={spread.repeatability:.2f}", f"s_L={spread.between:.2f}"]
    return [*parts, f"s_R={spread.reproducibility:.2f}"]


def _labs_in_words(rows: Sequence[JudgedNumber]) -> str:
    """Return which labs there are, and that verdicts are of their mean."""
    several = [row.labs for row in rows if row.labs]
    if not several:
        return ""
    names = dict.fromkeys(number.lab for labs in several for number in labs.numbers)
    count = len(several)
    verb = plural(count, "is", "are")
    return (
        f"{count} number{plural(count)} {verb} of several labs ({', '.join(names)}): "
        "judged is the mean of the labs' means."
    )


def _numbers_in_words(rows: Sequence[JudgedNumber], other: str) -> str:
    """Return `Of 6 numbers, 5 are reproduced, 1 is missing (ResNet-20 test_error).`"""
    if not rows:
        return f"There is no number of {other} to compare with."
    by_verdict: dict[Verdict, list[JudgedNumber]] = {}
    for row in rows:
        by_verdict.setdefault(row.verdict.word, []).append(row)
    parts = []
    for verdict, some in sorted(by_verdict.items(), key=lambda item: -len(item[1])):
        part = f"{len(some)} {plural(len(some), 'is', 'are')} {verdict}"
        if verdict in COMPARISONS:
            part += f" {COMPARISONS[verdict]} {other}"
        if len(some) <= FEW < len(rows):
            part += f" ({', '.join(f'{row.row} {row.metric}' for row in some)})"
        parts.append(part)
    return f"Of {len(rows)} number{plural(len(rows))}, {', '.join(parts)}."


def measured_line(number: MeasuredNumber, paint: Paint = lambda text, word: text) -> str:
    """Return `table3 ResNet-50 ten_crop_top1, the authors' ResNet-50: 22.85 vs 22.85 equal`."""
    printed = number.printed
    name = f"{number.experiment} {number.row} {number.metric}, {number.weights}"
    compared = f"{number.error:.{printed.digits}f} vs {printed.value:.{printed.digits}f}"
    return f"{name}: {compared} {paint(number.word, number.word)}"


def _measured_in_words(numbers: Sequence[MeasuredNumber]) -> str:
    """Return how many numbers of released weights stand how to the paper's and to their own."""
    in_paper = [number for number in numbers if number.paper is not None]
    published = [number for number in numbers if number.published is not None]
    parts = []
    if in_paper:
        parts.append(f"to the paper's: {_counted(number.against_paper for number in in_paper)}")
    if published:
        text = _counted(number.against_published for number in published)
        parts.append(f"to those published for them: {text}")
    count = f"{len(numbers)} number{plural(len(numbers))}"
    return f"Released weights give {count} ({'; '.join(parts)})."


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


def _claims_in_words(diff: Diff) -> list[str]:
    """Return sentences about the claims that runs decide and those that counting decides."""
    by_runs = [claim for claim in diff.claims if claim.checked and not claim.by_counting]
    counted = [claim for claim in diff.claims if claim.checked and claim.by_counting]
    tested = [claim for claim in by_runs if claim.tested]
    sentences = []
    if by_runs:
        count = f"{len(by_runs)} claim{plural(len(by_runs))} that runs can decide"
        sentences.append(f"Of {count}, {_counts_in_words(by_runs)}.")
    if tested:
        family = ", ".join(dict.fromkeys(claim.experiment for claim in tested))
        sentences.append(
            f"Their p-values are corrected over the {len(tested)} tested "
            f"of {family}, and for earlier looks."
        )
    if counted:
        verb = plural(len(counted), "follows", "follow")
        count = f"{len(counted)} claim{plural(len(counted))} that {verb}"
        sentences.append(f"Of {count} from counting, {_counts_in_words(counted)}.")
    return sentences


def _counts_in_words(claims: Sequence[JudgedClaim]) -> str:
    """Return `6 hold, 1 fails (F7-1), 3 are undecided, 22 wait for runs`."""
    counts = Counter(claim.word for claim in claims)
    parts = []
    for verdict, (of_one, of_several) in CLAIM_VERBS.items():
        count = counts[verdict]
        if not count:
            continue
        part = f"{count} {plural(count, of_one, of_several)}"
        if verdict in (ClaimVerdict.FAILS, ClaimVerdict.FAILS_HERE):
            failed = [claim.claim.id for claim in claims if claim.word == verdict]
            part += f" ({', '.join(failed)})"
        parts.append(part)
    return ", ".join(parts)


def _false_words(diff: Diff) -> str:
    """Return how many numbers chance alone calls different, and which stay unconfirmed."""
    tested = len(diff.tested_rows)
    if not tested:
        return ""
    sentence = (
        f"If nothing differed, {diff.expected_false:.1f} of the {tested} "
        f"number{plural(tested)} tested would be called different by chance."
    )
    names = sorted(f"{row.row} {row.metric}" for row in diff.unconfirmed)
    if not names:
        return sentence
    verb = plural(len(names), "does", "do")
    return (
        f"{sentence} {', '.join(names)} {verb} not outlast the correction over all {tested}, "
        "and the exit code does not count it."
    )


def _digits(row: JudgedNumber) -> int:
    """Return how many decimals of ours are shown: of a count, two more than the paper prints."""
    return row.paper.digits + 2 if row.paper.kind == "exact" else 2


def plural(count: int, one: str = "", several: str = "s") -> str:
    """Return the ending of a noun, or a verb, for so many."""
    return one if count == 1 else several
