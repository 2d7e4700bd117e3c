"""Constructed cases, each with the word a statistician would sign."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from repro.analysis.compare.margins import Rule
from repro.analysis.compare.verdict import OurValues, judge, judge_count
from repro.definition.experiment import Paper, digitised, exact, mean

NAN, INF = math.nan, math.inf
SINGLE = Paper(8.75)
RESNET_110 = mean(6.61, std=0.16, n=5, best=6.43)
READ_OFF = digitised(9.69, 0.05)
RULE = Rule(margin=0.5, spread=0.16)
BEST_OF_5 = Paper(6.43, kind="best", n=5)

TIGHT = (8.70, 8.75, 8.80, 8.72, 8.78)
WIDE = (8.3, 8.6, 9.1, 8.9, 8.5)
LIKE_110 = (6.45, 6.62, 6.75, 6.58, 6.70)

CASES = [
    # what it is, our values, seeds asked for, the paper's number, the word
    ("equal and tight", TIGHT, 5, SINGLE, "reproduced"),
    ("equal but wide", WIDE, 5, SINGLE, "consistent"),
    ("wide, and a little off", tuple(v + 0.3 for v in WIDE), 5, SINGLE, "consistent"),
    ("far below", tuple(v - 2 for v in WIDE), 5, SINGLE, "better"),
    ("far above", tuple(v + 2 for v in WIDE), 5, SINGLE, "worse"),
    ("different, but by less than matters", tuple(v + 0.1 for v in TIGHT), 5, SINGLE, "reproduced"),
    ("different by more than matters", tuple(v + 0.7 for v in TIGHT), 5, SINGLE, "worse"),
    ("the same on the good side", tuple(v - 0.7 for v in TIGHT), 5, SINGLE, "better"),
    ("three seeds, tight", (8.74, 8.75, 8.76), 3, SINGLE, "reproduced"),
    ("three seeds, ordinary", (8.6, 8.75, 8.9), 3, SINGLE, "consistent"),
    ("two seeds say little", (8.5, 8.9), 2, SINGLE, "consistent"),
    ("two seeds, very close", (8.75, 8.76), 2, SINGLE, "consistent"),
    ("two seeds, far off", (20.0, 20.1), 2, SINGLE, "worse"),
    ("five like the published five", LIKE_110, 5, RESNET_110, "reproduced"),
    ("five, wider", (5.7, 6.6, 7.5, 6.2, 7.1), 5, RESNET_110, "consistent"),
    ("five, half a point above", tuple(v + 0.6 for v in LIKE_110), 5, RESNET_110, "worse"),
    ("five, half a point below", tuple(v - 0.6 for v in LIKE_110), 5, RESNET_110, "better"),
    ("three against a mean", (6.5, 6.6, 6.7), 3, RESNET_110, "reproduced"),
    ("two against a mean", (6.3, 6.9), 2, RESNET_110, "consistent"),
    ("one seed, equal", (8.75,), 1, SINGLE, "consistent"),
    ("one seed, at the tolerance", (9.19,), 1, SINGLE, "consistent"),
    ("one seed, past the tolerance", (9.20,), 1, SINGLE, "worse"),
    ("one seed, well below", (8.27,), 1, SINGLE, "better"),
    ("one seed against a mean", (6.61,), 1, RESNET_110, "consistent"),
    ("one seed against a mean, far", (7.5,), 1, RESNET_110, "worse"),
    ("all seeds the same, and equal", (8.75, 8.75, 8.75), 3, SINGLE, "consistent"),
    ("all seeds the same, and off", (9.75, 9.75, 9.75), 3, SINGLE, "worse"),
    ("all seeds the same, against a mean", (6.61, 6.61), 2, RESNET_110, "consistent"),
    ("all seeds the same, and below", (6.0, 6.0), 2, RESNET_110, "better"),
    ("nothing", (), 5, SINGLE, "missing"),
    ("nothing, against a mean", (), 5, RESNET_110, "missing"),
    ("nothing was asked for", (), 0, SINGLE, "missing"),
    ("four of five", TIGHT[:4], 5, SINGLE, "incomplete"),
    ("one of five", TIGHT[:1], 5, SINGLE, "incomplete"),
    ("four of five, far off", tuple(v + 5 for v in TIGHT[:4]), 5, SINGLE, "incomplete"),
    ("more than were asked for", TIGHT, 3, SINGLE, "reproduced"),
    ("one of five is not a number", (*TIGHT[:4], NAN), 5, SINGLE, "worse"),
    ("one of five is infinite", (*TIGHT[:4], INF), 5, SINGLE, "worse"),
    ("one of five is minus infinity", (*TIGHT[:4], -INF), 5, SINGLE, "worse"),
    ("no seed is a number", (NAN, NAN, NAN), 3, RESNET_110, "worse"),
    ("the only seed is not a number", (NAN,), 1, SINGLE, "worse"),
    ("read off a figure, equal", (9.65, 9.70, 9.72, 9.68, 9.66), 5, READ_OFF, "reproduced"),
    ("read off, wide", (9.3, 9.9, 10.2, 9.5, 9.6), 5, READ_OFF, "consistent"),
    ("read off, far", (11.0, 11.1, 11.2, 11.0, 11.1), 5, READ_OFF, "worse"),
    ("read off, one seed, within tolerance and reading", (10.18,), 1, READ_OFF, "consistent"),
    ("read off, one seed, past both", (10.19,), 1, READ_OFF, "worse"),
    ("read off worse than the margin", (9.65, 9.70, 9.72), 3, digitised(9.69, 0.6), "consistent"),
    ("best of five against best of five", LIKE_110, 5, BEST_OF_5, "consistent"),
    ("best of five, far", tuple(v + 1 for v in LIKE_110), 5, BEST_OF_5, "worse"),
    ("best of five against our three", LIKE_110[:3], 3, BEST_OF_5, "not comparable"),
    ("best of an unknown number", LIKE_110, 5, Paper(6.43, kind="best"), "not comparable"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "planned", "paper", "word"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_the_word(values, planned, paper, word):
    assert judge(OurValues(values, planned), paper, RULE).word == word


COUNTED = [
    ("a count, equal as printed", 0.269722, exact(0.27, 2), "reproduced"),
    ("a count that rounds elsewhere", 0.2751, exact(0.27, 2), "deviates"),
    ("a whole count", 56.0, exact(56, 0), "reproduced"),
    ("a whole count, one off", 57.0, exact(56, 0), "deviates"),
]


@pytest.mark.parametrize(
    ("value", "paper", "word"), [case[1:] for case in COUNTED], ids=[c[0] for c in COUNTED]
)
def test_the_word_of_a_count(value, paper, word):
    assert judge_count(value, paper).word == word


# Each of these was judged wrongly by an earlier rule: one case for each of the points.
NEIGHBOURS = Rule(margin=0.20, spread=0.16)
CORRECTED = [
    # what it is, our values, the paper's number, the rule, the word it had, the word
    ("two draws differ by √2", (9.15,), SINGLE, RULE, "worse", "consistent"),
    ("a neighbour's level", (7.17, 7.2, 7.15), Paper(6.97), NEIGHBOURS, "reproduced", "consistent"),
    ("another training error", (0.45, 0.44, 0.46), digitised(0.13, 0.1),
     Rule(0.04, 0.05), "reproduced", "worse"),
    ("our tight seeds, their one run", (8.45, 8.46, 8.44), SINGLE, RULE, "reproduced", "consistent"),
    ("top-5 of another net", (6.05,), Paper(5.71), Rule(0.3, 0.1), "consistent", "worse"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "paper", "rule", "before", "word"),
    [case[1:] for case in CORRECTED],
    ids=[case[0] for case in CORRECTED],
)
def test_the_word_that_an_earlier_rule_had_wrong(values, paper, rule, before, word):
    assert judge(OurValues(values), paper, rule).word == word != before


def test_an_interval_of_an_error_does_not_leave_0_to_100():
    judged = judge(OurValues((0.01, 0.2, 0.02)), Paper(0.3), RULE)
    assert judged.low == 0.0
    judged = judge(OurValues((99.9, 98.0, 99.0)), Paper(99.0), RULE)
    assert judged.high == 100.0


def test_a_difference_of_what_is_no_error_is_neither_better_nor_worse():
    rule = Rule(0.1, 0.1, is_error=False)
    assert judge(OurValues((0.8, 0.81, 0.79)), digitised(1.86, 0.03), rule).word == "deviates"


@pytest.mark.parametrize("values", [TIGHT, WIDE, TIGHT[:1], (NAN, NAN)])
@pytest.mark.parametrize("paper", [SINGLE, RESNET_110, READ_OFF])
def test_the_gate_comes_first_and_names_its_fields(values, paper):
    said = judge(OurValues(values), paper, RULE, ("scale: quick", "iterations: 4,000, not 64,000"))
    assert said.word == "not comparable"
    assert said.reasons[:2] == ("scale: quick", "iterations: 4,000, not 64,000")


def test_a_diverged_run_is_named_even_where_nothing_is_compared():
    said = judge(
        OurValues(TIGHT[:4], 5, ("seed 4 at iteration 100",)), SINGLE, RULE, ("scale: smoke",)
    )
    assert said.reasons == ("scale: smoke", "1 of 5 runs diverged (seed 4 at iteration 100)")


def test_nothing_is_missing_whatever_the_gate_says():
    assert judge(OurValues((), 5), SINGLE, RULE, ("scale: quick",)).word == "missing"


def test_a_run_that_diverged_counts_as_finished_and_is_worse_and_the_others_are_told():
    said = judge(OurValues(TIGHT[:4], 5, ("seed 4 at iteration 100",)), SINGLE, RULE)
    assert said.word == "worse"
    assert said.reasons[:2] == (
        "1 of 5 runs diverged (seed 4 at iteration 100)",
        "the other 4 alone: reproduced",
    )


def test_an_incomplete_row_says_how_far_it_is_and_what_it_would_be():
    said = judge(OurValues(TIGHT[:4], 5), SINGLE, RULE)
    assert said.reasons[:2] == ("4 of 5 seeds have finished", "so far: reproduced")


def test_consistent_says_how_many_seeds_would_decide_and_what_these_could_show():
    said = judge(OurValues((5.7, 6.6, 7.5, 6.2, 7.1)), RESNET_110, RULE)
    assert said.reasons[1] == "23 seeds would decide whether it is within ±0.5"
    assert said.reasons[2].startswith("5 seeds could show a difference of 1.18")


def test_consistent_says_when_no_number_of_seeds_would_decide():
    said = judge(OurValues(WIDE), SINGLE, RULE)
    assert said.reasons[1].startswith("no number of seeds would decide whether it is within ±0.5")


def test_reproduced_says_how_far_and_how_surely():
    (first,) = judge(OurValues(TIGHT), SINGLE, RULE).reasons
    assert first == "equal as printed; equal within ±0.5 by two one-sided tests (p = 0.018)"


def test_one_seed_is_never_reproduced_and_has_no_interval():
    said = judge(OurValues((8.75,)), SINGLE, RULE)
    assert (said.low, said.high) == (None, None)
    assert said.reasons == (
        "one seed: equal as printed, within the tolerance of 0.44, "
        "which chance alone exceeds 5% of the time",
    )


def test_seeds_that_agree_to_the_digit_count_as_one():
    said = judge(OurValues((8.75, 8.75, 8.75)), SINGLE, RULE)
    assert said.reasons[0].startswith("3 seeds gave the same number, which counts once")


def test_the_best_is_compared_only_with_the_best_of_as_many():
    assert "best of 5: 6.45 (theirs: 6.43)" in judge(OurValues(LIKE_110), RESNET_110, RULE).reasons
    assert (
        "best of 3: 6.45 (theirs: 6.43, of 5: not judged)"
        in judge(OurValues(LIKE_110[:3]), RESNET_110, RULE).reasons
    )


def test_multiply_adds_may_be_one_printed_digit_off():
    printed = exact(3.8, 1)
    assert judge_count(3.858, printed, 0.1).word == "reproduced"
    assert judge_count(4.089, printed, 0.1).word == "deviates"


def test_the_interval_is_of_one_more_run_against_a_single_number_and_of_the_mean_against_a_mean():
    single = judge(OurValues(LIKE_110), Paper(6.61), RULE)
    published = judge(OurValues(LIKE_110), RESNET_110, RULE)
    assert single.low < published.low < published.high < single.high


def test_a_smaller_margin_takes_reproduced_away():
    assert judge(OurValues(LIKE_110), RESNET_110, Rule(0.1, 0.16)).word == "consistent"


@given(
    some.lists(some.floats(5, 12), min_size=1, max_size=7),
    some.randoms(),
    some.sampled_from([SINGLE, RESNET_110]),
)
def test_the_order_of_the_seeds_changes_nothing(values, random, paper):
    shuffled = tuple(random.sample(values, len(values)))
    assert judge(OurValues(shuffled), paper, RULE) == judge(OurValues(tuple(values)), paper, RULE)


@given(some.lists(some.floats(5, 12), min_size=2, max_size=7), some.floats(0.1, 50))
def test_more_error_is_never_better(values, more):
    order = ["better", "reproduced", "consistent", "worse"]
    words = [
        judge(OurValues(tuple(v + up for v in values)), SINGLE, RULE).word for up in (0.0, more)
    ]
    if "worse" in words[:1] or words[1] == "better":
        assert words[0] == words[1] or order.index(words[0]) < order.index(words[1])


def test_a_mean_without_a_spread_is_met_as_a_single_number():
    bare = replace(RESNET_110, std=None, n=None)
    assert (
        judge(OurValues(LIKE_110), bare, RULE).reasons
        == judge(OurValues(LIKE_110), Paper(6.61), RULE).reasons
    )
