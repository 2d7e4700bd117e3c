"""What a run says of its pace: iterations a second, the time left, and how long it saves."""

from __future__ import annotations

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.storage.paths import Places
from repro.training import train
from repro.training.pace import Pace


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    assert set(Pace(0, 100, 0.0).facts(10)) == {"rate_per_second", "eta_seconds"}


def test_the_slowest_save_is_on_record(here: Places) -> None:
    run = SCALES["smoke"](Run(resnet(8), CIFAR10))
    seconds = train(run, here)["provenance"]["save_seconds"]
    assert 0 < seconds < 60
