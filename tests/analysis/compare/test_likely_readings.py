"""How likely a reading is: certain where its error rounds to what was printed, hopeless where it is
far from it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from repro.analysis.compare.likely_readings import Printed, deviation, log_likelihood, shares

WHOLE = 50_000


def test_on_all_images_the_printed_digit_decides():
    printed = Printed(24.7, 1)
    inside = math.exp(log_likelihood(24.70, printed, WHOLE, WHOLE))
    outside = math.exp(log_likelihood(25.0, printed, WHOLE, WHOLE))
    assert inside > 0.85
    assert outside < 1e-6


def test_far_away_it_is_small_and_not_an_error():
    value = log_likelihood(60.0, Printed(24.7, 1), WHOLE, WHOLE)
    assert value < -1_000
    assert value == pytest.approx(
        log_likelihood(24.7 - (60.0 - 24.7), Printed(24.7, 1), WHOLE, WHOLE), rel=1e-6
    )


def test_a_sample_leaves_open_what_sampling_leaves_open():
    spread = deviation(25.0, 250, WHOLE)
    assert spread == pytest.approx(100 * math.sqrt(0.25 * 0.75 / 250), rel=0.01)
    random = np.random.default_rng(0)
    population = random.random(WHOLE) < 0.25
    drawn = [100 * random.choice(population, 250, replace=False).mean() for _ in range(500)]
    assert np.std(drawn) == pytest.approx(spread, rel=0.1)


def test_shares_add_up_and_follow_both_numbers():
    errors = [{"top1": 24.7, "top5": 7.8}, {"top1": 24.7, "top5": 8.1}, {"top1": 25.2, "top5": 7.8}]
    likely = shares(errors, {"top1": Printed(24.7, 1), "top5": Printed(7.8, 1)}, WHOLE, WHOLE)
    assert sum(likely) == pytest.approx(1)
    assert likely[0] > 0.999


def test_equal_readings_share_alike():
    errors = [{"top1": 30.0}] * 4
    assert shares(errors, {"top1": Printed(24.7, 1)}, 250, WHOLE) == pytest.approx([0.25] * 4)
