"""Each claim that runs decide can come out either way: some records make it hold, some make it
fail."""

from __future__ import annotations

import pandas as pd
import pytest

from repro.analysis.compare.claims import judge_claims
from repro.analysis.runs.run_frames import Collected, collect
from repro.definition.experiment import (
    Bound,
    Claim,
    Close,
    Counted,
    Figure,
    InMostLayers,
    Ordering,
    Skipped,
    Unchecked,
    at_scale,
    groups_of,
)
from repro.definition.run import Run, Runs
from repro.definition.scales_and_variants import Scale
from repro.protocol.catalog import REPRODUCED, load_experiment
from tests.run_folders import DATA, PROVENANCE, places

__all__ = ["places"]  # the fixture

SEEDS = 3
THREE = Scale("paper", "three seeds", None, lambda run: run)
NOISE = (0.0, 0.001, -0.0015)  # small beside every margin that a claim names
PIXELS = dict.fromkeys(("data_origin",), "official archive")


def decidable() -> list[Claim]:
    claims = []
    for name in REPRODUCED:
        experiment = load_experiment(name)
        if not isinstance(experiment, Skipped):
            claims += at_scale(experiment, THREE, SEEDS).claims
    checks = (Counted, Unchecked)
    return [claim for claim in claims if not all(isinstance(c, checks) for c in claim.checks)]


def counted() -> list[Claim]:
    claims = []
    for name in REPRODUCED:
        experiment = load_experiment(name)
        if not isinstance(experiment, Skipped):
            claims += experiment.claims
    return [claim for claim in claims if all(isinstance(c, Counted) for c in claim.checks)]


CLAIMS = {claim.id: claim for claim in decidable()}
COUNTED = {claim.id: claim for claim in counted()}


class Records:
    """What runs measured, number by number, so that a claim is true or is false."""

    def __init__(self, claim: Claim, true: bool) -> None:
        self.levels: dict[tuple[Runs, str], float] = {}
        self.loudness: dict[Runs, float] = {}
        self.curves: dict[Runs, float] = {}
        for check in claim.checks:
            if isinstance(check, Ordering):
                self._order(check, true)
        for check in claim.checks:
            if isinstance(check, Bound):
                self.levels[check.runs, check.metric] = self._within(check, true)
            elif isinstance(check, Close):
                base = self.levels.setdefault((check.one, check.metric), 8.0)
                self.levels[check.other, check.metric] = base + (0 if true else 4 * check.within)
            elif isinstance(check, InMostLayers):
                self.loudness[check.higher] = 2.0 if true else 0.5
                self.loudness.setdefault(check.lower, 1.0)

    def _order(self, check: Ordering, true: bool) -> None:
        groups = check.higher_to_lower if true else check.higher_to_lower[::-1]
        level = 40.0
        for group in groups:
            key = (group, check.metric)
            # A net that several orderings name keeps the lowest level that one of them asks for.
            self.levels[key] = min(level, self.levels.get(key, level)) if true else level
            level = self.levels[key] - 2.0
            self.curves[group] = self.levels[key]

    @staticmethod
    def _within(check: Bound, true: bool) -> float:
        above, below = check.above, check.below
        if above is not None and below is not None:
            return (above + below) / 2 if true else 2 * below
        if above is not None:
            return above * 1.2 if true else above * 0.5
        assert below is not None
        return below * 0.5 if true else below * 1.5


def collected(claim: Claim, true: bool, empty: Collected) -> Collected:
    records = Records(claim, true)
    rows, points, responses = [], [], []
    for group in groups_of(claim):
        for run in group:
            about = DATA[run.net.family]
            row = PROVENANCE | {
                "id": run.id, "net": run.net.name, "seed": run.seed, "state": "done",
                "data_name": about["name"], "data_hash": about["hash"],
                "train_images": about["train_images"], "test_images": about["test_images"],
                "not_finite": [], "machines": None,
            } | PIXELS  # fmt: skip
            for (runs, metric), level in records.levels.items():
                if runs == group:
                    row[metric] = level * (1 + NOISE[run.seed] * (1 + run.net.depth / 1e4))
            rows.append(row)
            points += _points(run, group, records)
            responses += _responses(run, group, records)
    columns = dict.fromkeys([*empty.runs.columns, *(name for row in rows for name in row)])
    runs = pd.DataFrame(rows).reindex(columns=list(columns)).astype({"twin": object})
    return Collected(
        runs,
        pd.DataFrame(points, columns=["id", "seed", "iteration", "train_error", "test_error"]),
        pd.DataFrame(responses, columns=["id", "seed", "layer", "response"]),
        empty.places,
    )


def _points(run: Run, group: Runs, records: Records) -> list[dict[str, float]]:
    level = records.curves.get(group)
    if level is None:
        return []
    every = run.recipe.evaluate_every
    return [
        {"id": run.id, "seed": run.seed, "iteration": at, "train_error": level + NOISE[run.seed]
         * (1 + run.net.depth / 50), "test_error": level + NOISE[run.seed] * (1 + run.net.depth / 50)}
        for at in range(every, run.recipe.iterations + 1, every)
    ]  # fmt: skip


def _responses(run: Run, group: Runs, records: Records) -> list[dict[str, float]]:
    loudness = records.loudness.get(group)
    if loudness is None:
        return []
    layers = range(1, run.net.depth)
    return [
        {"id": run.id, "seed": run.seed, "layer": layer, "response": loudness + layer / 1e4}
        for layer in layers
    ]


def word(claim: Claim, true: bool, places) -> str:
    figure = Figure("one claim", (), 1, claims=(claim,))
    (judged,) = judge_claims({"f": figure}, {"f": figure}, collected(claim, true, collect(places)))
    return judged.word


@pytest.mark.parametrize("name", CLAIMS)
def test_some_records_make_a_claim_hold_and_some_make_it_fail(name, places):
    claim = CLAIMS[name]
    assert word(claim, True, places) == "holds"
    assert word(claim, False, places) == "fails"


@pytest.mark.parametrize("name", COUNTED)
def test_a_count_that_were_another_would_make_a_claim_fail(name, places):
    claim = COUNTED[name]
    check = claim.checks[0]
    other = Counted(check.count, check.net, check.over, check.high + 1, check.high + 2)
    for checks, expected in ((claim.checks, "holds"), ((other,), "fails")):
        figure = Figure("f", (), 1, claims=(Claim(claim.id, claim.text, claim.where, checks),))
        (judged,) = judge_claims({"f": figure}, {"f": figure}, collect(places))
        assert judged.word == expected
