"""The machine that trains: its device and threads, its pace, and what a record says about it."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import torch

from repro.data.source import Source
from repro.definition.recipe import Recipe
from repro.definition.run import Run
from repro.errors import EnvironmentProblem, UserError, quote
from repro.provenance.checkout import CodeState, code_state
from repro.provenance.code_digest import code_hash
from repro.provenance.processor import processor_name
from repro.storage.paths import ROOT
from repro.training.attempt import slurm_job_id

SAVE_EVERY = 60.0  # seconds between two checkpoints; `REPRO_SAVE_EVERY` changes it
SAVE_SHARE = 0.01  # of the time at most goes into saving
ASK_EVERY = 10.0  # seconds between two questions to the GPU's driver


def prepare(recipe: Recipe, device: torch.device | None = None) -> torch.device:
    """The device to train on, set up for the recipe's precision: the one given, the environment's, or what there is."""
    said = "leave `--device` out" if device else "leave `REPRO_DEVICE` unset"
    wanted = os.environ.get("REPRO_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    device = device or torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EnvironmentProblem(
            f"no GPU here for device {quote(device)}", f"{said} to train on what there is"
        )
    commit()  # now and not at the end: the files may be edited while the run trains
    tf32 = recipe.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.deterministic = True
    return device


class Pace:
    """How fast it goes, and when the next checkpoint is due. Durations only: no decision reads the clock's time."""

    def __init__(
        self, start: int, iterations: int, seconds: float, device: torch.device | None = None
    ) -> None:
        self._start, self._iterations, self._before, self._device = (
            start,
            iterations,
            seconds,
            device,
        )
        self._asked, self._busy = float("-inf"), dict[str, int]()
        self._began = self._saved = time.monotonic()
        self._cost = 0.0
        self.slowest_save = 0.0  # seconds
        self._every = _seconds_between_saves()

    @property
    def seconds(self) -> float:
        """Spent on this run by all attempts."""
        return self._before + time.monotonic() - self._began

    def should_save(self) -> bool:
        return time.monotonic() - self._saved > max(self._every, self._cost / SAVE_SHARE)

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._cost = self._saved - began
        self.slowest_save = max(self.slowest_save, self._cost)

    def facts(self, iteration: int) -> dict[str, float | None]:
        """Iterations a second, the seconds left at that rate, and how busy the GPU is, if there is one that says it."""
        elapsed = time.monotonic() - self._began
        speed = (iteration - self._start) / elapsed if elapsed > 0 else 0.0
        left = (self._iterations - iteration) / speed if speed > 0 else None
        return {
            "rate_per_second": round(speed, 3),
            "eta_seconds": left and round(left, 1),
        } | self._gpu()

    def _gpu(self) -> dict[str, int]:
        if time.monotonic() - self._asked > ASK_EVERY:
            self._asked, self._busy = time.monotonic(), busy(self._device)
        return self._busy


def busy(device: torch.device | None) -> dict[str, int]:
    """The share of the last second, in percent, in which the GPU computed; nothing without one, or NVIDIA's library."""
    if device is not None and device.type == "cuda":
        with contextlib.suppress(
            Exception
        ):  # NVML has its own, which are nowhere without it; this is for display
            return {"gpu_percent": torch.cuda.utilization(device)}
    return {}


def machine(device: torch.device) -> str:
    """What must be the same to compute the same bits; a run that went on where it is not has both on record."""
    return f"{_name(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}, code {code_hash()}"


def provenance(
    run: Run,
    source: Source,
    device: torch.device,
    seconds: float,
    attempts: int,
    began: str | None = None,
) -> dict[str, Any]:
    """Where a number comes from: the code, the data, the machine. Its times of day are for people to read."""
    return {
        "started": began,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "host": socket.gethostname(),
        "device": _name(device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "precision": run.recipe.precision,
        "code": code_hash(),
        **commit(),
        "data": {
            "name": source.name,
            "hash": source.hash,
            "origin": source.origin,
            "train_images": source.train_images,
            "test_images": source.test_images,
            "tested_on_training_images": source.tested_on_training_images,
        },
        "attempts": attempts,
        "job": slurm_job_id(),
    }


@cache
def commit() -> CodeState:
    """Return the commit of the code, as it was when this process first asked."""
    return code_state(ROOT)


def _name(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    return f"{device.type}: {name}"


def _seconds_between_saves() -> float:
    text = os.environ.get("REPRO_SAVE_EVERY", str(SAVE_EVERY))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UserError(
            f"`REPRO_SAVE_EVERY` is {quote(text)}", "give it a number of seconds, 0 or more"
        )
    return seconds
