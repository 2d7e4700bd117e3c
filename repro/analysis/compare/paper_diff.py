"""The diff: every number and every claim with its word, departures, and what is missing.

`compare` computes it; `repro/analysis/output` says it to people and to programs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from repro.analysis.compare.claims import JudgedClaim, judge_claims
from repro.analysis.compare.cost_of_looking import LookBook
from repro.analysis.compare.curve_gaps import CurveGap, curve_gaps
from repro.analysis.compare.judged_numbers import JudgedNumber, judge_numbers, quoted_numbers
from repro.analysis.compare.measured_weights import MeasuredNumber, measured_numbers
from repro.analysis.compare.other_results import in_place_of_paper, load_other_results
from repro.analysis.compare.seed_statistics import ALPHA, holm_adjusted
from repro.analysis.compare.variant_runs import VariantRuns, variant_runs
from repro.analysis.runs.frame_cache import Problem
from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Experiment, Paper, runs_of
from repro.definition.run import Run
from repro.definition.verdicts_and_states import ClaimVerdict, Verdict
from repro.errors import UserError, did_you_mean, quote
from repro.protocol.catalog import all_scales
from repro.protocol.deviations import Departure, departures, group_by_departure
from repro.storage.access import why_not_kept

WORDS = tuple(dict.fromkeys(map(str, (*Verdict, *ClaimVerdict))))
DIFFERENT = (Verdict.BETTER, Verdict.WORSE, Verdict.DEVIATES)


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
    variants: tuple[VariantRuns, ...] = ()  # finished runs in another reading, not counted

    @cached_property
    def tested_rows(self) -> tuple[JudgedNumber, ...]:
        """The numbers of which a difference was tested: each may be called different by chance."""
        unjudged = (Verdict.NOT_COMPARABLE, Verdict.INCOMPLETE, Verdict.MISSING)
        tested = []
        for row in self.rows:
            if row.verdict.p is not None and row.verdict.word not in unjudged:
                tested.append(row)
        return tuple(tested)

    @property
    def expected_false(self) -> float:
        """How many of the tested numbers chance alone calls different, if none is."""
        return sum(row.rule.false_alarms for row in self.tested_rows if row.rule)

    @cached_property
    def unconfirmed(self) -> frozenset[JudgedNumber]:
        """The numbers called different whose difference does not outlast Holm's correction."""
        ps = holm_adjusted([row.verdict.p or 0.0 for row in self.tested_rows])
        pairs = zip(self.tested_rows, ps, strict=True)
        unconfirmed = set()
        for row, p in pairs:
            if row.verdict.word in DIFFERENT and p >= ALPHA:
                unconfirmed.add(row)
        return frozenset(unconfirmed)

    def fails(self, words: Collection[str]) -> bool:
        """Return whether any number or claim has one of these words, for the exit code."""
        # A difference counts only if it outlasts the correction over all numbers tested at once:
        # with thirty rows, one false word at least is the rule, and an exit code is no lottery.
        words_of_rows = {row.verdict.word for row in self.rows if row not in self.unconfirmed}
        words_of_claims = {claim.word for claim in self.claims}
        return not (words_of_rows | words_of_claims).isdisjoint(words)


def compare(
    declared: Mapping[str, Experiment],
    scaled: Mapping[str, Experiment],
    collected: Collected,
    scale: str,
    allow_mixed: bool = False,
    against: Path | None = None,
    note: str = "",
    file_name: Callable[[str], str] = str,
) -> Diff:
    """Return the diff of some experiments, as the paper has them and as they ran.

    `note` says what was chosen beside the scale, and `file_name` names an experiment's files by it.
    """
    diff = replace(_of_runs(scaled, collected, scale), note=note)
    if against:
        return _against_others(diff, scaled, collected, allow_mixed, against)
    # Somebody else's results are read, and never written into.
    keep = not why_not_kept(collected.places.results)
    books = {}
    for name in scaled:
        books[name] = LookBook(collected.places.looks(file_name(name), scale), keep)
    claims = judge_claims(declared, scaled, collected, books)
    judged = _numbers(diff, scaled, collected, allow_mixed)
    forgotten = _save_looks(books, collected)
    return replace(
        judged,
        claims=tuple(claims),
        problems=diff.problems + forgotten,
        variants=_variants(declared, collected, diff),
    )


def parse_verdicts(text: str) -> tuple[str, ...]:
    """Return the words that --fail-on names."""
    words = []
    for part in text.split(","):
        word = part.strip().replace("-", " ")
        if word and word not in WORDS:
            near = did_you_mean(word, WORDS, "words: " + ", ".join(WORDS))
            raise UserError(f"no verdict is called {quote(word)}", near)
        if word:
            words.append(word)
    return tuple(words)


def _of_runs(scaled: Mapping[str, Experiment], collected: Collected, scale: str) -> Diff:
    """Return what was asked for and what has finished of it; nothing is judged yet."""
    runs = runs_of(tuple(scaled.values()))
    run_set = collected.of(runs)
    over = set(run_set.over)
    return Diff(
        experiments=tuple(scaled),
        scale=scale,
        against=None,
        rows=(),
        claims=(),
        curves=(),
        quoted=(),
        ledger=_ledger(runs, run_set.finished),
        lacking=tuple(run.id for run in runs if run.id not in over),
        asked=len(runs),
        problems=collected.problems,
    )


def _numbers(
    diff: Diff, scaled: Mapping[str, Experiment], collected: Collected, allow_mixed: bool
) -> Diff:
    """Return the diff with every number of the paper's and what stands beside it."""
    rows: list[JudgedNumber] = []
    curves: list[CurveGap] = []
    quoted: list[tuple[str, str, str, Paper]] = []
    measured: list[MeasuredNumber] = []
    told = set()
    for name, experiment in scaled.items():
        rows += judge_numbers(name, experiment, collected, allow_mixed)
        curves += curve_gaps(name, experiment, collected)
        quoted += quoted_numbers(name, experiment)
        for number in measured_numbers(name, experiment, collected.evaluations):
            # What is published for weights alone is no table's: it is told once.
            key = (number.evaluation, number.metric)
            if number.paper is not None or key not in told:
                measured.append(number)
            told.add(key)
    return replace(
        diff, rows=tuple(rows), curves=tuple(curves), quoted=tuple(quoted), measured=tuple(measured)
    )


def _variants(
    declared: Mapping[str, Experiment], collected: Collected, diff: Diff
) -> tuple[VariantRuns, ...]:
    """Return what has finished in another reading; nothing where the user chose one."""
    scale = all_scales().get(diff.scale)
    if scale is None or diff.note:
        return ()
    return variant_runs(declared.values(), scale, collected)


def _save_looks(books: Mapping[str, LookBook], collected: Collected) -> tuple[Problem, ...]:
    """Keep the looks; name the files that cannot be written, as what is forgotten is not paid."""
    said = "this look at the claims cannot be kept: later looks will not be charged for it"
    problems = []
    for book in books.values():
        if book.path and not book.save():
            problems.append(Problem(_inside(book.path, collected.places.results), said))
    return tuple(problems)


def _inside(path: Path, folder: Path) -> str:
    if path.is_relative_to(folder):
        return str(path.relative_to(folder))
    return str(path)


def _against_others(
    diff: Diff,
    scaled: Mapping[str, Experiment],
    collected: Collected,
    allow_mixed: bool,
    against: Path,
) -> Diff:
    """Return the diff with somebody else's numbers for the paper's: no claims, no curves."""
    theirs = load_other_results(against, scaled)
    collected = replace(collected, labs={})  # what is compared with them is ours
    rows: list[JudgedNumber] = []
    for name, experiment in scaled.items():
        replaced = in_place_of_paper(name, experiment, theirs.numbers)
        rows += judge_numbers(name, replaced, collected, allow_mixed, theirs.gate)
    problems = diff.problems + theirs.problems
    return replace(diff, against=str(against), rows=tuple(rows), problems=problems)


def _ledger(runs: tuple[Run, ...], finished: pd.DataFrame) -> dict[Departure, tuple[str, ...]]:
    """Return every departure of the runs, and of the images they saw, with the nets it concerns."""
    data, alike = {}, {}
    for row in finished.itertuples():
        data[row.id] = {"name": row.data_name, "origin": row.data_origin}
    for run in runs:
        # Seeds on the same images depart alike: one of them stands for all.
        images = tuple(data.get(run.id, {}).values())
        alike[replace(run, seed=0), images] = run
    return group_by_departure({run: departures(run, data.get(run.id)) for run in alike.values()})
