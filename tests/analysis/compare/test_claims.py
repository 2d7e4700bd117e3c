"""The paper's sentences, each against runs made for it."""

from __future__ import annotations

import math

import pytest

from experiments.cifar10 import PLAIN
from experiments.scales import SCALES
from repro.analysis.compare.claims import JudgedClaim, judge_claims
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import (
    Bound,
    Check,
    Claim,
    Close,
    Counted,
    Figure,
    InMostLayers,
    Ordering,
    Unchecked,
    at_scale,
)
from repro.definition.net import plain, resnet
from repro.definition.run import Runs

DEEP, SHALLOW = PLAIN[56].limited(3), PLAIN[20].limited(3)
NOISE = (0.0, 0.1, -0.1, 0.05, -0.05)
ABOVE = Ordering("test_error", (DEEP, SHALLOW))


@pytest.fixture
def group(finished):
    """Finished runs of one group: a mean with the same little noise for everybody, plus `extra` of
    one's own."""

    def write(
        runs: Runs,
        mean: float,
        extra: tuple[float, ...] = (0.0,) * 5,
        seeds: int | None = None,
        **other,
    ) -> None:
        for run, noise, own in zip(list(runs)[:seeds], NOISE, extra, strict=False):
            finished(run, test_error=mean + noise + own, **other)

    return write


def figure(*checks: Check, name: str = "C") -> Figure:
    return Figure("made up", (), 1, claims=(Claim(name, "so it is", "here", checks),))


def judge(places, *checks: Check, scale: str = "paper") -> JudgedClaim:
    declared = figure(*checks)
    (found,) = judge_claims(
        {"f": declared}, {"f": at_scale(declared, SCALES[scale], 3)}, collect(places)
    )
    return found


def test_an_ordering_with_a_wide_gap_holds(places, group):
    group(DEEP, 13.0)
    group(SHALLOW, 9.5, (0.1, -0.1, 0.0))
    found = judge(places, ABOVE)
    assert found.word == "holds"
    assert found.p < 0.01
    (finding,) = found.evidence
    assert finding.effect == pytest.approx(3.5)
    assert finding.low < 3.5 < finding.high
    assert len(finding.runs) == 6


def test_the_opposite_ordering_fails(places, group):
    group(DEEP, 9.5, (0.1, -0.1, 0.0))
    group(SHALLOW, 13.0)
    assert judge(places, ABOVE).word == "fails"


def test_a_tie_is_undecided(places, group):
    group(DEEP, 10.0, (0.1, -0.1, 0.0))
    group(SHALLOW, 10.0)
    assert judge(places, ABOVE).word == "undecided"


def test_seeds_that_pair_are_compared_in_pairs(places, group):
    swings = (3.0, -3.0, 0.0)  # far more than the gap, but the same for both nets
    group(DEEP, 10.5, (3.1, -3.1, 0.05))
    group(SHALLOW, 10.0, swings)
    assert judge(places, ABOVE).word == "holds"


def test_seeds_that_do_not_pair_are_compared_by_their_means(places, group, finished):
    group(DEEP, 10.5, (3.1, -3.1, 0.05))
    for run, value in zip(list(PLAIN[20])[1:4], (13.0, 7.0, 10.0), strict=True):
        finished(run, test_error=value)
    assert judge(places, ABOVE).word == "undecided"


def test_nothing_finished_is_missing(places, group):
    group(DEEP, 13.0)
    found = judge(places, ABOVE)
    assert found.word == "missing"
    assert found.evidence[0].said == "test_error: no run of plain-20 has finished"


def test_a_claim_of_which_one_part_is_missing_has_no_p(places, group):
    group(DEEP, 13.0)
    group(SHALLOW, 9.5)
    found = judge(places, Ordering("test_error", (DEEP, SHALLOW, PLAIN[32].limited(3))))
    assert (found.word, found.p) == ("missing", None)
    assert found.evidence[0].p < 0.05


def test_one_seed_cannot_be_tested(places, group):
    group(DEEP, 13.0, seeds=1)
    group(SHALLOW, 9.5, seeds=1)
    found = judge(places, ABOVE)
    assert (found.word, found.p) == ("undecided", None)
    assert found.evidence[0].said.endswith("one seed cannot be tested")
    assert found.evidence[0].effect == pytest.approx(3.5)


def test_missing_seeds_are_counted_in_the_evidence(places, group):
    group(DEEP, 13.0, (0.1, 0.0), seeds=2)
    group(SHALLOW, 9.5)
    assert "plain-56 13.1 (2 of 3 seeds)" in judge(places, ABOVE).evidence[0].said


def test_a_run_that_diverged_leaves_it_undecided_and_is_named(places, group, diverged):
    group(DEEP, 13.0, seeds=2)
    diverged(list(DEEP)[2])
    group(SHALLOW, 9.5)
    found = judge(places, ABOVE)
    assert found.word == "undecided"
    assert "plain-56 seed 2 diverged" in found.evidence[0].said


def test_a_final_number_that_is_not_finite_leaves_it_undecided(places, group, finished):
    group(DEEP, 13.0, seeds=2)
    finished(list(DEEP)[2], test_error=None)
    group(SHALLOW, 9.5)
    assert "plain-56 seed 2 diverged" in judge(places, ABOVE).evidence[0].said


def test_runs_on_different_images_are_not_compared(places, group):
    group(DEEP, 13.0, data={"hash": "other"})
    group(SHALLOW, 9.5)
    found = judge(places, ABOVE)
    assert found.word == "undecided"
    assert found.evidence[0].said == "test_error: runs of different data_hash are not compared"


def test_a_claim_about_test_errors_is_undecided_where_the_test_images_were_trained_on(
    places, group
):
    group(DEEP, 13.0, data={"tested_on_training_images": True})
    group(SHALLOW, 9.5, data={"tested_on_training_images": True})
    found = judge(places, ABOVE)
    assert (found.word, found.p) == ("undecided", None)
    assert found.evidence[0].said == "test_error: the test images are the training images"


def test_a_claim_about_training_errors_can_be_judged_on_such_images(places, finished):
    for runs, mean in ((DEEP, 13.0), (SHALLOW, 9.5)):
        for run in runs:
            error = mean + NOISE[run.seed] * mean / 10
            finished(run, train_error=error, data={"tested_on_training_images": True})
    assert judge(places, Ordering("train_error", (DEEP, SHALLOW))).word == "holds"


def test_a_metric_nobody_measured_leaves_it_undecided(places, group):
    group(DEEP, 13.0)
    found = judge(places, Bound("warmup_switch", DEEP, above=200))
    assert (found.word, found.evidence[0].said) == (
        "undecided",
        "warmup_switch: no finished run of plain-56 has it",
    )


def test_every_link_of_a_chain_must_hold(places, group):
    chain = Ordering(
        "test_error", (PLAIN[56].limited(3), PLAIN[44].limited(3), PLAIN[32].limited(3))
    )
    for depth, mean in ((56, 13.0), (44, 11.0), (32, 11.0)):
        group(PLAIN[depth].limited(3), mean, (0.02, 0.0, -0.03) if depth == 44 else (0.0,) * 3)
    found = judge(places, chain)
    assert (found.word, len(found.evidence)) == ("undecided", 2)


def test_one_broken_link_breaks_the_chain(places, group):
    chain = Ordering(
        "test_error", (PLAIN[56].limited(3), PLAIN[44].limited(3), PLAIN[32].limited(3))
    )
    for depth, mean in ((56, 13.0), (44, 9.0), (32, 11.0)):
        group(PLAIN[depth].limited(3), mean, (0.02, 0.0, -0.03) if depth == 44 else (0.0,) * 3)
    assert judge(places, chain).word == "fails"


@pytest.mark.parametrize(
    ("mean", "bounds", "word"),
    [
        (80.0, {"above": 60.0}, "holds"),
        (13.0, {"above": 60.0}, "fails"),
        (60.02, {"above": 60.0}, "undecided"),
        (0.5, {"below": 1.0}, "holds"),
        (40.0, {"above": 20.0, "below": 80.0}, "holds"),
        (90.0, {"above": 20.0, "below": 80.0}, "fails"),
    ],
)
def test_a_threshold(places, group, mean, bounds, word):
    group(DEEP, mean)
    assert judge(places, Bound("test_error", DEEP, **bounds)).word == word


def test_a_net_stuck_at_chance_is_above_a_threshold_although_its_seeds_agree(places, finished):
    for run in DEEP:
        finished(run, test_error=90.0)
    assert judge(places, Bound("test_error", DEEP, above=60.0)).word == "holds"


def test_a_threshold_says_nothing_at_another_scale(places, finished):
    for run in (
        at_scale(figure(Bound("test_error", DEEP, above=60.0)), SCALES["quick"], 3)
        .claims[0]
        .checks[0]
        .runs
    ):
        finished(run, test_error=90.0 + run.seed / 10)
    found = judge(places, Bound("test_error", DEEP, above=60.0), scale="quick")
    assert found.word == "undecided"
    assert "a threshold says nothing at scale quick" in found.evidence[0].said


def test_an_ordering_can_be_judged_at_another_scale(places, finished):
    scaled = at_scale(figure(ABOVE), SCALES["quick"], 3).claims[0].checks[0]
    for runs, mean in zip(scaled.higher_to_lower, (30.0, 20.0), strict=True):
        for run in runs:
            finished(run, test_error=mean + NOISE[run.seed] * mean / 10)
    assert judge(places, ABOVE, scale="quick").word == "holds"


@pytest.mark.parametrize(("gap", "word"), [(0.0, "holds"), (0.5, "undecided"), (2.0, "fails")])
def test_two_nets_are_close_or_not(places, group, gap, word):
    group(DEEP, 10.0 + gap, (0.05, -0.05, 0.0))
    group(SHALLOW, 10.0)
    assert judge(places, Close("test_error", DEEP, SHALLOW, within=0.5)).word == word


def test_a_closeness_in_points_says_nothing_at_another_scale(places, finished):
    near = Close("test_error", DEEP, SHALLOW, within=0.5)
    scaled = at_scale(figure(near), SCALES["quick"], 3).claims[0].checks[0]
    for runs, mean in ((scaled.one, 30.0), (scaled.other, 20.0)):
        for run in runs:
            finished(run, test_error=mean + NOISE[run.seed] * mean / 10)
    found = judge(places, near, scale="quick")
    assert (found.word, found.p) == ("undecided", None)
    assert "a threshold says nothing at scale quick" in found.evidence[0].said


def test_a_claim_that_follows_from_counting_says_so(places, group):
    group(DEEP, 13.0)
    group(SHALLOW, 9.5, (0.1, -0.1, 0.0))
    counted = judge(places, Counted("parameters", resnet(20), over=plain(20), low=1, high=1))
    assert (counted.by_counting, counted.tested) == (True, False)
    tested = judge(places, ABOVE)
    assert (tested.by_counting, tested.tested) == (False, True)


def test_the_interval_of_a_threshold_stays_within_what_an_error_can_be(places, finished):
    for run, error in zip(DEEP, (0.01, 0.3, 0.02), strict=True):
        finished(run, test_error=error)
    (finding,) = judge(places, Bound("test_error", DEEP, below=1.0)).evidence
    assert finding.low == 0.0


@pytest.mark.parametrize(("low", "high", "word"), [(1, 1, "holds"), (1.1, 2, "fails")])
def test_counts_need_no_runs_and_no_p(places, low, high, word):
    found = judge(places, Counted("parameters", resnet(20), over=plain(20), low=low, high=high))
    assert (found.word, found.p) == (word, None)


def test_a_count_over_a_plain_number(places):
    found = judge(places, Counted("layers", resnet(152, "B", "imagenet"), over=19, low=8, high=8))
    assert found.evidence[0].said == "layers: resnet-152-b 152 is 8 times 19, to be 8 to 8"


def test_what_nothing_here_checks_has_a_word_of_its_own_and_says_why(places):
    found = judge(places, Unchecked("an interpretation"))
    assert (found.word, found.checked) == ("not checked", False)
    assert found.evidence[0].said == "not checked here: an interpretation"


def test_a_failed_count_fails_a_claim_whose_runs_are_missing(places):
    found = judge(places, Counted("layers", resnet(20), over=19, low=8, high=8), ABOVE)
    assert found.word == "fails"


def curves(finished, runs: Runs, errors: list[float]) -> None:
    for run in runs:
        finished(run, [{"train_error": error + NOISE[run.seed]} for error in errors])


THROUGHOUT = Ordering("train_error", (DEEP, SHALLOW), throughout=(1_000, 64_000))
FALLING = [50.0 - at / 2 for at in range(64)]


def test_a_curve_above_another_everywhere_is_above_it_throughout(places, finished):
    curves(finished, DEEP, [error + 5 + (at % 3) for at, error in enumerate(FALLING)])
    curves(finished, SHALLOW, FALLING)
    found = judge(places, THROUGHOUT)
    assert found.word == "holds"
    assert "at 100% of 64 points, 95% stated" in found.evidence[0].said


def test_a_curve_above_another_half_of_the_time_is_not_above_it_throughout(places, finished):
    curves(finished, DEEP, [error + (9 if at % 2 else -5) for at, error in enumerate(FALLING)])
    curves(finished, SHALLOW, FALLING)
    assert judge(places, THROUGHOUT).word == "fails"


def test_only_the_stated_stretch_of_the_curve_counts(places, finished):
    curves(finished, DEEP, [error + (-5 if at < 16 else 5) for at, error in enumerate(FALLING)])
    curves(finished, SHALLOW, FALLING)
    late = Ordering("train_error", (DEEP, SHALLOW), throughout=(17_000, 64_000))
    assert judge(places, THROUGHOUT).word == "fails"
    assert judge(places, late).word == "holds"


def test_the_stretch_is_rescaled_to_a_shorter_schedule(places, finished):
    late = Ordering("train_error", (DEEP, SHALLOW), throughout=(17_000, 64_000))
    scaled = at_scale(figure(late), SCALES["quick"], 3).claims[0].checks[0]
    falling = FALLING[:16]
    curves(
        finished,
        scaled.higher_to_lower[0],
        [error + (-5 if at < 4 else 5) for at, error in enumerate(falling)],
    )
    curves(finished, scaled.higher_to_lower[1], falling)
    found = judge(places, late, scale="quick")
    assert (found.word, "12 points" in found.evidence[0].said) == ("holds", True)


def respond(finished, runs: Runs, layers: list[float], **other) -> None:
    for run in runs:
        finished(run, responses=[response + NOISE[run.seed] / 100 for response in layers], **other)


MOST = InMostLayers(DEEP, SHALLOW)
LAYERS = [1.0] * 20


@pytest.mark.parametrize(("above", "word"), [(18, "holds"), (10, "undecided"), (2, "fails")])
def test_a_net_responds_more_in_most_layers_or_not(places, finished, above, word):
    respond(finished, DEEP, [2.0] * above + [0.5] * (20 - above))
    respond(finished, SHALLOW, LAYERS)
    assert judge(places, MOST).word == word


def test_a_few_loud_layers_do_not_make_a_net_respond_more_in_most(places, finished):
    respond(finished, DEEP, [1000.0] * 4 + [0.9] * 16)
    respond(finished, SHALLOW, LAYERS)
    found = judge(places, MOST)
    assert found.word == "fails"
    assert (
        "plain-56 above plain-20 in most layers (4 of 20, 4 of 20, 4 of 20)"
        in found.evidence[0].said
    )
    assert found.evidence[0].effect == pytest.approx(0.2)


RANKS = InMostLayers(DEEP, SHALLOW, by="rank")


def test_by_rank_the_order_of_the_layers_does_not_matter(places, finished):
    zigzag = [2.0, 0.5] * 10  # by position it is above in half of the layers
    respond(finished, DEEP, [1.9, 0.6] * 10)
    respond(finished, SHALLOW, [0.55, 1.8] * 10)
    assert sorted(zigzag) != zigzag
    assert judge(places, MOST).word == "undecided"
    assert judge(places, RANKS).word == "holds"


@pytest.mark.parametrize(("louder", "word"), [(1.2, "holds"), (0.8, "fails")])
def test_responses_are_compared_rank_by_rank(places, finished, louder, word):
    respond(finished, DEEP, [louder * (1 + at) for at in range(20)])
    respond(finished, SHALLOW, [1.0 + at for at in range(20)][::-1])
    assert judge(places, RANKS).word == word


def test_responses_are_compared_between_equal_seeds_and_one_pair_is_too_few(places, finished):
    respond(finished, DEEP.limited(2), [2.0] * 20)
    for run in list(SHALLOW)[1:]:
        finished(run, responses=LAYERS)
    found = judge(places, MOST)
    assert (found.word, found.p) == ("undecided", None)
    assert "one pair of seeds cannot be tested" in found.evidence[0].said


def test_without_responses_the_claim_says_which_net_has_none(places, finished, group):
    group(DEEP, 13.0)
    respond(finished, SHALLOW, LAYERS)
    assert judge(places, MOST).evidence[0].said == "responses: no finished run of plain-56 has it"


def test_a_curve_without_points_in_the_stretch_is_undecided(places, group):
    group(DEEP, 13.0)
    group(SHALLOW, 9.5)
    assert judge(places, THROUGHOUT).word == "undecided"


def test_holm_counts_every_claim_that_is_asked_at_once(places, group):
    group(DEEP, 10.1, (0.02, -0.02, 0.0))
    group(SHALLOW, 10.0)
    alone = judge(places, ABOVE)
    many = {f"f{number}": figure(ABOVE, name=f"C{number}") for number in range(10)}
    among = judge_claims(
        many,
        {name: at_scale(one, SCALES["paper"], 3) for name, one in many.items()},
        collect(places),
    )
    assert alone.word == "holds"
    assert {claim.word for claim in among} == {"undecided"}
    assert among[0].p == pytest.approx(min(1, 10 * alone.p))


def test_a_claim_that_two_experiments_make_is_judged_once(places):
    same = {"one": figure(ABOVE), "two": figure(ABOVE)}
    assert len(judge_claims(same, same, collect(places))) == 1


def test_every_p_is_a_probability(places, group):
    group(DEEP, 13.0)
    group(SHALLOW, 9.5, (0.1, -0.1, 0.0))
    found = judge(places, ABOVE, Close("test_error", DEEP, SHALLOW, within=0.5))
    assert all(0 <= finding.p <= 1 and not math.isnan(finding.p) for finding in found.evidence)
