"""GPU-hours of runs before they are sent: from past runs of the same net and recipe, else computed from the layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from repro.cluster.profile import Profile
from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.cost.history import recorded_seconds
from repro.definition.run import Run
from repro.storage.paths import Places


@dataclass(frozen=True)
class Estimate:
    """GPU-hours, and how many of the runs they rest on past runs for."""

    gpu_hours: float
    measured: int
    computed: int
    on_gpu: bool = True

    @property
    def said(self) -> str:
        return format_hours(self.gpu_hours)

    def __str__(self) -> str:
        basis = [f"{self.measured} from past runs"] * bool(self.measured)
        how = (
            "computed from the layers"
            if self.on_gpu
            else "computed as for a GPU: a CPU takes many times that"
        )
        basis += [f"{self.computed} {how}"] * bool(self.computed)
        return f"{self.said} ({', '.join(basis)})"


def estimate(runs: Iterable[Run], places: Places, profile: Profile) -> Estimate:
    """The sum over the runs. The GPUs a profile asks for are paid for, used or not."""
    cards = max(1, profile.gpus * profile.nodes)
    past = recorded_seconds("seconds", places, profile.on_gpu)
    hours, measured, computed = 0.0, 0, 0
    for run in runs:
        seconds = past(run)
        measured, computed = measured + (seconds is not None), computed + (seconds is None)
        hours += (seconds / 3600 if seconds is not None else gpu_hours(run)) * cards
    return Estimate(hours, measured, computed, profile.on_gpu)
