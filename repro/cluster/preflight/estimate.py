"""GPU-hours of jobs before they are sent: from past runs, else computed from the layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from repro.cluster.profile import Profile
from repro.cluster.submit.packing import Element
from repro.cost.gpu_hours import format_hours, gpu_hours, packing_gain
from repro.cost.history import recorded_seconds
from repro.storage.paths import Places


@dataclass(frozen=True)
class Estimate:
    """GPU-hours, and how many of the runs they rest on past runs for."""

    gpu_hours: float
    measured: int
    computed: int
    on_gpu: bool = True
    sharing: str = ""  # how runs that share a card do it

    @property
    def said(self) -> str:
        return format_hours(self.gpu_hours)

    def __str__(self) -> str:
        how = "computed from the layers"
        if not self.on_gpu:
            how = "computed as for a GPU: a CPU takes many times that"
        basis = []
        if self.measured:
            basis.append(f"{self.measured if self.computed else 'all'} from past runs")
        if self.computed:
            basis.append(f"{self.computed if self.measured else 'all'} {how}")
        if self.sharing:
            basis.append(self.sharing)
        return f"{self.said} ({', '.join(basis)})"


def estimate(elements: Iterable[Element], places: Places, profile: Profile) -> Estimate:
    """Return the sum over the jobs. The GPUs a profile asks for are paid for, used or not."""
    cards = max(1, profile.gpus * profile.nodes)
    past = recorded_seconds("seconds", places, profile.on_gpu)
    hours, measured, computed, most = 0.0, 0, 0, 1
    for element in elements:
        alone = 0.0
        for run in element:
            seconds = past(run)
            measured += seconds is not None
            computed += seconds is None
            alone += gpu_hours(run) if seconds is None else seconds / 3600
        # A job holds its card until the last of its runs is over, and those slow each other down.
        if profile.on_gpu and profile.mps:
            alone /= packing_gain(element[0], len(element))
        hours += alone * cards
        most = max(most, len(element))
    return Estimate(hours, measured, computed, profile.on_gpu, _sharing(most, profile))


def _sharing(runs: int, profile: Profile) -> str:
    if runs == 1 or not profile.on_gpu:
        return ""
    if profile.mps:
        return f"up to {runs} runs a card by MPS, their gain computed and not measured"
    return f"up to {runs} runs a card by turns, which gains nothing"
