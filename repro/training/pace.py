"""How fast a run goes, and when its next checkpoint is due.

Only durations are used: no decision depends on the time of day.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from repro.errors import UserError, quote
from repro.training.gpu_usage import GpuUsage

SAVE_EVERY = 60.0  # seconds between two checkpoints; `REPRO_SAVE_EVERY` changes it
SAVE_SHARE = 0.01  # of the time at most goes into saving


class Pace:
    """The speed of a run since this attempt began, and what saving costs it."""

    def __init__(
        self, start: int, iterations: int, seconds: float, usage: GpuUsage | None = None
    ) -> None:
        self.slowest_save = 0.0  # seconds
        self._start = start
        self._iterations = iterations
        self._seconds_before = seconds
        self._usage = usage
        self._began = time.monotonic()
        self._last_save = self._began
        self._last_cost = 0.0
        self._save_every = _seconds_between_saves()

    @property
    def seconds(self) -> float:
        """Seconds spent on this run by all attempts."""
        return self._seconds_before + time.monotonic() - self._began

    def should_save(self) -> bool:
        """Return whether a checkpoint is due: not too soon, and not too often for what it costs."""
        interval = max(self._save_every, self._last_cost / SAVE_SHARE)
        return time.monotonic() - self._last_save > interval

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Measure how long the save within takes."""
        began = time.monotonic()
        yield
        self._last_save = time.monotonic()
        self._last_cost = self._last_save - began
        self.slowest_save = max(self.slowest_save, self._last_cost)

    def facts(self, iteration: int) -> dict[str, float | None]:
        """Return iterations a second, the seconds left at that rate, and how busy the GPU is."""
        elapsed = time.monotonic() - self._began
        speed = 0.0
        left: float | None = None
        if elapsed > 0:
            speed = (iteration - self._start) / elapsed
        if speed > 0:
            left = round((self._iterations - iteration) / speed, 1)
        facts = {"rate_per_second": round(speed, 3), "eta_seconds": left}
        if self._usage is not None:
            facts |= self._usage.percent()
        return facts


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
