"""The diff for programs: a JSON document, which `diff.schema.json` beside this page describes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.curve_gaps import CurveGap
from repro.analysis.compare.judged_numbers import JudgedNumber
from repro.analysis.compare.measured_weights import MeasuredNumber
from repro.analysis.compare.paper_diff import Diff
from repro.analysis.compare.row_across_labs import LabNumber, LabNumbers
from repro.analysis.compare.seed_groups import Finding
from repro.analysis.compare.variant_runs import VariantRuns
from repro.analysis.output.diff_words import number_line, summary
from repro.definition.experiment import Paper
from repro.storage.atomic import finite_or_none


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
        "variants": list(map(_variant, diff.variants)),
        "curves": list(map(_curve, diff.curves)),
        "quoted": [_quoted(*number) for number in diff.quoted],
        "departures": [asdict(at) | {"nets": list(nets)} for at, nets in diff.ledger.items()],
        "missing_runs": list(diff.lacking),
        "problems": list(map(asdict, diff.problems)),
    }


def _measured(number: MeasuredNumber) -> dict[str, Any]:
    return {
        "experiment": number.experiment,
        "row": number.row,
        "metric": number.metric,
        "weights": number.weights,
        "evaluation": number.evaluation,
        "error": finite_or_none(number.error),
        "images": number.images,
        "paper": number.paper.value if number.paper else None,
        "against_paper": str(number.against_paper),
        "published": number.published.value if number.published else None,
        "against_published": str(number.against_published),
        "reasons": list(number.reasons),
    }


def _variant(runs: VariantRuns) -> dict[str, Any]:
    about = {"scale": runs.scale, "variant": runs.variant, "about": runs.about}
    return about | {"seeds": dict(runs.seeds)}


def _row(row: JudgedNumber) -> dict[str, Any]:
    return {
        "experiment": row.experiment,
        "row": row.row,
        "metric": row.metric,
        "paper": row.paper.value,
        "paper_kind": row.paper.kind,
        "ours_mean": finite_or_none(row.mean),
        "ours_std": finite_or_none(row.std),
        "n": row.n,
        "low": finite_or_none(row.verdict.low),
        "high": finite_or_none(row.verdict.high),
        "verdict": row.verdict.word,
        "reasons": list(row.verdict.reasons),
        "runs": list(row.runs),
        "planned": row.planned,
        "paper_std": row.paper.std,
        "paper_n": row.paper.n,
        "line": number_line(row),
        "margin": row.rule.margin if row.rule else None,
        "p": finite_or_none(row.verdict.p),
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
            "mean": finite_or_none(spread.mean),
            "repeatability_std": finite_or_none(spread.repeatability),
            "between_labs_std": finite_or_none(spread.between),
            "between_labs_low": finite_or_none(spread.between_low),
            "between_labs_high": finite_or_none(spread.between_high),
            "reproducibility_std": finite_or_none(spread.reproducibility),
            "each": list(map(_lab, labs.numbers)),
            "left_out": list(labs.left_out),
        }
    }


def _lab(number: LabNumber) -> dict[str, Any]:
    return {
        "lab": number.lab,
        "mean": finite_or_none(number.sample.mean),
        "std": finite_or_none(number.sample.std),
        "n": number.sample.n,
        "verdict_alone": number.alone,
        "runs": list(number.runs),
    }


def _claim(claim: JudgedClaim) -> dict[str, Any]:
    return {
        "id": claim.claim.id,
        "text": claim.claim.text,
        "verdict": claim.word,
        "p": finite_or_none(claim.p),
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
        "p": finite_or_none(finding.p),
        "effect": finite_or_none(finding.effect),
        "low": finite_or_none(finding.low),
        "high": finite_or_none(finding.high),
        "runs": list(finding.runs),
        "here": finding.here,
    }


def _curve(gap: CurveGap) -> dict[str, Any]:
    return {
        "experiment": gap.experiment,
        "row": gap.row,
        "split": gap.split,
        "rate": gap.phase,
        "gap": finite_or_none(gap.gap),
        "reading_error": gap.reading_error,
        "within_reading_error": gap.within,
        "points": gap.points,
        "runs": list(gap.runs),
    }


def _quoted(experiment: str, row: str, metric: str, paper: Paper) -> dict[str, Any]:
    return {"experiment": experiment, "row": row, "metric": metric, "paper": paper.value}
