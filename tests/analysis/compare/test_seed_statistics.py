"""The rules themselves, simulated: they err as often as they say, and the power they print is the
power they have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import special, stats

from repro.analysis.compare.margins import Rule
from repro.analysis.compare.power import equivalence_power, seeds_to_decide, smallest_shown
from repro.analysis.compare.seed_statistics import (
    Estimate,
    Sample,
    holm_adjusted,
    mean_estimate,
    paired_difference,
    prediction_estimate,
    sample,
    welch_difference,
)
from repro.analysis.compare.verdict import OurValues, judge
from repro.definition.experiment import Paper, mean

TRIALS = 30_000
RNG = np.random.default_rng(6)
ROOM = 4 * math.sqrt(0.25 / TRIALS)  # four standard errors of a simulated rate


def draws(n: int, std: float = 1.0, at: float = 0.0) -> np.ndarray:
    return RNG.normal(at, std, (TRIALS, n))


def test_welch_is_scipys():
    a, b = [6.4, 6.6, 6.8, 6.5, 6.7], [7.0, 7.4, 6.9]
    known = stats.ttest_ind(a, b, equal_var=False)
    assert welch_difference(sample(a), sample(b)).p_different() == pytest.approx(known.pvalue)
    assert welch_difference(sample(a), sample(b)).freedom == pytest.approx(known.df)


def test_the_paired_test_is_scipys():
    a, b = [6.4, 6.6, 6.8], [7.0, 7.4, 6.9]
    assert paired_difference(a, b).p_below(0) == pytest.approx(
        stats.ttest_rel(a, b, alternative="less").pvalue
    )


def test_the_interval_of_the_mean_is_scipys():
    values = [6.4, 6.6, 6.8, 6.5, 6.7]
    known = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_estimate(sample(values)).interval() == pytest.approx((known.low, known.high))


def test_holm_is_what_its_paper_prints():
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_adjusted([]) == []


@given(some.lists(some.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_only_raises(ps):
    adjusted = holm_adjusted(ps)
    assert all(0 <= p <= a <= 1 for p, a in zip(ps, adjusted, strict=True))
    assert [adjusted[at] for at in np.argsort(ps, kind="stable")] == sorted(adjusted)


@pytest.mark.parametrize("n", [3, 5])
def test_the_prediction_interval_holds_one_more_run_nineteen_times_in_twenty(n):
    ours, next_one = draws(n), draws(1)[:, 0]
    reach = special.stdtrit(n - 1, 0.975) * ours.std(1, ddof=1) * math.sqrt(1 + 1 / n)
    inside = np.abs(next_one - ours.mean(1)) <= reach
    assert inside.mean() == pytest.approx(0.95, abs=ROOM)
    low, high = prediction_estimate(sample(list(ours[0])), 0.0).interval()
    assert (low <= next_one[0] <= high) == inside[0]


@pytest.mark.parametrize(("n", "coverage"), [(5, 0.676)])
def test_the_interval_of_the_mean_holds_a_single_run_only_two_times_in_three(n, coverage):
    ours, single = draws(n), draws(1)[:, 0]
    reach = special.stdtrit(n - 1, 0.975) * ours.std(1, ddof=1) / math.sqrt(n)
    assert (np.abs(single - ours.mean(1)) <= reach).mean() == pytest.approx(coverage, abs=ROOM)


def words(
    paper: Paper, n: int, std: float, at: float, margin: float = 0.5, trials: int = 1000
) -> dict[str, float]:
    """How often each word comes out, over simulated rows of n seeds; a number of the paper's is
    drawn as ours are."""
    rng = np.random.default_rng(110)
    counts: dict[str, int] = {}
    for _ in range(trials):
        if paper.kind == "mean":
            theirs = rng.normal(0, paper.std, paper.n)
            drawn = mean(float(theirs.mean()), std=float(theirs.std(ddof=1)), n=paper.n)
        else:
            drawn = Paper(float(rng.normal(0, std)))
        word = judge(OurValues(tuple(rng.normal(at, std, n))), drawn, Rule(margin, 0.16)).word
        counts[word] = counts.get(word, 0) + 1
    return {word: count / trials for word, count in counts.items()}


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("paper", [Paper(0.0), mean(0.0, std=1.0, n=5)])
def test_equal_nets_are_called_different_one_time_in_twenty(n, paper):
    rates = words(paper, n, std=1.0, at=0.0)
    assert rates.get("better", 0) + rates.get("worse", 0) == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("paper", [mean(0.0, std=0.16, n=5)])
def test_nets_apart_by_the_margin_are_called_reproduced_one_time_in_twenty_at_most(n, paper):
    assert words(paper, n, std=0.16, at=0.5).get("reproduced", 0) <= 0.05 + 0.015


@pytest.mark.parametrize(("margin", "certified"), [(0.3, 0.69), (0.4, 0.94), (0.5, 0.995)])
def test_five_runs_of_resnet_110_are_reproduced_as_often_as_the_power_says(margin, certified):
    rates = words(mean(6.61, std=0.16, n=5), n=5, std=0.16, at=0.0, margin=margin)
    assert rates["reproduced"] == pytest.approx(certified, abs=0.04)
    assert rates["reproduced"] + rates.get("consistent", 0) >= 0.93


@pytest.mark.parametrize(("margin", "certified"), [(0.3, 0.61), (0.4, 0.905)])
def test_with_a_spread_of_seventeen_hundredths_they_are_so_61_and_90_times_in_a_hundred(
    margin, certified
):
    rates = words(mean(6.61, std=0.17, n=5), n=5, std=0.17, at=0.0, margin=margin)
    assert rates["reproduced"] == pytest.approx(certified, abs=0.04)


def test_resnet_110_as_published_is_reproduced_or_consistent_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    published = mean(6.61, std=0.16, n=5, best=6.43)
    found = [
        judge(OurValues(tuple(rng.normal(6.61, 0.16, 5))), published, Rule(0.5, 0.16)).word
        for _ in range(1000)
    ]
    assert (found.count("reproduced") + found.count("consistent")) / 1000 >= 0.97
    assert found.count("reproduced") / 1000 == pytest.approx(
        equivalence_power(5, 0.16, 0.5, Sample(5, 6.61, 0.16)), abs=0.03
    )


@pytest.mark.parametrize(("n", "margin"), [(3, 0.3), (5, 0.3), (5, 0.4), (8, 0.25)])
def test_the_printed_power_against_a_published_mean_is_the_simulated_one(n, margin):
    ours, theirs = draws(n, 0.16), draws(5, 0.16).mean(1)
    a, b = ours.var(1, ddof=1) / n, 0.16**2 / 5
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / 4)
    shown = np.abs(ours.mean(1) - theirs) + special.stdtrit(freedom, 0.95) * np.sqrt(a + b) < margin
    assert equivalence_power(n, 0.16, margin, Sample(5, 0.0, 0.16)) == pytest.approx(
        shown.mean(), abs=ROOM
    )


@pytest.mark.parametrize(("n", "margin"), [(3, 0.5), (5, 0.5), (5, 1.0)])
def test_the_printed_power_against_a_single_run_is_the_simulated_one(n, margin):
    ours, single = draws(n, 0.16), draws(1, 0.16)[:, 0]
    reach = special.stdtrit(n - 1, 0.95) * ours.std(1, ddof=1) * math.sqrt(1 + 1 / n)
    shown = np.abs(ours.mean(1) - single) + reach < margin
    assert equivalence_power(n, 0.16, margin) == pytest.approx(shown.mean(), abs=ROOM)


@pytest.mark.parametrize(
    ("n", "ours", "spread"), [(5, 0.05, 0.16), (5, 0.16, 0.16), (3, 0.3, 0.16)]
)
def test_the_printed_power_with_a_published_spread_is_the_simulated_one(n, ours, spread):
    values, single = draws(n, ours), draws(1, spread)[:, 0]
    error = np.sqrt(values.var(1, ddof=1) / n + np.maximum(values.std(1, ddof=1), spread) ** 2)
    reach = special.stdtrit(n - 1, 0.95) * error
    shown = np.abs(values.mean(1) - single) + reach < 0.5
    power = equivalence_power(n, ours, 0.5, spread=spread)
    assert power == pytest.approx(shown.mean(), abs=ROOM)


def test_the_seeds_that_would_decide_are_the_fewest_with_that_power():
    theirs = Sample(5, 6.61, 0.16)
    needed = seeds_to_decide(0.16, 0.3, theirs)
    assert needed == 7
    assert (
        equivalence_power(needed, 0.16, 0.3, theirs)
        >= 0.8
        > equivalence_power(needed - 1, 0.16, 0.3, theirs)
    )


def test_no_number_of_seeds_can_make_up_for_a_single_noisy_run_of_the_papers():
    assert seeds_to_decide(0.16, 0.3) is None


def test_a_difference_of_the_smallest_size_is_shown_four_times_in_five():
    n, std = 5, 0.16
    estimate = prediction_estimate(Sample(n, 0.0, std), 0.0)
    apart = smallest_shown(estimate.error, estimate.freedom)
    ours, single = draws(n, std), draws(1, std)[:, 0] + apart
    reach = special.stdtrit(n - 1, 0.975) * ours.std(1, ddof=1) * math.sqrt(1 + 1 / n)
    assert (np.abs(ours.mean(1) - single) > reach).mean() == pytest.approx(0.8, abs=0.06)


def test_without_any_spread_a_difference_is_certain_and_equality_too():
    certain = Estimate(0.2, 0.0, 4)
    assert (certain.p_above(0), certain.p_below(0), certain.p_within(0.5)) == (0.0, 1.0, 0.0)
    assert equivalence_power(5, 0.0, 0.1) == 1.0


@given(some.lists(some.floats(0, 100), min_size=2, max_size=8), some.randoms())
def test_the_order_of_the_seeds_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    assert sample(shuffled) == sample(values)
