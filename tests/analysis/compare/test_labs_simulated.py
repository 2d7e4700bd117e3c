"""The rule for several labs, simulated: the rates that docs/reading-a-verdict.md prints.

The truth is that the paper is one more lab: whatever is called different is a false alarm.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from repro.analysis.compare.between_labs import against_mean, against_run, level, spread_of
from repro.analysis.compare.seed_statistics import Sample, prediction_estimate, sample

pytestmark = pytest.mark.slow

TRIALS = 1000
MOST = 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / TRIALS)  # 5 %, and what chance adds
COUNTS = {"two": [5, 5], "unequal": [5, 3, 1], "five": [5, 3, 2, 8, 1], "single": [1, 1, 1, 1]}


def draw(rng: np.random.Generator, counts: list[int], between: float) -> list[list[float]]:
    """Draw the seeds of some labs around level 0; the spread of seeds is 1."""
    return [list(rng.normal(rng.normal(0, between), 1, count)) for count in counts]


@pytest.mark.parametrize("between", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
def test_one_run_of_one_more_lab_is_called_different_one_time_in_twenty_at_most(counts, between):
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(TRIALS):
        labs = list(map(sample, draw(rng, counts, between)))
        paper = rng.normal(rng.normal(0, between), 1)
        false += against_run(labs, paper, 0.0).p_different() < 0.05
    assert false / TRIALS <= MOST


@pytest.mark.parametrize("counts", [[5] * 5, [5, 3, 2, 8, 1]], ids=["equal", "unequal"])
def test_of_five_labs_that_differ_the_rate_is_near_the_nominal_one(counts):
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(TRIALS):
        labs = list(map(sample, draw(rng, counts, 2.0)))
        paper = rng.normal(rng.normal(0, 2.0), 1)
        false += against_run(labs, paper, 0.0).p_different() < 0.05
    assert 0.03 <= false / TRIALS <= MOST


@pytest.mark.parametrize(("counts", "rate"), [([5, 5], 0.22), ([5] * 5, 0.12)])
def test_seeds_that_are_pooled_as_if_independent_are_wrong_far_more_often(counts, rate):
    """What the rule avoids: the prediction interval of one lab, for the seeds of several."""
    rng = np.random.default_rng(3)
    false = 0
    for _ in range(TRIALS):
        pooled = [value for lab in draw(rng, counts, 2.0) for value in lab]
        paper = rng.normal(rng.normal(0, 2.0), 1)
        false += prediction_estimate(sample(pooled), paper).p_different() < 0.05
    assert false / TRIALS == pytest.approx(rate, abs=0.035)
    assert false / TRIALS > MOST


@pytest.mark.parametrize("between", [0.0, 1.0])
def test_a_level_a_margin_away_is_called_equal_one_time_in_twenty_at_most(between):
    rng = np.random.default_rng(4)
    margin, equal = 8.0, 0
    for _ in range(TRIALS):
        labs = list(map(sample, draw(rng, [5, 3, 2, 8, 1], between)))
        paper = margin + rng.normal(rng.normal(0, between), 1)
        equal += against_run(labs, paper, 0.0).p_within(margin) < 0.05
    assert equal / TRIALS <= MOST


def test_a_mean_of_five_runs_of_one_more_lab_is_called_different_one_time_in_twenty_at_most():
    rng = np.random.default_rng(5)
    trials, false = TRIALS // 2, 0
    for _ in range(trials):
        *labs, paper = map(sample, draw(rng, [5, 3, 1, 5], 1.0))
        paper = paper if paper.n == 5 else Sample(5, paper.mean, 1.0)
        false += against_mean(labs, paper, 0.0).p_different() < 0.05
    assert false / trials <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize("between", [0.0, 1.0, 2.0])
def test_the_intervals_of_the_level_and_of_the_spread_between_labs_cover_what_they_say(between):
    rng = np.random.default_rng(6)
    trials, levels, spreads = 300, 0, 0
    for _ in range(trials):
        labs = list(map(sample, draw(rng, [5, 3, 2, 8, 1], between)))
        low, high = level(labs, 0.0).interval()
        levels += low <= 0 <= high
        spread = spread_of(labs)
        assert spread.between_low is not None
        assert spread.between_high is not None
        spreads += spread.between_low <= between <= spread.between_high
    least = 0.95 - 2.5 * math.sqrt(0.05 * 0.95 / trials)
    assert levels / trials >= least
    assert spreads / trials >= least
