"""What a run says of its pace: iterations a second, the time left, how busy its GPU is, how long it saves."""

from __future__ import annotations

import pytest
import torch

from experiments.recipes import CIFAR10, SCALES
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.storage.paths import Places
from repro.training import pace as pace_module
from repro.training import train
from repro.training.pace import Pace, busy

GPU = torch.device("cuda", 0)


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    assert set(Pace(0, 100, 0.0, torch.device("cpu")).facts(10)) == {
        "rate_per_second",
        "eta_seconds",
    }


def test_a_gpu_is_asked_now_and_then_how_busy_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([42])
    monkeypatch.setattr(torch.cuda, "utilization", lambda device: next(answers))
    pace = Pace(0, 100, 0.0, GPU)
    assert [pace.facts(iteration)["gpu_percent"] for iteration in range(3)] == [42] * 3


def test_a_gpu_that_mostly_waits_says_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now, percent = [1000.0], [7]
    monkeypatch.setattr(pace_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(torch.cuda, "utilization", lambda device: percent[0])
    pace = Pace(0, 100, 0.0, GPU)
    assert pace.facts(1)["gpu_low_seconds"] == 0
    now[0] += 700
    assert pace.facts(2)["gpu_low_seconds"] == 700
    now[0], percent[0] = now[0] + 20, 90
    assert "gpu_low_seconds" not in pace.facts(3)


@pytest.mark.parametrize(
    "trouble", [ModuleNotFoundError("no nvidia-ml-py"), Exception("NVML: not supported")]
)
def test_a_gpu_that_does_not_say_it_stops_nothing(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(device: torch.device) -> int:
        raise trouble

    monkeypatch.setattr(torch.cuda, "utilization", refuse)
    assert busy(GPU) == {}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="left out: no GPU here")
def test_a_real_gpu_says_how_busy_it_is() -> None:
    assert 0 <= busy(GPU)["gpu_percent"] <= 100


def test_the_slowest_save_is_on_record(here: Places) -> None:
    run = SCALES["smoke"](Run(resnet(8), CIFAR10))
    seconds = train(run, here)["provenance"]["save_seconds"]
    assert 0 < seconds < 60
