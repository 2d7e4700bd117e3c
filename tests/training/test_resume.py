"""An interrupted run ends bit for bit like an unbroken one."""

import pytest
import torch

from experiments.recipes import IMAGENET
from experiments.scales import SCALES
from repro.definition.net import plain
from repro.definition.run import Run
from repro.storage.atomic import read_json
from repro.storage.paths import Places
from repro.training import Stopped, StopRequest, train
from repro.training.checkpoint import load, save


class StopAt(StopRequest):
    """Asks to stop at the n-th time it is looked at."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def reason(self) -> str | None:
        self.looks -= 1
        return "test" if self.looks < 0 else None


def trace(places: Places, run: Run):
    """What must be the same to the last bit: metrics, weights, batch-norm statistics, momentum."""
    folder = places.run(run.id)
    checkpoint = load(folder)
    tensors = {**checkpoint["net"]}
    for index, state in checkpoint["optimizer"]["state"].items():
        tensors[f"momentum {index}"] = state["momentum_buffer"]
    return folder.metrics.read_bytes(), tensors


def assert_same(one, other) -> None:
    assert one[0] == other[0]
    assert one[1].keys() == other[1].keys()
    assert all(torch.equal(one[1][name], other[1][name]) for name in one[1])


@pytest.fixture
def unbroken(tiny, tmp_path):
    places = Places(tmp_path / "unbroken", tmp_path, tmp_path / "data")
    train(tiny, places)
    return trace(places, tiny)


@pytest.mark.parametrize("looks", [1, 3, 11, 17, 38])
def test_a_run_that_is_stopped_and_called_again_ends_like_an_unbroken_one(
    looks, tiny, here, unbroken
):
    with pytest.raises(Stopped):
        train(tiny, here, StopAt(looks))
    assert not here.run(tiny.id).final.exists()
    train(tiny, here)
    assert_same(trace(here, tiny), unbroken)


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_run_that_is_stopped_while_it_is_measured_ends_at_once_and_is_measured_when_it_goes_on(
    batches, tiny, here, unbroken
):
    class WhileMeasured(StopRequest):
        def __init__(self) -> None:
            self.looks = 0

        @property
        def reason(self) -> str | None:
            progress = read_json(here.run(tiny.id).progress)
            self.looks += progress is not None and progress["state"] in ("measuring", "stopped")
            return "test" if self.looks > batches else None

    with pytest.raises(Stopped):
        train(tiny, here, WhileMeasured())
    assert read_json(here.run(tiny.id).progress)["state"] == "stopped"
    assert not here.run(tiny.id).final.exists()
    train(tiny, here)
    assert_same(trace(here, tiny), unbroken)


def test_the_warm_up_switches_where_it_did_in_the_unbroken_run(tiny, here, tmp_path):
    whole = train(tiny, Places(tmp_path / "unbroken", tmp_path, tmp_path / "data"))
    with pytest.raises(Stopped):
        train(tiny, here, StopAt(3))
    assert train(tiny, here)["metrics"]["warmup_switch"] == whole["metrics"]["warmup_switch"] > 3


# What a checkpoint held when the project was first published; later versions added keys.
FIRST_KEYS = {
    *("run", "iteration", "net", "optimizer", "warm_up", "window"),
    *("latest", "metrics_size", "data", "threads", "seconds"),
}


def test_a_checkpoint_of_the_first_layout_resumes_and_ends_like_an_unbroken_run(
    tiny, here, unbroken
):
    with pytest.raises(Stopped):
        train(tiny, here, StopAt(17))
    folder = here.run(tiny.id)
    saved = load(folder)
    assert set(saved) > FIRST_KEYS
    save(folder, {key: saved[key] for key in FIRST_KEYS}, lambda: None)
    train(tiny, here)
    assert_same(trace(here, tiny), unbroken)


def test_a_finished_run_is_not_trained_again(tiny, here):
    final = train(tiny, here)
    assert train(tiny, here) == final
    assert here.run(tiny.id).attempts() == [1]


@pytest.mark.slow
def test_a_run_of_imagenet_that_is_stopped_twice_ends_like_an_unbroken_one_to_the_last_prediction(
    here, tmp_path
):
    run, unbroken = (
        SCALES["smoke"](Run(plain(18, "imagenet"), IMAGENET)),
        Places(tmp_path / "one", tmp_path, here.data),
    )
    whole = train(run, unbroken)
    for looks in (3, 4):
        with pytest.raises(Stopped):
            train(run, here, StopAt(looks))
    resumed = train(run, here)
    assert_same(trace(here, run), trace(unbroken, run))
    assert resumed["metrics"] == whole["metrics"]
    assert (
        here.run(run.id).predictions.read_bytes() == unbroken.run(run.id).predictions.read_bytes()
    )


def test_a_checkpoint_of_another_memory_layout_goes_on_to_the_same_bits(tiny, here, unbroken):
    with pytest.raises(Stopped):
        train(tiny, here, StopAt(17))
    folder = here.run(tiny.id)
    saved = load(folder)
    for name, value in saved["net"].items():
        saved["net"][name] = value.clone(memory_format=torch.contiguous_format)
    for own in saved["optimizer"]["state"].values():
        plain = own["momentum_buffer"].clone(memory_format=torch.contiguous_format)
        own["momentum_buffer"] = plain
    save(folder, saved, lambda: None)
    train(tiny, here)
    assert_same(trace(here, tiny), unbroken)
