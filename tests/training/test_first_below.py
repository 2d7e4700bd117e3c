"""The first iteration at which the training error is below 90 %: found per iteration, and once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from experiments.readings import READINGS
from repro.definition.recipe import Warmup
from repro.definition.run import Run
from repro.storage import metrics_file
from repro.storage.atomic import read_json
from repro.storage.paths import Places
from repro.training import Stopped, first_below, loop, train
from repro.training import checkpoint as checkpoints
from repro.training.first_below import WINDOW, FirstBelow
from tests.training.test_resume import StopAt, trace
from tests.training.tiny import tiny_run

NAME = "first_iteration_below_90"


def slow(**changes: Any) -> Run:
    """A run that guesses for 105 iterations, then learns."""
    learning = {"iterations": 130, "drops": (), "evaluate_every": 65, "learning_rate": 0.005}
    return tiny_run(seed=1, **learning | {"warmup": Warmup(rate=1e-6, iterations=105)} | changes)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Places]:
    """The final record of the slow run, and the folders it is in."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("unbroken")
    places = Places(folder / "results", folder / "figures", folder / "data")
    return train(slow(), places), places


def expected(run: Run, here: Places, monkeypatch: pytest.MonkeyPatch) -> int:
    """The same number from the training errors of every single iteration."""
    each = replace(run, recipe=replace(run.recipe, evaluate_every=1))
    # What a test would measure at each iteration is not needed.
    monkeypatch.setattr(loop, "measure_error", lambda net, batches, name: {"test_error": 0.0})
    train(each, here)
    rows, _ = metrics_file.read_valid_prefix(here.run(each.id).metrics.read_bytes())
    errors = [row.train_error for row in rows]
    ends = range(WINDOW, len(errors) + 1)
    return next(end for end in ends if sum(errors[end - WINDOW : end]) / WINDOW < 90)


def test_it_is_the_iteration_at_which_the_last_hundred_are_below_and_not_a_point_of_the_curve(
    unbroken, here, monkeypatch
):
    run, (final, places) = slow(), unbroken
    value = final["metrics"][NAME]
    assert value == expected(run, here, monkeypatch)
    assert value % run.recipe.evaluate_every
    assert value > 105
    assert read_json(places.run(run.id).progress)[NAME] == value


@pytest.mark.parametrize("looks", [40, 113])
def test_a_run_that_is_stopped_and_goes_on_finds_the_same_iteration(looks, here, unbroken):
    run, (whole, places) = slow(), unbroken
    with pytest.raises(Stopped):
        train(run, here, StopAt(looks))
    assert train(run, here)["metrics"] == whole["metrics"]
    assert trace(here, run)[0] == trace(places, run)[0]


def test_a_run_that_never_learns_has_none(here):
    run = slow(learning_rate=1e-6, iterations=105)
    assert NAME not in train(run, here)["metrics"]


def test_a_checkpoint_from_before_this_was_recorded_is_gone_on_from_and_the_number_stays_unknown(
    here,
):
    run = slow()
    for looks in (5, 10):
        with pytest.raises(Stopped):
            train(run, here, StopAt(looks))
        folder = here.run(run.id)
        old = {
            key: value
            for key, value in checkpoints.load(folder).items()
            if looks > 5 or key != "below"
        }
        checkpoints.save(folder, old, lambda: None)
    final = train(run, here)
    assert NAME not in final["metrics"]
    assert final["metrics"]["train_error"] < 90


def test_the_device_is_asked_rarely_and_no_more_once_the_answer_is_known(monkeypatch):
    looks = []
    monkeypatch.setattr(
        first_below.distributed, "total", lambda counts: looks.append(len(counts)) or counts
    )
    first = FirstBelow(batch=10, device=torch.device("cpu"))
    for iteration in range(5_000):
        first.saw(iteration, torch.tensor(9 if iteration < 2_500 else 5))
    assert looks == [1_000, 1_000, 1_000]
    assert first.facts() == {NAME: 2_501}


def test_the_wrong_answers_of_all_processes_count(monkeypatch):
    monkeypatch.setattr(first_below.distributed, "total", lambda counts: counts * 2)
    first = FirstBelow(batch=20, device=torch.device("cpu"))  # ten of them here
    for iteration in range(300):
        first.saw(iteration, torch.tensor(9 if iteration < 150 else 8))
    first.look(300)
    assert first.facts() == {NAME: 151}


def test_the_window_is_a_declared_reading():
    (reading,) = [reading for reading in READINGS if reading.what.startswith("below 90 %")]
    assert f"last {WINDOW} iterations" in reading.ours
