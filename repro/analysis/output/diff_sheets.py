"""The diff as tables, claims first, and as one CSV with a line for each number and claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from repro.analysis.compare.judged_numbers import JudgedNumber
from repro.analysis.compare.measured_weights import in_words
from repro.analysis.compare.number_text import p_text, paper_text
from repro.analysis.compare.paper_diff import Diff
from repro.analysis.output.diff_json import diff_document
from repro.analysis.output.diff_text import collapsed, collapsed_reason, render_text
from repro.analysis.output.diff_words import (
    evidence_text,
    our_cell,
    summary,
    verdict_text,
)
from repro.analysis.output.table_formats import MISSING, Format, Sheet, markdown_text, render
from repro.protocol.deviations import departure_lines

CLAIM_COLUMNS = ["claim", "verdict", "p", "text", "evidence"]
CSV_COLUMNS = ["experiment", "row", "metric", "paper", "paper_kind", "ours_mean", "ours_std", "n"]
CSV_COLUMNS += ["low", "high", "verdict", "reasons", "runs"]


def render_diff(diff: Diff, form: Format, verbose: bool = False) -> str:
    """Return the diff in one of the formats; `json` is written by the command itself."""
    if form == "table":
        return render_text(diff, verbose=verbose)
    if form == "csv":
        return render(_facts(diff), "csv")
    sheets = []
    before = f"{markdown_text(summary(diff))}\n\n" if form == "md" else ""
    if diff.claims:
        sheets.append(_claims(diff))
    sheets.append(_numbers(diff, verbose))
    if diff.measured:
        sheets.append(_measured(diff))
    return before + "\n".join(render(sheet, form) for sheet in sheets)


def _claims(diff: Diff) -> Sheet:
    cells = []
    # Those that nothing here can decide come last.
    for claim in sorted(diff.claims, key=lambda claim: not claim.checked):
        verdict = str(claim.word)
        p = "" if claim.p is None else p_text(claim.p)
        evidence = "; ".join(map(evidence_text, claim.evidence))
        cells.append([claim.claim.id, verdict, p, claim.claim.text, evidence])
    frame = pd.DataFrame(cells, columns=CLAIM_COLUMNS)
    return Sheet("The paper's claims", frame, frame)


def _numbers(diff: Diff, verbose: bool) -> Sheet:
    """Return the numbers; what is collapsed in the text is one row here, too."""
    shared = _shared_reasons(diff)
    groups = [[row] for row in diff.rows] if verbose else collapsed(diff.rows)
    cells = [_cells(group, shared) for group in groups]
    other = "theirs" if diff.against else "paper"
    columns = ["experiment", "row", "metric", other, "ours", "verdict", "why"]
    frame = pd.DataFrame(cells, columns=columns)
    title = f"Ours and those of {diff.against}" if diff.against else "Ours and the paper's"
    notes = [f"{mark}: {reasons}" for reasons, mark in shared.items()]
    notes += departure_lines(diff.ledger)
    notes += [f"Not counted here: {runs}" for runs in diff.variants]
    return Sheet(title, frame, frame, tuple(notes), (other, "ours"))


def _measured(diff: Diff) -> Sheet:
    """Return the numbers of released weights, which are in no mean and in no verdict."""
    columns = ["experiment", "row", "metric", "weights", "verdict", "measured"]
    cells = []
    for number in diff.measured:
        about = [number.experiment, number.row, number.metric, number.weights]
        cells.append([*about, str(number.word), in_words(number)])
    frame = pd.DataFrame(cells, columns=columns)
    return Sheet("Released weights, measured here", frame, frame)


def _cells(rows: Sequence[JudgedNumber], shared: Mapping[str, str]) -> list[str]:
    row = rows[0]
    if len(rows) == 1:
        why = shared.get(_reasons(row), _reasons(row))
        cells = [row.row, row.metric, paper_text(row.paper), our_cell(row)]
        return [row.experiment, *cells, verdict_text(row), why]
    labels = ", ".join(dict.fromkeys(row.row for row in rows))
    metrics = ", ".join(dict.fromkeys(row.metric for row in rows))
    marks = dict.fromkeys(shared.get(_reasons(row), "") for row in rows)
    why = " ".join(filter(None, marks)) or collapsed_reason(rows)
    return [row.experiment, labels, metrics, MISSING, MISSING, str(row.verdict.word), why]


def _shared_reasons(diff: Diff) -> dict[str, str]:
    """Return a mark for each list of reasons that several numbers share: it is said once."""
    barred = [row for row in diff.rows if row.verdict.word == "not comparable"]
    counts = Counter(map(_reasons, barred))
    shared = [reasons for reasons, count in counts.items() if count > 1]
    return {reasons: f"({number})" for number, reasons in enumerate(shared, start=1)}


def _reasons(row: JudgedNumber) -> str:
    return "; ".join(row.verdict.reasons)


def _facts(diff: Diff) -> Sheet:
    """Return numbers and claims for one CSV: a claim is a line whose metric is `claim`."""
    document = diff_document(diff)
    lines: list[dict[str, Any]] = list(document["rows"])
    for claim in document["claims"]:
        runs = dict.fromkeys(run for finding in claim["evidence"] for run in finding["runs"])
        lines.append(
            {
                "experiment": claim["experiment"],
                "row": claim["id"],
                "metric": "claim",
                "verdict": claim["verdict"],
                "reasons": [finding["said"] for finding in claim["evidence"]],
                "runs": list(runs),
            }
        )
    facts = pd.DataFrame(lines, columns=CSV_COLUMNS)
    return Sheet("", facts, facts)
