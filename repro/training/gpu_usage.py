"""How well a run uses its GPU: the driver's utilisation and energy, and torch's memory.

All of it is for people to read: where the driver does not answer, nothing is recorded.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol, TypedDict

import torch

ASK_EVERY = 10.0  # seconds between two questions to the driver
LOW_PERCENT = 20  # of the time: below it a card mostly waits
MILLIJOULES = 3.6e9  # in a kWh


class UsageState(TypedDict):
    """What a checkpoint holds of the attempts before."""

    samples: int
    percent: float  # the sum over the samples
    energy: int  # millijoules
    peak: int  # bytes


class _Driver(Protocol):
    """NVIDIA's driver, as far as it is asked."""

    def utilisation(self) -> int: ...

    def energy(self) -> int: ...


class GpuUsage:
    """The utilisation, energy and memory of a card while a run trains on it."""

    def __init__(self, device: torch.device, driver: _Driver | None = None) -> None:
        self._device = device
        self._driver = driver
        self._before: UsageState = {"samples": 0, "percent": 0.0, "energy": 0, "peak": 0}
        self._samples = 0
        self._percent = 0.0
        self._newest: int | None = None
        self._low_since: float | None = None
        self._last_question = float("-inf")
        self._energy_at_start = self._energy()

    @classmethod
    def of(cls, device: torch.device) -> GpuUsage | None:
        """Return the usage of this device; None where it is no GPU."""
        if device.type != "cuda":
            return None
        _forget_peak(device)
        # NVML's errors are of classes that are nowhere without it, and it may not be installed.
        with contextlib.suppress(Exception):
            return cls(device, _Nvml(device))
        return cls(device)

    def percent(self) -> dict[str, int]:
        """Return how busy the card was in the newest answer, which is at most ten seconds old."""
        if time.monotonic() - self._last_question > ASK_EVERY:
            self._last_question = time.monotonic()
            self._ask()
        if self._newest is None:
            return {}
        if self._low_since is None:
            return {"gpu_percent": self._newest}
        # `status` warns where this lasts: others could use a card that waits.
        waited = round(time.monotonic() - self._low_since)
        return {"gpu_percent": self._newest, "gpu_low_seconds": waited}

    def facts(self) -> dict[str, float]:
        """Return the record: the mean utilisation, the peak memory, and the card's energy."""
        total = self.state()
        facts: dict[str, float] = {}
        if total["samples"]:
            facts["mean_percent"] = round(total["percent"] / total["samples"], 1)
        if total["peak"]:
            facts["peak_memory_gib"] = round(total["peak"] / 2**30, 3)
        if total["energy"]:
            # Of the whole card: runs that share one each have all of it.
            facts["card_kwh"] = round(total["energy"] / MILLIJOULES, 6)
        return facts

    def state(self) -> UsageState:
        """Return the sums over all attempts, for a checkpoint."""
        energy = self._energy()
        used = 0
        if energy is not None and self._energy_at_start is not None:
            used = energy - self._energy_at_start
        return {
            "samples": self._before["samples"] + self._samples,
            "percent": self._before["percent"] + self._percent,
            "energy": self._before["energy"] + used,
            "peak": max(self._before["peak"], _peak_memory(self._device)),
        }

    def restore(self, state: UsageState | None) -> None:
        """Go on from a checkpoint's sums; an older one has none."""
        if state is not None:
            self._before = state

    def _ask(self) -> None:
        self._newest = None
        if self._driver is None:
            return
        with contextlib.suppress(Exception):
            self._newest = self._driver.utilisation()
            self._samples += 1
            self._percent += self._newest
        if self._newest is None or self._newest >= LOW_PERCENT:
            self._low_since = None
        elif self._low_since is None:
            self._low_since = time.monotonic()

    def _energy(self) -> int | None:
        """Return the millijoules that the card used since its driver was loaded."""
        if self._driver is not None:
            with contextlib.suppress(Exception):
                return self._driver.energy()
        return None


class _Nvml:
    """NVIDIA's management library, for one card."""

    def __init__(self, device: torch.device) -> None:
        import pynvml  # type: ignore[import-untyped,unused-ignore]

        pynvml.nvmlInit()
        self._library = pynvml
        self._card = _handle(pynvml, device)

    def utilisation(self) -> int:
        return int(self._library.nvmlDeviceGetUtilizationRates(self._card).gpu)

    def energy(self) -> int:
        return int(self._library.nvmlDeviceGetTotalEnergyConsumption(self._card))


def driver_version() -> str | None:
    """Return the version of NVIDIA's driver; None where it does not answer."""
    with contextlib.suppress(Exception):
        import pynvml  # type: ignore[import-untyped,unused-ignore]

        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    return None


def _handle(library: Any, device: torch.device) -> Any:
    """Return the library's handle of torch's device, which may be numbered otherwise there."""
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    if not uuid.startswith(("GPU-", "MIG-")):
        uuid = f"GPU-{uuid}"
    return library.nvmlDeviceGetHandleByUUID(uuid)


def _forget_peak(device: torch.device) -> None:
    """Begin the peak anew: a process that trains run after run had the memory of the others."""
    for forget in (torch.cuda.empty_cache, lambda: torch.cuda.reset_peak_memory_stats(device)):
        with contextlib.suppress(RuntimeError, AssertionError):
            forget()


def _peak_memory(device: torch.device) -> int:
    """Return the most bytes that torch took of the card's memory."""
    with contextlib.suppress(RuntimeError, AssertionError):
        return int(torch.cuda.max_memory_reserved(device))
    return 0
