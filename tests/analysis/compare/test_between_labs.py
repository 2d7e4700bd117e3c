"""Repeatability, between labs, reproducibility; and the verdict about the mean of the labs' means."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from repro.analysis.compare.between_labs import against_mean, against_run, level, spread_of
from repro.analysis.compare.lab_verdict import judge_labs, spread_text
from repro.analysis.compare.margins import Rule
from repro.analysis.compare.seed_statistics import Sample, mean_estimate, sample
from repro.definition.experiment import Paper

RULE = Rule(0.5, 0.16)
EQUAL = [[8.0, 8.2, 8.4], [8.6, 8.8, 9.0], [8.3, 8.5, 8.7]]
UNEQUAL = [[8.0, 8.2, 8.4, 8.1], [8.6, 8.9], [8.5]]


def samples(groups: list[list[float]]) -> list[Sample]:
    return list(map(sample, groups))


def test_of_equal_counts_the_three_spreads_are_those_of_the_textbook():
    spread = spread_of(samples(EQUAL))
    within = statistics.mean(statistics.variance(group) for group in EQUAL)
    of_means = statistics.variance(statistics.mean(group) for group in EQUAL)
    between = of_means - within / 3
    assert spread.repeatability == pytest.approx(math.sqrt(within))
    assert spread.between == pytest.approx(math.sqrt(between))
    assert spread.reproducibility == pytest.approx(math.sqrt(between + within))
    assert (spread.labs, spread.n, spread.mean) == (3, 9, pytest.approx(8.5))


def test_of_unequal_counts_they_are_those_of_iso_5725_2_by_hand():
    """n = 4, 2, 1: Σn = 7, Σn² = 21, so that n̄ = (7 - 21/7)/2 = 2."""
    spread = spread_of(samples(UNEQUAL))
    within = (3 * statistics.variance(UNEQUAL[0]) + statistics.variance(UNEQUAL[1])) / 4
    level_of_runs = statistics.mean(value for group in UNEQUAL for value in group)
    seen = sum(len(g) * (statistics.mean(g) - level_of_runs) ** 2 for g in UNEQUAL) / 2
    assert spread.repeatability == pytest.approx(math.sqrt(within))
    assert spread.between == pytest.approx(math.sqrt((seen - within) / 2))


def test_a_lab_counts_once_however_many_seeds_it_has():
    groups = [[8.0] * 50 + [8.1] * 50, [9.0, 9.1]]
    assert spread_of(samples(groups)).mean == pytest.approx(8.55)


def test_a_negative_variance_between_labs_is_zero():
    spread = spread_of(samples([[8.0, 9.0], [8.5, 8.6], [8.1, 8.9]]))
    assert spread.between == 0
    assert spread.reproducibility == spread.repeatability
    assert spread.between_low == 0
    assert spread.between_high is not None
    assert spread.between_high > 0


def test_one_run_a_lab_shows_the_sum_only_and_says_so():
    spread = spread_of(samples([[8.0], [8.4], [8.8]]))
    assert (spread.repeatability, spread.between) == (None, None)
    assert spread.reproducibility == pytest.approx(0.4)
    assert "cannot be told apart" in spread_text(spread)


def test_the_interval_of_the_spread_between_two_labs_says_how_little_they_tell():
    spread = spread_of(samples([[8.0, 8.1, 8.2], [8.5, 8.6, 8.7]]))
    assert spread.between_high is not None
    assert spread.between is not None
    assert spread.between_high > 10 * spread.between


def test_the_level_of_labs_with_one_run_is_students_interval_of_that_many_numbers():
    values = [8.0, 8.4, 8.8, 8.3]
    low, high = level(samples([[value] for value in values]), 0.0).interval()
    expected = mean_estimate(sample(values)).interval()
    assert (low, high) == pytest.approx(expected, abs=0.02)


def test_where_labs_differ_far_more_than_seeds_it_is_that_of_the_labs_means():
    groups = [[mean - 1e-4, mean + 1e-4] for mean in (8.0, 8.4, 8.8, 8.3)]
    low, high = level(samples(groups), 0.0).interval()
    expected = mean_estimate(sample([8.0, 8.4, 8.8, 8.3])).interval()
    assert (low, high) == pytest.approx(expected, abs=0.02)


def test_more_seeds_of_the_same_labs_do_not_narrow_what_labs_do_differently():
    """Pooled, a hundred seeds would look like a hundred independent numbers."""
    rng = np.random.default_rng(1)
    groups = [list(rng.normal(mean, 0.1, 100)) for mean in (8.2, 8.6, 9.0)]
    estimate = level(samples(groups), 0.16)
    pooled = mean_estimate(sample([value for group in groups for value in group]))
    assert estimate.reach() > 10 * (pooled.interval()[1] - pooled.difference)


def test_one_labs_far_number_is_no_difference_where_labs_differ_as_much():
    """The paper's 8.75 is five of our standard deviations off, and no farther than labs are."""
    groups = [[8.1, 8.15, 8.12], [8.9, 8.95, 8.88], [8.4, 8.45, 8.5], [8.6, 8.62, 8.7]]
    judged = judge_labs(samples(groups), Paper(8.75), RULE)
    assert judged.word == "consistent"
    assert "which the spread of labs and seeds can explain" in judged.reasons[0]
    assert "4 labs could show a difference of" in judged.reasons[1]


@pytest.mark.parametrize(("shift", "word"), [(0.0, "reproduced"), (1.5, "worse"), (-1.5, "better")])
def test_many_agreeing_labs_decide(shift, word):
    rng = np.random.default_rng(2)
    groups = [list(8.75 + shift + rng.normal(0, 0.03) + rng.normal(0, 0.1, 5)) for _ in range(8)]
    judged = judge_labs(samples(groups), Paper(8.75), Rule(0.5, 0.1))
    assert judged.word == word
    assert judged.low is not None
    assert judged.high is not None
    assert judged.low < 8.75 + shift < judged.high


def test_a_published_mean_is_met_by_a_mean_with_what_its_lab_does_differently():
    groups = samples([[6.5, 6.6, 6.7], [6.9, 7.0, 6.8], [6.4, 6.3, 6.5]])
    theirs = Paper(6.61, kind="mean", std=0.16, n=5)
    judged = judge_labs(groups, theirs, RULE)
    one = against_mean(groups, Sample(5, 6.61, 0.16), 0.16)
    run = against_run(groups, 6.61, 0.16)
    assert judged.word == "consistent"
    assert judged.p == pytest.approx(one.p_different())
    # Five runs of one more lab vary less than one run of it.
    assert one.reach() < run.reach()
    assert judged.low == pytest.approx(level(groups, 0.16).interval()[0])


def test_what_was_read_off_a_figure_is_granted_its_reading_error():
    groups = samples([[9.3, 9.31], [9.3, 9.32], [9.31, 9.33], [9.3, 9.31]])
    rule = Rule(0.2, 0.01)
    read_off = Paper(9.5, kind="digitised", reading_error=0.25)
    assert judge_labs(groups, Paper(9.5), rule).word == "better"
    assert judge_labs(groups, read_off, rule).word == "consistent"


def test_labs_that_all_gave_the_same_number_count_once():
    judged = judge_labs(samples([[8.6, 8.6], [8.6]]), Paper(8.75), RULE)
    assert judged.word == "consistent"
    assert "3 runs of 2 labs gave the same number, which counts once" in judged.reasons[0]
