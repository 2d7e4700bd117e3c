"""The diff: every number and every claim with its word, what departs from the paper, and what is still lacking.

`compared` computes it; `telling` says it to people, `document` writes it down for programs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from repro.analysis.compare.claims import JudgedClaim, judge_claims
from repro.analysis.compare.curve_gaps import CurveGap, curve_gaps
from repro.analysis.compare.measured_weights import MeasuredNumber, measured_numbers
from repro.analysis.compare.numbers import JudgedNumber, judge_numbers, quoted_numbers
from repro.analysis.compare.other_results import in_place_of_paper, load_other_results
from repro.analysis.runs.cache import Problem
from repro.analysis.runs.frames import Collected, rows_of
from repro.definition.experiment import Experiment, Paper, runs_of
from repro.definition.run import Run
from repro.definition.words import ClaimVerdict, Verdict
from repro.errors import UserError, did_you_mean, quote
from repro.protocol.deviations import Departure, departures, group_by_departure

WORDS = tuple(dict.fromkeys(map(str, (*Verdict, *ClaimVerdict))))
DEFAULT_FAILURES = ("worse", "fails")


@dataclass(frozen=True)
class Diff:
    """What was asked for, and everything that can be said about it."""

    experiments: tuple[str, ...]
    scale: str
    against: str | None  # None: the paper
    rows: tuple[JudgedNumber, ...]
    claims: tuple[JudgedClaim, ...]
    curves: tuple[CurveGap, ...]
    quoted: tuple[tuple[str, str, str, Paper], ...]
    ledger: Mapping[Departure, tuple[str, ...]]
    lacking: tuple[str, ...]  # runs that have neither finished nor diverged
    asked: int  # runs in all
    problems: tuple[Problem, ...]
    note: str = ""  # what was chosen beside the scale
    measured: tuple[MeasuredNumber, ...] = ()  # of weights that others released

    def fails(self, words: Collection[str]) -> bool:
        """Whether any number or claim has one of these words."""
        found = {row.verdict.word for row in self.rows} | {
            claim.word for claim in self.claims if claim.checked
        }
        return not found.isdisjoint(words)


def compare(
    declared: Mapping[str, Experiment],
    scaled: Mapping[str, Experiment],
    collected: Collected,
    scale: str,
    allow_mixed: bool = False,
    against: Path | None = None,
    note: str = "",
) -> Diff:
    """The diff of some experiments: as the paper has them (`declared`), and as they are to be judged (`scaled`)."""
    wanted, theirs = scaled, load_other_results(against) if against else None
    if theirs:
        wanted = {
            name: in_place_of_paper(name, experiment, theirs.numbers)
            for name, experiment in scaled.items()
        }
    runs = runs_of(tuple(scaled.values()))
    known = rows_of(collected.runs, runs)
    over = set(known.loc[known["state"].isin(["done", "diverged"]), "id"])
    return Diff(
        tuple(scaled),
        scale,
        against and str(against),
        tuple(
            row
            for name in wanted
            for row in judge_numbers(
                name, wanted[name], collected, allow_mixed, theirs and theirs.gate
            )
        ),
        () if against else tuple(judge_claims(declared, scaled, collected)),
        ()
        if against
        else tuple(gap for name in scaled for gap in curve_gaps(name, scaled[name], collected)),
        ()
        if against
        else tuple(number for name in scaled for number in quoted_numbers(name, scaled[name])),
        _ledger(runs, known),
        tuple(run.id for run in runs if run.id not in over),
        len(runs),
        collected.problems + (theirs.problems if theirs else ()),
        note,
        () if against else _measured(scaled, collected),
    )


def _measured(scaled: Mapping[str, Experiment], collected: Collected) -> tuple[MeasuredNumber, ...]:
    numbers: list[MeasuredNumber] = []
    for name, experiment in scaled.items():
        numbers += measured_numbers(name, experiment, collected.evaluations)
    return tuple(numbers)


def parse_verdicts(text: str) -> tuple[str, ...]:
    """The words that --fail-on names."""
    words = tuple(word.strip().replace("-", " ") for word in text.split(",") if word.strip())
    for word in words:
        if word not in WORDS:
            raise UserError(
                f"no verdict is called {quote(word)}",
                did_you_mean(word, WORDS, "words: " + ", ".join(WORDS)),
            )
    return words


def _ledger(runs: tuple[Run, ...], known: Any) -> dict[Departure, tuple[str, ...]]:
    """Every departure of the runs asked for, and of the images they saw, with the nets it concerns."""
    data = {
        row.id: {"name": row.data_name, "origin": row.data_origin}
        for row in known.itertuples()
        if row.state == "done"
    }
    alike = {(replace(run, seed=0), tuple(data.get(run.id, {}).values())): run for run in runs}
    return group_by_departure({run: departures(run, data.get(run.id)) for run in alike.values()})
