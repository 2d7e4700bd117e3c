"""The diff as people read it: what came out, the claims, and one line a number.

Each number and each claim is one line with its whole name, to be found by `grep`. What is missing
or not comparable is one line an experiment. `verbose` gives every number its reasons and interval,
every claim its evidence, and shows curves and departures.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.curve_gaps import CurveGap
from repro.analysis.compare.judged_numbers import JudgedNumber
from repro.analysis.compare.measured_weights import in_words
from repro.analysis.compare.number_text import p_text, paper_text
from repro.analysis.compare.paper_diff import Diff
from repro.analysis.output.diff_words import (
    Paint,
    evidence_text,
    measured_line,
    number_line,
    our_cell,
    plural,
    summary,
)
from repro.definition.verdicts_and_states import ClaimVerdict, Verdict
from repro.protocol.deviations import departure_lines

COLOURS = {
    "reproduced": "green",
    "holds": "green",
    "holds for these nets": "green",
    "fails for these nets": "red",
    "consistent": "cyan",
    "better": "blue",
    "worse": "red",
    "fails": "red",
    "deviates": "red",
    "incomplete": "yellow",
    "missing": "yellow",
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# A letter, the colours that begin at it, and the end of a colour after it.
_LETTER = re.compile(r"((?:\x1b\[[0-9;]*m)*)([^\s\x1b])((?:\x1b\[0m)*)")
# Verdicts about which an experiment's numbers have the same to say.
COLLAPSED = (Verdict.NOT_COMPARABLE, Verdict.MISSING)


def render_text(
    diff: Diff,
    width: int = 80,
    paint: Paint = lambda text, word: text,
    verbose: bool = False,
) -> str:
    """Return the diff as lines of at most `width` columns."""
    lines = textwrap.wrap(summary(diff), width, break_on_hyphens=False)
    checked = [claim for claim in diff.claims if claim.checked]
    sections = {
        "Claims": _claims(checked, paint, verbose),
        "Numbers": _numbers(diff, paint, verbose),
        "Released weights, measured here": _released(diff, paint),
        "Not counted here": list(map(str, diff.variants)),
        "Departures from the paper's protocol": _departures(diff, verbose),
        "Folders with problems": [f"{found.folder}: {found.problem}" for found in diff.problems],
    }
    if verbose:
        sections["Claims that nothing here checks"] = _unchecked(diff.claims)
        sections["Curves, against those read off the paper's figures"] = list(
            map(_curve_line, diff.curves)
        )
    for title, entries in sections.items():
        if entries:
            lines += ["", title]
        for entry in entries:
            lines += _wrapped(entry, width)
    if not verbose:
        hint = "`--verbose` shows the reasons, the evidence, and what is collapsed here."
        lines += ["", *_wrapped(hint, width)]
    return "\n".join(lines) + "\n"


def collapsed(rows: Iterable[JudgedNumber]) -> list[list[JudgedNumber]]:
    """Return the rows in order, those of one experiment that are told in one line together."""
    groups: dict[tuple[str, ...], list[JudgedNumber]] = {}
    for row in rows:
        key: tuple[str, ...] = (row.experiment, row.row, row.metric)
        # What several labs have is worth its line, whatever the verdict.
        if row.verdict.word in COLLAPSED and row.labs is None:
            key = (row.experiment, row.verdict.word)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def collapsed_reason(rows: Sequence[JudgedNumber]) -> str:
    """Return why some numbers are missing or not comparable, as far as one line says it."""
    if rows[0].verdict.word == Verdict.MISSING:
        return "no run has given one"
    first, *more = dict.fromkeys(reason for row in rows for reason in row.verdict.reasons)
    if not more:
        return first
    return f"{first}; `--verbose` shows {len(more)} more reason{plural(len(more))}"


def _numbers(diff: Diff, paint: Paint, verbose: bool) -> list[str]:
    if not verbose:
        return [_collapsed_line(rows, paint) for rows in collapsed(diff.rows)]
    lines = []
    for row in diff.rows:
        lines.append(number_line(row, paint))
        lines.append(f"  {_measured(row, diff.against or 'paper')}")
        lines += [f"  {reason}" for reason in row.verdict.reasons]
    return lines


def _released(diff: Diff, paint: Paint) -> list[str]:
    """Return two lines for each number: beside the paper's, and beside that of the weights."""
    lines = []
    for number in diff.measured:
        lines.append(measured_line(number, paint))
        lines.append(f"  {in_words(number)}; record {number.evaluation}")
    return lines


def _collapsed_line(rows: list[JudgedNumber], paint: Paint) -> str:
    """Return `figure1: 4 numbers not comparable (scale: quick): plain-20, plain-56`."""
    first = rows[0]
    if len(rows) == 1:
        return number_line(first, paint)
    verdict = paint(first.verdict.word, first.verdict.word)
    labels = ", ".join(dict.fromkeys(row.row for row in rows))
    reason = collapsed_reason(rows)
    return f"{first.experiment}: {len(rows)} numbers {verdict} ({reason}): {labels}"


def _measured(row: JudgedNumber, other: str) -> str:
    """Return `paper 6.61 ± 0.16 (n = 5) · ours 6.58 ± 0.14 (n = 5) · 95 %: 6.40 to 6.76`."""
    who = "labs" if row.labs else "ours"
    parts = [f"{other} {paper_text(row.paper)}", f"{who} {our_cell(row)}"]
    if row.verdict.low is not None and row.verdict.high is not None:
        what = "mean" if row.paper.kind == "mean" else "one more run"
        if row.labs and row.paper.kind != "mean":
            what = "one more lab's run"
        parts.append(f"95 % of {what}: {row.verdict.low:.2f} to {row.verdict.high:.2f}")
    return " · ".join(parts)


def _claims(claims: list[JudgedClaim], paint: Paint, verbose: bool) -> list[str]:
    """Return a line for each claim, the decided ones first; those without runs are only counted."""
    order = list(ClaimVerdict)
    lines: list[str] = []
    waiting = []
    for claim in sorted(claims, key=lambda claim: order.index(claim.word)):
        if claim.word == ClaimVerdict.MISSING and not verbose:
            waiting.append(claim.claim.id)
            continue
        p = "" if claim.p is None else f" (p = {p_text(claim.p)})"
        verdict = paint(f"{claim.word}{p}", claim.word)
        lines.append(f"claim {claim.claim.id}: {verdict} · {claim.claim.text}")
        # A claim that does not hold is told with its evidence: the first question is why.
        if verbose or claim.word != ClaimVerdict.HOLDS:
            lines += [f"  {evidence_text(finding)}" for finding in claim.evidence]
    if waiting:
        missing = paint(str(ClaimVerdict.MISSING), ClaimVerdict.MISSING)
        lines.append(f"claim{plural(len(waiting))} {', '.join(waiting)}: {missing}")
    return lines


def _departures(diff: Diff, verbose: bool) -> list[str]:
    """Return the departures with their reasons, or only what departs."""
    if verbose or not diff.ledger:
        return departure_lines(diff.ledger)
    return [", ".join(dict.fromkeys(departure.field for departure in diff.ledger))]


def _unchecked(claims: Iterable[JudgedClaim]) -> list[str]:
    lines = []
    for claim in claims:
        if not claim.checked:
            reason = claim.evidence[0].said.removeprefix("not checked here: ")
            lines.append(f"{claim.claim.id}: {reason}")
    return lines


def _curve_line(gap: CurveGap) -> str:
    within = "within" if gap.within else "beyond"
    return (
        f"{gap.experiment} {gap.row} {gap.split} at rate {gap.phase}: {gap.gap:.2f} points apart "
        f"on average, {within} the reading error of {gap.reading_error:g} ({gap.points} points)"
    )


def _wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text; all but the first are indented a little further than it is."""
    plain = _COLOUR.sub("", text)
    indent = " " * (len(plain) - len(plain.lstrip()))
    lines = textwrap.wrap(
        plain.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines if plain == text else _coloured(lines, text)


def _coloured(lines: list[str], painted: str) -> list[str]:
    """Return wrapped lines with the colours of the painted text, which take no room."""
    parts = _LETTER.findall(painted)
    coloured = []
    for line in lines:
        letters = []
        for letter in line:
            if letter != " ":
                start, shown, end = parts.pop(0)
                letter = f"{start}{shown}{end}"
            letters.append(letter)
        coloured.append("".join(letters))
    return coloured
