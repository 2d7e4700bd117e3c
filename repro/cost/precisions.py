"""What the precision of a run means on a GPU: the memory layout, and what another one would take.

Torch is not needed to know it, so `show` and `submit` say it before anything is spent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.cost.gpu_models import gpu_model
from repro.definition.run import Run

Layout = Literal["channels last", "NCHW"]
Precision = Literal["fp32", "tf32", "bf16"]

# The faster memory layout by kind of device and precision. Processors were measured
# (docs/speed.md). No GPU was yet: channels last is what tensor cores read, and strict fp32 does
# not use those. `tests/gpu/first_half_hour.sh verify` measures both; what it finds belongs here.
_LAYOUTS: dict[tuple[str, str], Layout] = {
    ("cpu", "fp32"): "channels last",
    ("cpu", "tf32"): "channels last",
    ("cpu", "bf16"): "channels last",
    ("cuda", "fp32"): "NCHW",
    ("cuda", "tf32"): "channels last",
    ("cuda", "bf16"): "channels last",
}
FASTER: tuple[Precision, ...] = ("tf32", "bf16")
TENSOR_CORES = 80  # the first capability with TensorFloat-32 and bfloat16


def layout_of(device: str, precision: str) -> Layout:
    """Return how images and weights lie in memory on this kind of device: `cpu` or `cuda`."""
    return _LAYOUTS.get((device, precision), "channels last")


def hours_in(precision: Precision, runs: Sequence[Run]) -> float:
    """Return the GPU-hours of these runs, all in that precision."""
    return sum(gpu_hours(_computing_in(precision, run)) for run in runs)


def computing(runs: Sequence[Run], on_gpu: bool = True, card: str | None = None) -> list[str]:
    """Return in which precision and layout the runs compute, and what faster ones would take."""
    device = "cuda" if on_gpu else "cpu"
    counts = Counter(run.recipe.precision for run in runs)
    names = [f"{precision} ({layout_of(device, precision)} in memory)" for precision in counts]
    lines = [f"computing in {' and '.join(names)}"]
    if not on_gpu:
        return lines
    model = gpu_model(card or "")
    if model is not None and model.capability < TENSOR_CORES:
        slow = "; it computes bf16 slowly, out of fp32" if "bf16" in counts else ""
        lines.append(f"{card} has neither TensorFloat-32 nor bfloat16{slow}")
        return lines
    would_take = []
    for precision in FASTER:
        if set(counts) != {precision} and "fp32" in counts:
            hours = format_hours(hours_in(precision, runs))
            would_take.append(f"`--variant {precision}` would take {hours}")
    if would_take:
        lines.append(f"{', '.join(would_take)}, as other runs; both computed, not measured")
    return lines


def _computing_in(precision: Precision, run: Run) -> Run:
    return replace(run, recipe=replace(run.recipe, precision=precision))
