"""The rules for numbers, simulated as whole tables: the rates that docs/reading-a-verdict.md
prints."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import table6
from repro.analysis.compare.margins import Rule, numbered_rows
from repro.analysis.compare.power import equivalence_power
from repro.analysis.compare.verdict import OurValues, judge
from repro.definition.experiment import Paper

pytestmark = pytest.mark.slow

TRIALS = 20_000
DIFFERENT = ("better", "worse")


def one_seed_false(rng: np.random.Generator, spread: float, rule: Rule) -> np.ndarray:
    """Draw the paper's number and one of ours from the same distribution; which are called
    different."""
    ours, theirs = rng.normal(9, spread, (2, TRIALS))
    words = [judge(OurValues((ours[at],)), Paper(theirs[at]), rule).word for at in range(TRIALS)]
    return np.isin(words, DIFFERENT)


@pytest.mark.parametrize(
    ("spread", "declared", "rate"), [(0.16, 0.16, 0.05), (0.20, 0.20, 0.05), (0.25, 0.16, 0.21)]
)
def test_one_seed_is_falsely_different_as_often_as_declared(spread, declared, rate):
    false = one_seed_false(np.random.default_rng(1), spread, Rule(0.5, declared))
    assert false.mean() == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize(("spread", "rate"), [(0.16, 0.12), (0.20, 0.22), (0.25, 0.32)])
def test_the_tolerance_that_forgot_the_papers_own_draw_was_false_far_too_often(spread, rate):
    rng = np.random.default_rng(2)
    ours, theirs = rng.normal(9, spread, (2, TRIALS))
    assert (np.abs(ours - theirs) > 0.35).mean() == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize(
    ("ours", "published", "rate"), [(0.05, 0.16, 0.02), (0.16, 0.16, 0.015), (0.10, 0.20, 0.02)]
)
def test_five_seeds_a_margin_away_are_reproduced_one_time_in_twenty_at_most(ours, published, rate):
    rng = np.random.default_rng(3)
    rule = Rule(0.5, published)
    count = 0
    for _ in range(TRIALS // 4):
        theirs = Paper(float(rng.normal(0.5, published)))
        count += judge(OurValues(tuple(rng.normal(0, ours, 5))), theirs, rule).word == "reproduced"
    assert count / (TRIALS // 4) == pytest.approx(rate, abs=0.015)


def test_by_our_spread_alone_they_were_reproduced_one_time_in_four():
    rng = np.random.default_rng(4)
    count = 0
    for _ in range(TRIALS // 4):
        theirs = Paper(float(rng.normal(0.5, 0.16)))
        values = tuple(rng.normal(0, 0.05, 5))
        count += judge(OurValues(values), theirs, Rule(0.5, 0.0)).word == "reproduced"
    assert count / (TRIALS // 4) == pytest.approx(0.245, abs=0.03)


@pytest.mark.parametrize("row", ["ResNet-32", "ResNet-44", "ResNet-56", "ResNet-110"])
def test_a_net_with_its_neighbours_error_is_reproduced_one_time_in_twenty_at_most(row):
    rows = {numbered.row.label: numbered for numbered in numbered_rows(table6.experiment)}
    numbered = rows[row]
    paper, rule = numbered.row.paper[1], numbered.rules[1]
    assert rule is not None
    assert paper is not None
    rng = np.random.default_rng(5)
    for neighbour in (paper.value - rule.margin, paper.value + rule.margin):
        count = 0
        for _ in range(TRIALS // 10):
            values = tuple(rng.normal(neighbour, 0.16, 5))
            count += judge(OurValues(values), paper, rule).word == "reproduced"
        assert count / (TRIALS // 10) <= 0.06


@pytest.mark.parametrize(
    ("std", "certified"), [(0.10, 0.615), (0.13, 0.54), (0.16, 0.43), (0.20, 0.28)]
)
def test_the_power_in_the_docs(std, certified):
    assert equivalence_power(5, std, 0.5, spread=0.16) == pytest.approx(certified, abs=0.01)
