"""The diff for programs: a JSON document, which `diff.schema.json` beside this page describes."""

from __future__ import annotations

import math
from typing import Any

from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.curve_gaps import CurveGap
from repro.analysis.compare.diff import Diff
from repro.analysis.compare.lab_numbers import LabNumber, LabNumbers
from repro.analysis.compare.measured_weights import MeasuredNumber
from repro.analysis.compare.numbers import JudgedNumber
from repro.analysis.compare.seed_groups import Finding
from repro.analysis.output.diff_words import number_line, summary
from repro.analysis.runs.cache import Problem
from repro.definition.experiment import Paper
from repro.protocol.deviations import Departure


def diff_document(diff: Diff) -> dict[str, Any]:
    """Return the diff as plain JSON values."""
    return {
        "experiments": list(diff.experiments),
        "scale": diff.scale,
        "against": diff.against,
        "summary": summary(diff),
        "claims": list(map(_claim, diff.claims)),
        "rows": list(map(_row, diff.rows)),
        "measured": list(map(_measured, diff.measured)),
        "curves": list(map(_curve, diff.curves)),
        "quoted": [_quoted(*number) for number in diff.quoted],
        "departures": [_departure(departure, nets) for departure, nets in diff.ledger.items()],
        "missing_runs": list(diff.lacking),
        "problems": list(map(_problem, diff.problems)),
    }


def _problem(problem: Problem) -> dict[str, str]:
    return {"folder": problem.folder, "problem": problem.problem}


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
        "line": number_line(row),
        "margin": row.rule.margin if row.rule else None,
        "p": _number(row.verdict.p),
        **_labs(row.labs),
    }


def _labs(labs: LabNumbers | None) -> dict[str, Any]:
    """Return what several labs have; nothing where there is one."""
    if labs is None:
        return {}
    spread = labs.spread
    return {
        "labs": {
            "count": spread.labs,
            "n": spread.n,
            "mean": _number(spread.mean),
            "repeatability_std": _number(spread.repeatability),
            "between_labs_std": _number(spread.between),
            "between_labs_low": _number(spread.between_low),
            "between_labs_high": _number(spread.between_high),
            "reproducibility_std": _number(spread.reproducibility),
            "each": list(map(_lab, labs.numbers)),
            "left_out": list(labs.left_out),
        }
    }


def _lab(number: LabNumber) -> dict[str, Any]:
    return {
        "lab": number.lab,
        "mean": _number(number.sample.mean),
        "std": _number(number.sample.std),
        "n": number.sample.n,
        "verdict_alone": number.alone,
        "runs": list(number.runs),
    }


def _claim(claim: JudgedClaim) -> dict[str, Any]:
    return {
        "id": claim.claim.id,
        "text": claim.claim.text,
        "verdict": claim.word,
        "p": _number(claim.p),
        "evidence": list(map(_finding, claim.evidence)),
        "experiment": claim.experiment,
        "where": claim.claim.where,
        "checked": claim.checked,
        "looks": claim.looks,
        "by_counting": claim.by_counting,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "word": finding.word,
        "said": finding.said,
        "p": _number(finding.p),
        "effect": _number(finding.effect),
        "low": _number(finding.low),
        "high": _number(finding.high),
        "runs": list(finding.runs),
        "here": finding.here,
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
    return {
        "field": departure.field,
        "paper": departure.paper,
        "ours": departure.ours,
        "why": departure.why,
        "nets": list(nets),
    }


def _number(value: float | None) -> float | None:
    """Return a number that JSON has; NaN and infinity have their place in the reasons."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)
