"""The learning rate: every path of training sees the same number."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.recipes import VARIANTS
from experiments.scales import SCALES
from repro.definition.experiment import runs_of
from repro.protocol import catalog
from repro.storage import metrics_file
from repro.training import train
from repro.training.schedule import learning_rate, readable


def recipes():
    """Every recipe of every experiment, alone and in every variant, at every scale."""
    runs = [
        run
        for name in catalog.REPRODUCED
        for run in runs_of(catalog.load_experiment(name))
        if run.seed == 0
    ]
    runs += [variant(run) for run in runs for variant in VARIANTS.values()]
    return {scale(run).recipe for run in dict.fromkeys(runs) for scale in SCALES.values()}


def test_every_rate_that_the_schedule_gives_is_a_float32_value():
    for recipe in recipes():
        for iteration in (0, *recipe.drops, recipe.iterations - 1):
            for warming in (False, True):
                value = learning_rate(recipe, iteration, warming)
                assert value == float(np.float32(value)) > 0


@pytest.mark.parametrize("declared", [0.1, 0.01, 0.001, 0.005, 0.0005, 0.123456789])
def test_the_recorded_rate_is_short_and_still_the_rate(declared):
    value = float(np.float32(declared))
    assert float(np.float32(readable(value))) == value
    assert len(repr(readable(value))) <= 11


def test_the_curve_shows_the_rate_as_it_was_declared(tiny, here):
    run = replace(tiny, recipe=replace(tiny.recipe, learning_rate=0.1, warmup=None))
    train(run, here)
    rows, _ = metrics_file.read_valid_prefix(here.run(run.id).metrics.read_bytes())
    assert [row.rate for row in rows] == [0.1, 0.1, 0.01, 0.001]
