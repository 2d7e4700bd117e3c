"""The diff: every number and every claim with its word, what departs from the paper, and what is still lacking.

`compared` computes it; `document` is its JSON, which `diff.schema.json` beside this page describes; `telling` says it
to people.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from repro.errors import UserError, did_you_mean, shown
from repro.experiment import Experiment, Paper, runs_of
from repro.ledger import Departure, departures
from repro.reading import claims, verdicts
from repro.reading.against import in_place_of_paper, others
from repro.reading.claims import Claimed, claimed
from repro.reading.frame import Collected, rows_of
from repro.reading.gaps import Gap, gaps
from repro.reading.gathered import Problem
from repro.reading.judged import Judged, judged, quoted
from repro.spec import Run

WORDS = (*get_args(verdicts.Word), *get_args(claims.Word))
DEFAULT_FAILURES = ("worse", "fails")


@dataclass(frozen=True)
class Diff:
    """What was asked for, and everything that can be said about it."""

    experiments: tuple[str, ...]
    scale: str
    against: str | None  # None: the paper
    rows: tuple[Judged, ...]
    claims: tuple[Claimed, ...]
    curves: tuple[Gap, ...]
    quoted: tuple[tuple[str, str, str, Paper], ...]
    ledger: Mapping[Departure, tuple[str, ...]]
    lacking: tuple[str, ...]  # runs that have neither finished nor diverged
    asked: int  # runs in all
    problems: tuple[Problem, ...]

    def fails(self, words: Collection[str]) -> bool:
        """Whether any number or claim has one of these words."""
        found = {row.verdict.word for row in self.rows} | {claim.word for claim in self.claims if claim.checked}
        return not found.isdisjoint(words)


def compared(
    declared: Mapping[str, Experiment],
    scaled: Mapping[str, Experiment],
    collected: Collected,
    scale: str,
    allow_mixed: bool = False,
    against: Path | None = None,
) -> Diff:
    """The diff of some experiments: as the paper has them (`declared`), and as they are to be judged (`scaled`)."""
    wanted, theirs = scaled, others(against) if against else None
    if theirs:
        wanted = {name: in_place_of_paper(name, experiment, theirs.numbers) for name, experiment in scaled.items()}
    runs = runs_of(tuple(scaled.values()))
    known = rows_of(collected.runs, runs)
    over = set(known.loc[known["state"].isin(["done", "diverged"]), "id"])
    return Diff(
        tuple(scaled),
        scale,
        against and str(against),
        tuple(
            row for name in wanted for row in judged(name, wanted[name], collected, allow_mixed, theirs and theirs.gate)
        ),
        () if against else tuple(claimed(declared, scaled, collected)),
        () if against else tuple(gap for name in scaled for gap in gaps(name, scaled[name], collected)),
        () if against else tuple(number for name in scaled for number in quoted(name, scaled[name])),
        _ledger(runs, known),
        tuple(run.id for run in runs if run.id not in over),
        len(runs),
        collected.problems + (theirs.problems if theirs else ()),
    )


def words_of(text: str) -> tuple[str, ...]:
    """The words that --fail-on names."""
    words = tuple(word.strip().replace("-", " ") for word in text.split(",") if word.strip())
    for word in words:
        if word not in WORDS:
            raise UserError(
                f"no verdict is called {shown(word)}", did_you_mean(word, WORDS, "words: " + ", ".join(WORDS))
            )
    return words


def document(diff: Diff) -> dict[str, Any]:
    """The diff as plain JSON values."""
    from repro.reading.telling import summary

    return {
        "experiments": list(diff.experiments),
        "scale": diff.scale,
        "against": diff.against,
        "summary": summary(diff),
        "rows": [_row(row) for row in diff.rows],
        "claims": [_claim(claim) for claim in diff.claims],
        "curves": [_curve(gap) for gap in diff.curves],
        "quoted": [_quoted(*number) for number in diff.quoted],
        "departures": [_departure(departure, nets) for departure, nets in diff.ledger.items()],
        "missing_runs": list(diff.lacking),
        "problems": [{"folder": problem.folder, "problem": problem.problem} for problem in diff.problems],
    }


def _row(row: Judged) -> dict[str, Any]:
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


def _claim(claim: Claimed) -> dict[str, Any]:
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


def _curve(gap: Gap) -> dict[str, Any]:
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
    named = {"field": departure.field, "paper": departure.paper, "ours": departure.ours, "why": departure.why}
    return named | {"nets": list(nets)}


def _ledger(runs: tuple[Run, ...], known: Any) -> dict[Departure, tuple[str, ...]]:
    """Every departure of the runs asked for, and of the images they saw, with the nets it concerns."""
    data = {
        row.id: {"name": row.data_name, "origin": row.data_origin} for row in known.itertuples() if row.state == "done"
    }
    found: dict[Departure, dict[str, None]] = {}
    alike = {(replace(run, seed=0), tuple(data.get(run.id, {}).values())): run for run in runs}
    for run in alike.values():
        for departure in departures(run, data.get(run.id)):
            found.setdefault(departure, {})[run.net.name] = None
    return {departure: tuple(nets) for departure, nets in found.items()}


def _number(value: float | None) -> float | None:
    """A number that JSON has; NaN and infinity have their place in the reasons."""
    return None if value is None or not math.isfinite(value) else float(value)
