"""The diff: every number and every claim with its word, what departs from the paper, and what is still lacking.

`compared` computes it; `telling` says it to people, `document` writes it down for programs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from repro.analysis.compare import claims, verdict
from repro.analysis.compare.claims import Claimed, claimed
from repro.analysis.compare.curve_gaps import Gap, gaps
from repro.analysis.compare.numbers import Judged, judged, quoted
from repro.analysis.compare.other_results import in_place_of_paper, others
from repro.analysis.runs.cache import Problem
from repro.analysis.runs.frames import Collected, rows_of
from repro.definition.experiment import Experiment, Paper, runs_of
from repro.definition.run import Run
from repro.errors import UserError, did_you_mean, shown
from repro.protocol.deviations import Departure, concerned, departures

WORDS = tuple(dict.fromkeys((*get_args(verdict.Word), *get_args(claims.Word))))
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
    note: str = ""  # what was chosen beside the scale

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
    note: str = "",
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
        note,
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


def _ledger(runs: tuple[Run, ...], known: Any) -> dict[Departure, tuple[str, ...]]:
    """Every departure of the runs asked for, and of the images they saw, with the nets it concerns."""
    data = {
        row.id: {"name": row.data_name, "origin": row.data_origin} for row in known.itertuples() if row.state == "done"
    }
    alike = {(replace(run, seed=0), tuple(data.get(run.id, {}).values())): run for run in runs}
    return concerned({run: departures(run, data.get(run.id)) for run in alike.values()})
