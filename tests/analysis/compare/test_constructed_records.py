"""Constructed records, each judged by an earlier rule and by the present one: they differ, and why is the name.

The numbers' own cases are in test_verdict.py; these are of claims, of files, and of what is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from experiments import table6
from experiments.cifar10 import PLAIN, RESNET
from experiments.imagenet import PLAIN as PLAIN_PHOTOS
from experiments.recipes import IMAGENET_AS_PRINTED
from repro.analysis.compare.claims import judge_claims
from repro.analysis.compare.cost_of_looking import LookBook
from repro.analysis.compare.margins import Rule
from repro.analysis.compare.paper_diff import compare
from repro.analysis.compare.seed_statistics import prediction_estimate, sample
from repro.analysis.compare.verdict import OurValues, judge
from repro.analysis.planning.plan import forecast, make_plan
from repro.analysis.planning.simulated_outcomes import Outcomes, first
from repro.analysis.runs.run_frames import collect
from repro.cost.gpu_hours import gpu_hours
from repro.definition.experiment import (
    Check,
    Claim,
    Figure,
    InMostLayers,
    Ordering,
    Paper,
    runs_of,
)
from repro.definition.run import Run, Runs
from repro.errors import UserError
from repro.protocol.deviations import departures, format_value
from repro.storage.atomic import to_json
from repro.storage.paths import Places
from repro.storage.predictions import IN_ENSEMBLES, Scores, save

DEEP, SHALLOW = PLAIN[56], PLAIN[20]
RULE = Rule(margin=0.5, spread=0.16)


@dataclass(frozen=True)
class Folders:
    """The test's own folders, and what writes a finished run into them."""

    places: Places
    finished: Callable
    path: Path


def word_of(folders: Folders, *checks: Check, book: LookBook | None = None) -> str:
    figure = Figure("made up", (), 1, claims=(Claim("C", "so it is", "here", checks),))
    books = {"f": book} if book else None
    (judged,) = judge_claims({"f": figure}, {"f": figure}, collect(folders.places), books)
    return str(judged.word)


def row_of(folders: Folders, against: Path | None = None) -> str:
    declared = {"table6": table6.experiment}
    rows = compare(declared, declared, collect(folders.places), "paper", against=against).rows
    (row,) = [row for row in rows if (row.row, row.metric) == ("ResNet-20", "test_error")]
    return str(row.verdict.word)


def one_net_each(folders: Folders, keep: bool) -> str:
    """Two ImageNet nets of one seed; one of them errs on 90 images more, of 2,000."""
    labels = np.arange(2_000) % 20
    for runs, wrong in ((PLAIN_PHOTOS[34], 390), (PLAIN_PHOTOS[18], 300)):
        scores = np.eye(20, dtype=np.float32)[labels]
        scores[:wrong] = np.roll(scores[:wrong], 7, axis=1)
        folder = folders.finished(runs.run, multi_scale_top1=wrong / 20)
        if keep:
            best = {IN_ENSEMBLES: Scores(np.arange(2_000), labels, scores)}
            save(folder.predictions, "1a9e", best, IN_ENSEMBLES)
    nets = PLAIN_PHOTOS[34], PLAIN_PHOTOS[18]
    return word_of(folders, Ordering("multi_scale_top1", nets))


def zigzag(folders: Folders, by: str) -> str:
    """Responses that alternate: the louder net is louder at every rank, and in half of the layers."""
    for runs, layers in ((DEEP, [1.9, 0.6] * 10), (SHALLOW, [0.55, 1.8] * 10)):
        for run in runs:
            folders.finished(run, responses=[layer + run.seed / 1e4 for layer in layers])
    return word_of(folders, InMostLayers(DEEP, SHALLOW, by=by))


def shorter(words: bool) -> str:
    """What the ledger has for the paper's iterations, of a run that stops earlier."""
    recipe = replace(IMAGENET_AS_PRINTED, iterations=500_000)
    found = departures(Run(PLAIN_PHOTOS[18].run.net, recipe))
    (departure,) = [one for one in found if one.field == "recipe.iterations"]
    return departure.paper if words else format_value(IMAGENET_AS_PRINTED.iterations)


def fraction(folders: Folders, ours: tuple[float, ...]) -> str:
    """Another lab's 0.0875 where 8.75 % is meant."""
    for run in list(RESNET[20])[: len(ours)]:
        folders.finished(run, test_error=ours[run.seed])
    path = folders.path / "theirs.csv"
    path.write_text("experiment,row,metric,value\ntable6,ResNet-20,test_error,0.0875\n")
    try:
        return row_of(folders, path)
    except UserError as error:
        return error.problem.partition(": ")[2]  # after the name of the file


def looked_at(folders: Folders, seeds: tuple[int, ...]) -> str:
    """A gap that five seeds show at p = 0.03, looked at when so many of them were there."""
    gaps = (0.9, 0.0, 0.6, 0.05, 0.75)
    book, said = LookBook(), ""
    there = 0
    for count in seeds:
        for seed in range(there, count):
            for runs, error in ((DEEP, 10 + gaps[seed]), (SHALLOW, 10.0)):
                folders.finished(list(runs)[seed], test_error=error)
        there = count
        said = word_of(folders, Ordering("test_error", (DEEP, SHALLOW)), book=book)
    return said


def edited(folders: Folders, by_hand: bool) -> str:
    """A final record whose error was made better than what its curve ends with."""
    for run in RESNET[20]:
        curve = [{"train_error": 1.0, "test_error": 8.8}] * 64
        folder = folders.finished(run, curve, train_error=1.0, test_error=8.8 + run.seed / 1e3)
        final = json.loads(folder.final.read_bytes())
        final["metrics"]["test_error"] = 8.0 + run.seed / 100
        if by_hand:
            folder.final.write_bytes(to_json(final))
        else:
            folder.metrics.unlink()  # as if nobody looked at the curve
            folder.final.write_bytes(to_json(final))
    return row_of(folders)


def lowest(cut: bool) -> str:
    """Where the interval of a training error near zero begins."""
    values = (0.01, 0.3, 0.02)
    if not cut:
        return f"{0.3 + prediction_estimate(sample(values), 0.3, 0.16).interval()[0]:.1f}"
    return f"{judge(OurValues(values), Paper(0.3), RULE).low:.1f}"


def decided_in_two_hours(planned: bool) -> str:
    """The claims that two GPU-hours of Table 6 are expected to decide: in the page's order, or planned."""
    pages = {"table6": table6.experiment}
    outcomes = Outcomes(pages.values(), 5)
    items, _ = outcomes.items()
    seeds: dict[Run, int] = {}
    runs = runs_of(table6.experiment)
    if planned:
        steps = make_plan(pages, 2.0, frozenset(), 5).steps
        runs = tuple(run for step in steps for run in step.runs)
    left = 2.0
    for run in runs:
        left -= gpu_hours(run)
        if left < 0:
            break
        seeds[first(Runs(run, 1))] = seeds.get(first(Runs(run, 1)), 0) + 1
    claims, _ = forecast(items, seeds)
    return ", ".join(name for name, chance in claims.items() if chance > 0.5) or "nothing"


CASES = [
    # what it is, what the earlier rule said, what the present one says
    ("one seed of each net, image by image", "undecided", "holds for these nets",
     lambda f: one_net_each(f, keep=False), lambda f: one_net_each(f, keep=True)),
    ("responses that zigzag, by rank", "undecided", "holds",
     lambda f: zigzag(f, "layer"), lambda f: zigzag(f, "rank")),
    ("the paper's words in the ledger", "550,000", "“up to 60×10⁴ iterations”, read as 550,000",
     lambda f: shorter(words=False), lambda f: shorter(words=True)),
    ("a fraction for a percentage", "worse", "`0.0875` looks like a fraction",
     lambda f: judge(OurValues((8.6, 8.7, 8.8)), Paper(0.0875), RULE).word,
     lambda f: fraction(f, (8.6, 8.7, 8.8))),
    ("an interval below zero", "-0.7", "0.0",
     lambda f: lowest(cut=False), lambda f: lowest(cut=True)),
    ("the fourth look at five seeds", "holds", "undecided",
     lambda f: looked_at(f, (5,)), lambda f: looked_at(f, (2, 3, 4, 5))),
    ("two GPU-hours", "nothing", "T6-2",
     lambda f: decided_in_two_hours(planned=False), lambda f: decided_in_two_hours(planned=True)),
    ("a final record edited by hand", "better", "missing",
     lambda f: edited(f, by_hand=False), lambda f: edited(f, by_hand=True)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("judged", "said"),
    [(earlier, before) for _, before, _, earlier, _ in CASES],
    ids=[case[0] for case in CASES],
)
def test_an_earlier_rule_said(judged, said, places, finished, tmp_path):
    assert judged(Folders(places, finished, tmp_path)) == said


@pytest.mark.parametrize(
    ("judged", "said"),
    [(present, now) for _, _, now, _, present in CASES],
    ids=[case[0] for case in CASES],
)
def test_the_present_rule_says(judged, said, places, finished, tmp_path):
    assert judged(Folders(places, finished, tmp_path)) == said
