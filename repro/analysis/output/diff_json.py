"""The diff for programs: a JSON document, which `diff.schema.json` beside this page describes, and sheets of cells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.curve_gaps import CurveGap
from repro.analysis.compare.diff import Diff
from repro.analysis.compare.measured_weights import MeasuredNumber, in_words
from repro.analysis.compare.numbers import JudgedNumber
from repro.analysis.output.diff_text import (
    departure_text,
    our_cell,
    p_value,
    paper_cell,
    paper_in_words,
    render_text,
    summary,
    word_of,
)
from repro.analysis.output.formats import Format, Sheet, render
from repro.definition.experiment import Paper
from repro.protocol.deviations import Departure


def render_diff(diff: Diff, form: Format) -> str:
    """The diff in one of the formats; `json` is the CLI's own document."""
    if form == "table":
        return render_text(diff)
    if form == "csv":
        return render(_facts(diff), "csv")
    title = "Ours and the paper's" if diff.against is None else f"Ours and those of {diff.against}"
    shared = _shared_reasons(diff)
    notes = (
        summary(diff),
        *(f"{mark}: {reasons}" for reasons, mark in shared.items()),
        *departure_text(diff),
    )
    numbers = Sheet(
        title, _number_cells(diff, shared), pd.DataFrame(), notes, ("paper", "theirs", "ours")
    )
    sheets = [
        numbers,
        *([Sheet("Claims", _claim_cells(diff), pd.DataFrame())] if diff.claims else []),
    ]
    if diff.measured:
        sheets.append(
            Sheet("Released weights, measured here", _measured_cells(diff), pd.DataFrame())
        )
    return "\n".join(render(sheet, form) for sheet in sheets)


def diff_document(diff: Diff) -> dict[str, Any]:
    """The diff as plain JSON values."""
    return {
        "experiments": list(diff.experiments),
        "scale": diff.scale,
        "against": diff.against,
        "summary": summary(diff),
        "rows": [_row(row) for row in diff.rows],
        "claims": [_claim(claim) for claim in diff.claims],
        "measured": [_measured(number) for number in diff.measured],
        "curves": [_curve(gap) for gap in diff.curves],
        "quoted": [_quoted(*number) for number in diff.quoted],
        "departures": [_departure(departure, nets) for departure, nets in diff.ledger.items()],
        "missing_runs": list(diff.lacking),
        "problems": [
            {"folder": problem.folder, "problem": problem.problem} for problem in diff.problems
        ],
    }


def _measured(number: MeasuredNumber) -> dict[str, Any]:
    return {
        "experiment": number.experiment,
        "row": number.row,
        "metric": number.metric,
        "weights": number.weights,
        "evaluation": number.evaluation,
        "error": _number(number.error),
        "images": number.images,
        "paper": number.paper.value,
        "against_paper": str(number.against_paper),
        "published": number.published.value if number.published else None,
        "against_published": str(number.against_published),
        "reasons": list(number.reasons),
    }


def _measured_cells(diff: Diff) -> pd.DataFrame:
    """The numbers of released weights, for reading."""
    cells = [
        {
            "experiment": number.experiment,
            "row": number.row,
            "metric": number.metric,
            "weights": number.weights,
            "measured": in_words(number),
        }
        for number in diff.measured
    ]
    return pd.DataFrame(cells, columns=["experiment", "row", "metric", "weights", "measured"])


def _row(row: JudgedNumber) -> dict[str, Any]:
    return {
        "experiment": row.experiment,
        "row": row.row,
        "metric": row.metric,
        "paper": row.paper.value,
        "paper_kind": row.paper.kind,
        "ours_mean": _number(row.mean),
        "ours_std": _number(row.std),
        "n": row.n,
        "low": _number(row.verdict.low),
        "high": _number(row.verdict.high),
        "verdict": row.verdict.word,
        "reasons": list(row.verdict.reasons),
        "runs": list(row.runs),
        "planned": row.planned,
        "paper_std": row.paper.std,
        "paper_n": row.paper.n,
    }


def _claim(claim: JudgedClaim) -> dict[str, Any]:
    evidence = [
        {
            "word": finding.word,
            "said": finding.said,
            "p": _number(finding.p),
            "effect": _number(finding.effect),
            "low": _number(finding.low),
            "high": _number(finding.high),
            "runs": list(finding.runs),
        }
        for finding in claim.evidence
    ]
    return {
        "id": claim.claim.id,
        "text": claim.claim.text,
        "verdict": claim.word,
        "p": _number(claim.p),
        "evidence": evidence,
        "experiment": claim.experiment,
        "where": claim.claim.where,
        "checked": claim.checked,
    }


def _curve(gap: CurveGap) -> dict[str, Any]:
    return {
        "experiment": gap.experiment,
        "row": gap.row,
        "split": gap.split,
        "rate": gap.phase,
        "gap": _number(gap.gap),
        "reading_error": gap.reading_error,
        "within_reading_error": gap.within,
        "points": gap.points,
        "runs": list(gap.runs),
    }


def _quoted(experiment: str, row: str, metric: str, paper: Paper) -> dict[str, Any]:
    return {"experiment": experiment, "row": row, "metric": metric, "paper": paper.value}


def _departure(departure: Departure, nets: tuple[str, ...]) -> dict[str, Any]:
    named = {
        "field": departure.field,
        "paper": departure.paper,
        "ours": departure.ours,
        "why": departure.why,
    }
    return named | {"nets": list(nets)}


def _shared_reasons(diff: Diff) -> dict[str, str]:
    """A mark for each list of reasons that several numbers share: it is said once, under the table."""
    counts = Counter(_reasons(row) for row in diff.rows if row.verdict.word == "not comparable")
    shared = [reasons for reasons, count in counts.items() if count > 1]
    return {reasons: f"({number})" for number, reasons in enumerate(shared, start=1)}


def _reasons(row: JudgedNumber) -> str:
    return "; ".join(row.verdict.reasons)


def _number_cells(diff: Diff, shared: Mapping[str, str]) -> pd.DataFrame:
    theirs = "theirs" if diff.against else "paper"
    cells = [
        {
            "experiment": row.experiment,
            "row": row.row,
            "metric": row.metric,
            theirs: paper_cell(row.paper),
            "ours": our_cell(row),
            "verdict": word_of(row),
            "why": shared.get(_reasons(row), _reasons(row)),
        }
        for row in diff.rows
    ]
    return pd.DataFrame(
        cells, columns=["experiment", "row", "metric", theirs, "ours", "verdict", "why"]
    )


def _claim_cells(diff: Diff) -> pd.DataFrame:
    cells = [
        {
            "claim": claim.claim.id,
            "text": claim.claim.text,
            "verdict": claim.word,
            "p": "" if claim.p is None else p_value(claim.p),
            "evidence": "; ".join(map(paper_in_words, claim.evidence)),
        }
        for claim in diff.claims
    ]
    return pd.DataFrame(cells, columns=["claim", "text", "verdict", "p", "evidence"])


def _facts(diff: Diff) -> Sheet:
    """Numbers and claims in one CSV: a claim is a line whose metric is `claim`."""
    whole = diff_document(diff)
    columns = [
        "experiment",
        "row",
        "metric",
        "paper",
        "paper_kind",
        "ours_mean",
        "ours_std",
        "n",
        "low",
        "high",
    ]
    columns += ["verdict", "reasons", "runs"]
    lines: list[dict[str, Any]] = list(whole["rows"])
    for claim in whole["claims"]:
        said = [finding["said"] for finding in claim["evidence"]]
        ids = list(dict.fromkeys(run for finding in claim["evidence"] for run in finding["runs"]))
        about = {
            "experiment": claim["experiment"],
            "row": claim["id"],
            "metric": "claim",
            "verdict": claim["verdict"],
        }
        lines.append(about | {"reasons": said, "runs": ids})
    facts = pd.DataFrame(lines, columns=columns)
    return Sheet("", facts, facts)


def _number(value: float | None) -> float | None:
    """A number that JSON has; NaN and infinity have their place in the reasons."""
    return None if value is None or not math.isfinite(value) else float(value)
