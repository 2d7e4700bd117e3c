"""The variant `plateau`: the rate drops when the training error no longer falls, and where it
dropped is on record."""

from __future__ import annotations

import pytest

from experiments.cifar10 import RESNET
from experiments.imagenet import RESNET as IMAGENET_RESNET
from experiments.readings import READINGS
from experiments.recipes import VARIANTS
from experiments.scales import SCALES
from repro.definition.recipe import Plateau
from repro.definition.run import Run, from_definition
from repro.definition.scales_and_variants import with_variants
from repro.errors import UserError
from repro.protocol.deviations import departures
from repro.storage import metrics_file
from repro.storage.atomic import read_json
from repro.storage.paths import Places
from repro.training import Stopped, train
from repro.training.schedule import PlateauDrops, learning_rate
from tests.training.test_resume import StopAt, assert_same, trace
from tests.training.tiny import tiny_run


def plateaued(**rule: float) -> Run:
    """A run with 13 points of its curve: enough for two drops."""
    rule = {"patience": 1, "threshold": 5.0, "most": 2} | rule
    return tiny_run(iterations=65, evaluate_every=5, drops=(), warmup=None, plateau=Plateau(**rule))


def points(run: Run, here: Places) -> list[metrics_file.MetricsRow]:
    return metrics_file.read_valid_prefix(here.run(run.id).metrics.read_bytes())[0]


def drops_of(run: Run, errors: list[float]) -> list[int]:
    """Apply the rule to a whole curve at once."""
    rule, best, since, drops = run.recipe.plateau, 1000.0, 0, []
    for point, error in enumerate(errors[:-1], start=1):
        if len(drops) == rule.most:
            break
        better = error < best - rule.threshold
        best, since = (error, 0) if better else (best, since + 1)
        if since == rule.patience:
            drops.append(point * run.recipe.evaluate_every)
            since = 0
    return drops


def test_the_rate_drops_where_the_error_plateaus_and_the_record_says_where(here):
    run = plateaued()
    final, rows = train(run, here), points(run, here)
    drops = drops_of(run, [row.train_error for row in rows])
    assert len(drops) == 2
    assert [final["metrics"]["rate_drop_1"], final["metrics"]["rate_drop_2"]] == drops
    start = run.recipe.learning_rate
    expected = [start / 10 ** sum(row.iteration > drop for drop in drops) for row in rows]
    assert [row.rate for row in rows] == pytest.approx(expected, rel=1e-6)
    assert read_json(here.run(run.id).progress)["rate_drop_2"] == drops[1]


@pytest.mark.parametrize("looks", [12, 23, 41, 62])
def test_a_run_that_is_stopped_anywhere_drops_where_the_unbroken_one_did_to_the_bit(
    looks, here, tmp_path
):
    run, unbroken = plateaued(patience=2), Places(tmp_path / "unbroken", tmp_path, here.data)
    whole = train(run, unbroken)
    assert "rate_drop_1" in whole["metrics"]
    with pytest.raises(Stopped):
        train(run, here, StopAt(looks))
    assert train(run, here)["metrics"] == whole["metrics"]
    assert_same(trace(here, run), trace(unbroken, run))


def test_there_are_at_most_so_many_drops_and_none_while_the_error_falls():
    falling, flat = PlateauDrops(Plateau(patience=3)), PlateauDrops(Plateau(patience=3))
    for point in range(1, 40):
        falling.saw(1_000 * point, 90 - point)
        flat.saw(1_000 * point, 50.0)
    assert falling.drops == []
    assert flat.drops == [4_000, 7_000]


def test_a_gain_within_the_threshold_is_none():
    slow = PlateauDrops(Plateau(patience=2, threshold=0.5))
    for point, error in enumerate((50.0, 49.8, 49.6), start=1):
        slow.saw(point, error)
    assert slow.drops == [3]


def test_while_a_warm_up_lasts_nothing_drops(here):
    from repro.definition.recipe import Warmup

    run = tiny_run(
        iterations=40,
        evaluate_every=5,
        drops=(),
        warmup=Warmup(rate=1e-6, iterations=30),
        plateau=Plateau(patience=1, threshold=50.0),
    )
    assert train(run, here)["metrics"].get("rate_drop_1", 40) > 30


def test_the_drops_of_the_other_schedule_are_not_used():
    run = VARIANTS["plateau"](RESNET[20].run)
    assert learning_rate(run.recipe, 50_000) == learning_rate(run.recipe, 0)
    assert learning_rate(run.recipe, 50_000, False, [40_000]) == pytest.approx(0.01)


@pytest.mark.parametrize("run", [RESNET[20].run, RESNET[110].run, IMAGENET_RESNET[34, "A"].run])
@pytest.mark.parametrize(("scale", "least"), [("paper", 60), ("quick", 12), ("smoke", 3)])
def test_at_every_scale_the_curve_has_points_enough_for_a_drop(run, scale, least):
    recipe = with_variants(run, [VARIANTS["plateau"]], SCALES[scale]).recipe
    count = recipe.iterations // recipe.evaluate_every
    assert count >= least
    assert recipe.plateau.patience < count - 1
    assert recipe.drops == ()


@pytest.mark.parametrize("scale", ["paper", "quick", "smoke"])
def test_the_ledger_gives_the_variants_line_as_the_reason(scale):
    found = {d.field: d for d in departures(SCALES[scale](VARIANTS["plateau"](RESNET[20].run)))}
    about = VARIANTS["plateau"].about
    assert {found["recipe.plateau"].why, found["recipe.drops"].why} == {about}
    assert found["recipe.drops"].ours == "none"
    assert found["recipe.plateau"].ours.startswith("patience ")


def test_the_rule_is_a_declared_reading():
    (reading,) = [reading for reading in READINGS if "`plateau`" in reading.what]
    rule = Plateau()
    assert reading.ours.startswith("running training error")
    assert (
        f"{rule.patience} points of the curve without {rule.threshold:g} points of gain"
        in reading.ours
    )


def test_two_schedules_at_once_are_refused():
    with pytest.raises(UserError, match="both say when the rate drops") as refused:
        tiny_run(plateau=Plateau())
    assert "`drops=[]`" in refused.value.hint


@pytest.mark.parametrize(
    "wrong", [{"patience": 0}, {"most": 0}, {"threshold": -1.0}, {"threshold": float("nan")}]
)
def test_a_rule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(UserError, match=rf"`plateau\.{next(iter(wrong))}` is"):
        Plateau(**wrong)


def test_the_definition_of_the_variant_that_trained_nothing_different_is_refused():
    from repro.definition.run import to_definition

    old = to_definition(RESNET[20].run)
    old["recipe"]["plateau"] = True
    with pytest.raises(UserError, match="not the definition of a run"):
        from_definition(old)
