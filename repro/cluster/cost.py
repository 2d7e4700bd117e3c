"""GPU-hours of runs before they are sent: from past runs of the same net and recipe, else computed from the layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from repro.cluster.profile import Profile
from repro.errors import UserError
from repro.estimate import gpu_hours
from repro.folders import Folder, Places
from repro.spec import Run
from repro.whole import read_json


@dataclass(frozen=True)
class Estimate:
    """GPU-hours, and how many of the runs they rest on past runs for."""

    gpu_hours: float
    measured: int
    computed: int

    def __str__(self) -> str:
        basis = [f"{self.measured} from past runs"] * bool(self.measured)
        basis += [f"{self.computed} computed from the layers"] * bool(self.computed)
        return f"about {self.gpu_hours:.3g} GPU-hours ({', '.join(basis)})"


def estimate(runs: Iterable[Run], places: Places, profile: Profile) -> Estimate:
    """The sum over the runs. The GPUs a profile asks for are paid for, used or not."""
    cards = max(1, profile.gpus * profile.nodes)
    past: dict[str, float | None] = {}
    hours, measured, computed = 0.0, 0, 0
    for run in runs:
        kind = run.id.rpartition(".s")[0]
        if kind not in past:
            past[kind] = _past_hours(kind, places)
        known = past[kind]
        measured, computed = measured + (known is not None), computed + (known is None)
        hours += (known if known is not None else gpu_hours(run)) * cards
    return Estimate(hours, measured, computed)


def _past_hours(kind: str, places: Places) -> float | None:
    """The median of what runs took that differ in nothing but the seed."""
    found = []
    for parent in (places.runs, places.published):
        for path in parent.glob(f"{kind}.s*/final.json"):
            try:
                found.append((read_json(Folder(path.parent).final) or {})["provenance"]["seconds"] / 3600)
            except (UserError, KeyError, TypeError):
                continue
    return median(found) if found else None
