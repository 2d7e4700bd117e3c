"""What a record says of a GPU, with a driver that is played: mean utilisation, energy, memory."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from repro.training import gpu_usage
from repro.training.gpu_usage import GpuUsage, driver_version
from repro.training.pace import Pace

GPU = torch.device("cuda", 0)


class FakeNvml:
    """NVIDIA's management library, as far as it is asked."""

    def __init__(self) -> None:
        self.percent = [90, 80, 40]
        self.millijoules = 1_000

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        assert uuid == "GPU-1234"
        return "card"

    def nvmlDeviceGetUtilizationRates(self, card: str) -> SimpleNamespace:
        return SimpleNamespace(gpu=self.percent.pop(0))

    def nvmlDeviceGetTotalEnergyConsumption(self, card: str) -> int:
        return self.millijoules

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.65"


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    library = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(gpu_usage, "ASK_EVERY", -1.0)
    properties = SimpleNamespace(uuid="1234")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 3 * 2**30)
    return library


def usage_of(device: torch.device) -> GpuUsage:
    usage = GpuUsage.of(device)
    assert usage is not None
    return usage


def test_a_record_has_mean_utilisation_peak_memory_and_energy(nvml: FakeNvml) -> None:
    usage = usage_of(GPU)
    assert [usage.percent()["gpu_percent"] for _ in range(3)] == [90, 80, 40]
    nvml.millijoules += 720_000_000
    assert usage.facts() == {"mean_percent": 70.0, "peak_memory_gib": 3.0, "card_kwh": 0.2}
    assert driver_version() == "580.65"


def test_the_peak_memory_is_of_this_run_and_not_of_one_that_the_process_trained_before(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    peak = [3 * 2**30]
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: peak[0])
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: peak.__setitem__(0, 2**29)
    )
    assert usage_of(GPU).facts()["peak_memory_gib"] == 0.5


def test_a_resumed_run_counts_its_earlier_attempts(nvml: FakeNvml) -> None:
    first = usage_of(GPU)
    first.percent()
    nvml.millijoules += 360_000_000
    saved = first.state()
    nvml.millijoules = 5  # the driver was loaded anew
    second = usage_of(GPU)
    second.restore(saved)
    second.percent()
    nvml.millijoules += 360_000_000
    assert second.facts() == {"mean_percent": 85.0, "peak_memory_gib": 3.0, "card_kwh": 0.2}


def test_progress_says_how_busy_the_card_is_and_asks_now_and_then_only(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_usage, "ASK_EVERY", 10.0)
    pace = Pace(0, 100, 0.0, usage_of(GPU))
    assert [pace.facts(iteration)["gpu_percent"] for iteration in range(3)] == [90] * 3


def test_a_card_that_does_not_count_energy_has_the_rest_on_record(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(card: str) -> int:
        raise Exception("NVML: not supported")

    monkeypatch.setattr(nvml, "nvmlDeviceGetTotalEnergyConsumption", refuse)
    usage = usage_of(GPU)
    usage.percent()
    assert usage.facts() == {"mean_percent": 90.0, "peak_memory_gib": 3.0}


@pytest.mark.parametrize("missing", ["the library", "the answers"])
def test_a_gpu_that_does_not_answer_stops_nothing(
    missing: str, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "the library":
        monkeypatch.setitem(sys.modules, "pynvml", None)
    else:
        nvml.percent.clear()
    usage = usage_of(GPU)
    assert usage.percent() == {}
    assert "mean_percent" not in usage.facts()


def test_without_a_gpu_there_is_no_usage() -> None:
    assert GpuUsage.of(torch.device("cpu")) is None


def test_a_card_that_mostly_waits_says_for_how_long(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(gpu_usage.time, "monotonic", lambda: now[0])
    nvml.percent = [7, 9, 90]
    usage = usage_of(GPU)
    assert usage.percent() == {"gpu_percent": 7, "gpu_low_seconds": 0}
    now[0] += 700
    assert usage.percent() == {"gpu_percent": 9, "gpu_low_seconds": 700}
    assert usage.percent() == {"gpu_percent": 90}
