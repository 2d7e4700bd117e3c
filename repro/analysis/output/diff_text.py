"""The diff as people read it: a paragraph in plain words, then a few short lines for each number and claim.

Vertical and greppable: `repro diff | grep worse` finds the whole name of every number that is worse.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from repro.analysis.compare.claim_tests import Finding
from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.curve_gaps import CurveGap
from repro.analysis.compare.diff import Diff
from repro.analysis.compare.measured_weights import MeasuredNumber
from repro.analysis.compare.measured_weights import in_words as measured_in_words
from repro.analysis.compare.numbers import JudgedNumber
from repro.definition.experiment import Paper
from repro.protocol.deviations import departure_lines

COLOURS = {
    "reproduced": "green",
    "holds": "green",
    "consistent": "cyan",
    "better": "blue",
    "worse": "red",
    "fails": "red",
    "deviates": "red",
    "incomplete": "yellow",
    "missing": "yellow",
}
AS_VERBS = {"holds": ("holds", "hold"), "fails": ("fails", "fail")}  # one claim, more claims
FEW = 3  # rows that the summary names one by one

Paint = Callable[[str, str], str]  # a text and the word whose colour it gets


def summary(diff: Diff) -> str:
    """What a colleague would be told."""
    other = diff.against or "the paper"
    said = [f"At scale {diff.scale}."] if diff.scale != "paper" else []
    said.append(diff.note)
    said.append(_numbers_in_words(diff.rows, other))
    if not diff.against:
        said.append(_claims_in_words([claim for claim in diff.claims if claim.checked]))
    if diff.measured:
        said.append(_measured_in_words(diff.measured))
    if diff.lacking:
        said.append(f"{len(diff.lacking)} of {diff.asked} runs have not finished.")
    if diff.problems:
        said.append(f"{len(diff.problems)} folder{_s(diff.problems)} with problems.")
    return " ".join(filter(None, said))


def render_text(diff: Diff, width: int = 80, paint: Paint = lambda text, word: text) -> str:
    """The whole diff as lines of at most `width` columns. What bars many numbers from comparison is said once."""
    lines = [*_wrapped(summary(diff), width)]
    for row in diff.rows:
        lines += [
            "",
            _headline(
                f"{row.experiment} {row.row} {row.metric}", word_of(row), row.verdict.word, paint
            ),
        ]
        lines += _indented(_row_lines(row, diff.against or "paper"), width)
    for claim in (claim for claim in diff.claims if claim.checked):
        p = "" if claim.p is None else f" (p = {p_value(claim.p)})"
        lines += ["", _headline(f"claim {claim.claim.id}", claim.word + p, claim.word, paint)]
        lines += _indented(
            [f"{claim.claim.text} [{claim.claim.where}]", *map(paper_in_words, claim.evidence)],
            width,
        )
    for number in diff.measured:
        name = f"{number.experiment} {number.row} {number.metric}, {number.weights}"
        lines += ["", _headline(name, number.against_paper, number.against_paper, paint)]
        lines += _indented([measured_in_words(number), f"record {number.evaluation}"], width)
    lines += _section("What makes numbers not comparable", _barred(diff.rows), width)
    lines += _section("Claims that nothing here checks", _unchecked(diff.claims), width)
    lines += _section(
        "Curves, against those read off the paper's figures", map(_curve, diff.curves), width
    )
    lines += _section("Departures from the paper's protocol", departure_text(diff), width)
    lines += _section(
        "Folders with problems", (f"{p.folder}: {p.problem}" for p in diff.problems), width
    )
    return "\n".join(lines) + "\n"


def departure_text(diff: Diff) -> list[str]:
    """The ledger, a line for each field, with the nets it concerns where it does not concern all."""
    return departure_lines(diff.ledger)


def _numbers_in_words(rows: Sequence[JudgedNumber], other: str) -> str:
    """ "Of 6 numbers, 4 are consistent with the paper, 1 is reproduced (ResNet-110 test_error), 1 is missing." """
    if not rows:
        return f"There is no number of {other} to compare with."
    by_word: dict[str, list[JudgedNumber]] = {}
    for row in rows:
        by_word.setdefault(row.verdict.word, []).append(row)
    parts = []
    for word, found in sorted(by_word.items(), key=lambda item: -len(item[1])):
        name = (
            f" ({', '.join(f'{row.row} {row.metric}' for row in found)})"
            if len(found) <= FEW < len(rows)
            else ""
        )
        with_whom = {
            "consistent": f" with {other}",
            "better": f" than {other}",
            "worse": f" than {other}",
        }.get(word, "")
        parts.append(f"{len(found)} {'is' if len(found) == 1 else 'are'} {word}{with_whom}{name}")
    return f"Of {len(rows)} number{_s(rows)}, {', '.join(parts)}."


def _measured_in_words(numbers: Sequence[MeasuredNumber]) -> str:
    """How many numbers of released weights stand how to the paper's, and to those published for them."""
    to_paper = Counter(str(number.against_paper) for number in numbers)
    published = [number for number in numbers if number.published is not None]
    to_published = Counter(str(number.against_published) for number in published)
    parts = ", ".join(f"{count} {word}" for word, count in to_paper.most_common())
    line = f"Released weights give {len(numbers)} number{_s(numbers)} (to the paper's: {parts}"
    if to_published:
        parts = ", ".join(f"{count} {word}" for word, count in to_published.most_common())
        line += f"; to those published for them: {parts}"
    return f"{line})."


def _claims_in_words(claims: Sequence[JudgedClaim]) -> str:
    if not claims:
        return ""
    counted = Counter(claim.word for claim in claims).most_common()
    parts = []
    for word, count in counted:
        one, more = AS_VERBS.get(word, (f"is {word}", f"are {word}"))
        names = [claim.claim.id for claim in claims if claim.word == word]
        parts.append(
            f"{count} {one if count == 1 else more}"
            + (f" ({', '.join(names)})" if word == "fails" else "")
        )
    return f"Of {len(claims)} claim{_s(claims)} that can be checked, {', '.join(parts)}."


def word_of(row: JudgedNumber) -> str:
    """`incomplete` says how far it is."""
    return (
        f"incomplete {row.n}/{row.planned}"
        if row.verdict.word == "incomplete"
        else row.verdict.word
    )


def _row_lines(row: JudgedNumber, other: str) -> list[str]:
    theirs = f"{other} {paper_cell(row.paper)}"
    if row.verdict.word == "missing":
        return [" · ".join([theirs, *row.verdict.reasons])]
    if row.verdict.word == "not comparable":
        return [f"{theirs} · ours {our_cell(row)}"]
    return [_measured(row, theirs), *row.verdict.reasons]


def _barred(rows: Iterable[JudgedNumber]) -> list[str]:
    """Each set of reasons with the rows it concerns."""
    found: dict[tuple[str, ...], dict[str, dict[str, None]]] = {}
    for row in rows:
        if row.verdict.word == "not comparable":
            found.setdefault(row.verdict.reasons, {}).setdefault(row.experiment, {})[row.row] = None
    named = lambda tables: "; ".join(f"{name} {', '.join(rows)}" for name, rows in tables.items())  # noqa: E731
    return [f"{named(tables)}: {'; '.join(reasons)}" for reasons, tables in found.items()]


def _measured(row: JudgedNumber, theirs: str) -> str:
    """paper 6.61 ± 0.16 (n = 5) · ours 6.58 ± 0.14 (n = 5) · 95 %: 6.40 to 6.76"""
    parts = [theirs, f"ours {our_cell(row)}"]
    if row.verdict.low is not None and row.verdict.high is not None:
        what = "mean" if row.paper.kind == "mean" else "one more run"
        parts.append(f"95 % of {what}: {row.verdict.low:.2f} to {row.verdict.high:.2f}")
    return " · ".join(parts)


def paper_cell(paper: Paper) -> str:
    value = f"{paper.value:.{paper.digits}f}"
    if paper.std is not None:
        value += f" ± {paper.std:.{paper.digits}f}" + (f" (n = {paper.n})" if paper.n else "")
    return value + (f" (read off, ± {paper.reading_error:g})" if paper.reading_error else "")


def our_cell(row: JudgedNumber) -> str:
    if row.mean is None:
        return "–"
    if row.paper.kind == "exact":
        return f"{row.mean:.{row.paper.digits + 2}f}"
    return (
        f"{row.mean:.2f}" + (f" ± {row.std:.2f}" if row.std is not None else "") + f" (n = {row.n})"
    )


def paper_in_words(finding: Finding) -> str:
    """One part of a claim, with its effect and the interval."""
    if finding.low is None or finding.high is None or finding.p is None:
        return finding.said
    effect = f"{finding.effect:.3g} ({finding.low:.3g} to {finding.high:.3g})"
    return f"{finding.said}: {effect}, p = {p_value(finding.p)} alone"


def _unchecked(claims: Iterable[JudgedClaim]) -> list[str]:
    said = (
        (claim.claim.id, claim.evidence[0].said.removeprefix("not checked here: "))
        for claim in claims
        if not claim.checked
    )
    return [f"{name}: {reason}" for name, reason in said]


def _curve(gap: CurveGap) -> str:
    word = "within" if gap.within else "beyond"
    apart = (
        f"{gap.gap:.2f} points apart on average, {word} the reading error of {gap.reading_error:g}"
    )
    return (
        f"{gap.experiment} {gap.row} {gap.split} at rate {gap.phase}: {apart} ({gap.points} points)"
    )


def _section(title: str, lines: Iterable[str], width: int) -> list[str]:
    wrapped = _indented(lines, width)
    return ["", title, *wrapped] if wrapped else []


def _headline(name: str, said: str, word: str, paint: Paint) -> str:
    return f"{name}: {paint(said, word)}"


def _indented(lines: Iterable[str], width: int) -> list[str]:
    return [part for line in lines for part in _wrapped(line, width, "  ")]


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    deeper = indent + ("  " if indent else "")
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=deeper,
        break_long_words=False,
        break_on_hyphens=False,
    )


def p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"


def _s(things: Sequence[Any]) -> str:
    return "" if len(things) == 1 else "s"
