"""One seed of each net: what can be said of these trained nets on these images, and of no
others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.imagenet import PLAIN, RESNET
from repro.analysis.compare.claims import JudgedClaim, judge_claims
from repro.analysis.compare.image_tests import Discordant
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import Bound, Check, Claim, Close, Figure, Ordering
from repro.storage.predictions import IN_ENSEMBLES, Scores, save

TOP1 = "multi_scale_top1"
DEEP, SHALLOW = PLAIN[34], PLAIN[18]
ABOVE = Ordering(TOP1, (DEEP, SHALLOW))
IMAGES, CLASSES = 2_000, 20


def judge(places, *checks: Check) -> JudgedClaim:
    figure = Figure("made up", (), 1, claims=(Claim("C", "so it is", "here", checks),))
    (judged,) = judge_claims({"f": figure}, {"f": figure}, collect(places))
    return judged


@pytest.fixture
def leave(finished):
    """A finished run with its predictions: wrong on the first so many images, and then on these."""

    def write(run, wrong: int, also: range = range(0), data: str = "1a9e", kept: bool = True):
        labels = np.arange(IMAGES) % CLASSES
        scores = np.eye(CLASSES, dtype=np.float32)[labels]
        for image in (*range(wrong), *also):
            scores[image] = np.roll(scores[image], 7)
        folder = finished(run, multi_scale_top1=100 * (wrong + len(also)) / IMAGES)
        if kept:
            places = np.arange(IMAGES)
            save(
                folder.predictions,
                data,
                {IN_ENSEMBLES: Scores(places, labels, scores)},
                IN_ENSEMBLES,
            )
        return folder

    return write


def test_one_seed_each_decides_a_claim_about_these_nets_in_words_of_its_own(places, leave):
    leave(DEEP.run, 300, range(1000, 1100))
    leave(SHALLOW.run, 300, range(1100, 1110))
    judged = judge(places, ABOVE)
    assert judged.word == "holds for these nets"
    (finding,) = judged.evidence
    assert finding.effect == pytest.approx(4.5)
    assert finding.low < 4.5 < finding.high
    assert "of these two trained nets on 2,000 images, not of the recipe" in finding.said


def test_the_opposite_fails_for_these_nets(places, leave):
    leave(DEEP.run, 300, range(1100, 1110))
    leave(SHALLOW.run, 300, range(1000, 1100))
    assert judge(places, ABOVE).word == "fails for these nets"


def test_nets_that_err_on_as_many_other_images_are_undecided(places, leave):
    leave(DEEP.run, 300, range(1000, 1050))
    leave(SHALLOW.run, 300, range(1100, 1150))
    assert judge(places, ABOVE).word == "undecided"


def test_without_predictions_one_seed_cannot_be_tested(places, leave):
    leave(DEEP.run, 400, kept=False)
    leave(SHALLOW.run, 300)
    judged = judge(places, ABOVE)
    assert (judged.word, judged.p) == ("undecided", None)
    assert judged.evidence[0].said.endswith("one seed cannot be tested")


def test_predictions_on_other_images_are_not_paired(places, leave):
    leave(DEEP.run, 400, data="other")
    leave(SHALLOW.run, 300)
    assert judge(places, ABOVE).word == "undecided"


@pytest.mark.parametrize(
    ("shift", "within", "word"),
    [(0, 1.0, "holds for these nets"), (100, 1.0, "fails for these nets"), (0, 0.1, "undecided")],
)
def test_two_nets_are_close_on_these_images_or_not(places, leave, shift, within, word):
    leave(DEEP.run, 300, range(1000, 1010 + shift))
    leave(SHALLOW.run, 300, range(1500, 1510))
    assert judge(places, Close(TOP1, DEEP, SHALLOW, within=within)).word == word


@pytest.mark.parametrize(
    ("wrong", "word"),
    [(300, "holds for these nets"), (500, "fails for these nets"), (400, "undecided")],
)
def test_a_threshold_is_met_on_these_images_or_not(places, leave, wrong, word):
    leave(DEEP.run, wrong)
    assert judge(places, Bound(TOP1, DEEP, below=20.0)).word == word


def test_several_seeds_are_judged_as_seeds(places, leave):
    for runs, wrong in ((DEEP.limited(3), 400), (SHALLOW.limited(3), 300)):
        for run in runs:
            leave(run, wrong + run.seed * (5 if runs is DEEP else 3))
    assert judge(places, Ordering(TOP1, (DEEP.limited(3), SHALLOW.limited(3)))).word == "holds"


def test_two_training_curves_are_compared_point_by_point(places, finished):
    falling = [80.0 - at / 4 for at in range(100)]
    for runs, above in ((DEEP, 3.0), (SHALLOW, 0.0)):
        finished(runs.run, [{"train_error": error + above} for error in falling])
    throughout = Ordering("train_error", (DEEP, SHALLOW), throughout=(5_000, 550_000))
    judged = judge(places, throughout)
    assert judged.word == "holds for these nets"
    assert "of these two trainings" in judged.evidence[0].said
    assert judge(
        places, Ordering("train_error", (SHALLOW, DEEP), throughout=(5_000, 550_000))
    ).word == ("fails for these nets")


def test_final_training_errors_are_shares_of_the_last_windows_images(places, finished):
    for runs, error in ((RESNET[18, "A"], 29.9), (RESNET[34, "A"], 25.1)):
        finished(runs.run, train_error=error)
    ordering = Ordering("train_error", (RESNET[18, "A"], RESNET[34, "A"]))
    assert judge(places, ordering).word == "holds for these nets"


def test_the_exact_test_is_scipys_and_the_bootstrap_agrees_with_the_normal_interval():
    cells = Discordant(120, 80, 10_000)
    known = stats.binomtest(120, 200, alternative="greater").pvalue
    assert cells.p_first_is_worse() == pytest.approx(known)
    assert cells.interval() == pytest.approx(cells.estimate().interval(), abs=0.02)
