"""Measure a step of ResNet-20 in each way, list its kernels, and plan the nets of Table 6.

`python -m tests.gpu.speeds cuda --out FOLDER` takes about two minutes on a card; on `cpu` it is a
rehearsal with few steps.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cost.layers import cost
from repro.cost.precisions import layout_of
from repro.data.small import generated
from repro.data.small.source import as_source
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.storage.atomic import to_json, write_atomic
from repro.training.captured_step import CapturedStep
from repro.training.device import device_name, prepare
from repro.training.loop import EagerStep
from repro.training.state import State

FORMATS = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}
TABLE6 = (20, 32, 44, 56, 110)
NEVER_LAST = 10_000_000  # iterations


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("device")
    parser.add_argument("--scale", default="paper")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    device = torch.device(asked.device)
    run = SCALES[asked.scale](Run(resnet(20), CIFAR10))
    ways = measured(run, device)
    report: dict[str, Any] = {"device": device_name(device), "milliseconds": ways}
    report["minutes"] = {name: planned(run, way) for name, way in ways.items()}
    write_atomic(asked.out / "speeds.json", to_json(report))
    print(json.dumps(report, indent=1, ensure_ascii=False))
    for name in slower_layouts(ways, device):
        print(f"{name} is faster than the layout in repro/cost/precisions.py: change it there")
    for line in advice(report["minutes"]):
        print(line)
    write_atomic(asked.out / "kernels.txt", kernels(run, device).encode())


def measured(run: Run, device: torch.device) -> dict[str, float]:
    """Return the milliseconds of a step, by precision, layout and whether it is captured."""
    on_card = device.type == "cuda"
    precisions = ("fp32", "tf32", "bf16") if on_card else ("fp32",)
    ways: dict[str, float] = {}
    for precision in precisions:
        for layout in FORMATS:
            ways[f"{precision}, {layout}, eager"] = step_time(run, device, precision, layout)
            if on_card:
                name = f"{precision}, {layout}, captured"
                ways[name] = step_time(run, device, precision, layout, captured=True)
    return ways


def advice(minutes: dict[str, dict[str, float]]) -> Iterator[str]:
    """Yield what Table 6 takes in each precision at its best, and how to choose one for all runs."""
    best: dict[str, float] = {}
    for way, nets in minutes.items():
        precision = way.partition(",")[0]
        best[precision] = min(best.get(precision, math.inf), sum(nets.values()))
    for precision, total in best.items():
        choice = "" if precision == "fp32" else f"VARIANT={precision} "
        yield f"Table 6 in {precision}: {total:.1f} minutes, one after another ({choice}train)"
    yield "one precision for all runs of a table: fp32 if that fits, else bf16"


def kernels(run: Run, device: torch.device) -> str:
    """Return what ten iterations launched, as a table: the longest first."""
    activities = [ProfilerActivity.CPU]
    order = "self_cpu_time_total"
    if device.type == "cuda":
        activities, order = [ProfilerActivity.CUDA], "self_cuda_time_total"
    one, step, batches = _prepared(run, device, run.recipe.precision, None, device.type == "cuda")
    _go(one, step, batches, 3)
    with profile(activities=activities, acc_events=True) as recorded:
        _go(one, step, batches, 10)
    table: str = recorded.key_averages().table(sort_by=order, row_limit=60)
    return table


def step_time(
    run: Run, device: torch.device, precision: Any, layout: str, captured: bool = False
) -> float:
    """Return the milliseconds of one iteration: batch, step and sums."""
    state, step, batches = _prepared(run, device, precision, layout, captured)
    count = 300 if device.type == "cuda" else 5
    _go(state, step, batches, 10)
    began = time.perf_counter()
    _go(state, step, batches, count)
    return round(1e3 * (time.perf_counter() - began) / count, 3)


def _prepared(
    run: Run, device: torch.device, precision: Any, layout: str | None, captured: bool
) -> tuple[State, EagerStep | CapturedStep, Iterator[tuple[Tensor, Tensor]]]:
    recipe = replace(run.recipe, dataset=generated.NAME, precision=precision, iterations=NEVER_LAST)
    run = replace(run, recipe=recipe)
    prepare(recipe, device)
    images = generated.draw(recipe.input.size)
    source = as_source(images, recipe, "", "generated").to(device)
    state = State(run, source, device)
    if layout is not None:
        state.net.lay_out(device, FORMATS[layout])
    eager = EagerStep(state.net, state.optimizer, recipe)
    step: EagerStep | CapturedStep = eager
    if captured:
        step = CapturedStep(state.net, state.optimizer, eager)
    return state, step, source.batches(0, 0, NEVER_LAST)


def _go(
    state: State,
    step: EagerStep | CapturedStep,
    batches: Iterator[tuple[Tensor, Tensor]],
    count: int,
) -> None:
    """Take so many iterations, and wait until the card has done them."""
    for images, labels in islice(batches, count):
        state.saw(*step(images, labels, 0.01), len(labels))
    state.window.check()


def planned(run: Run, milliseconds: float) -> dict[str, float]:
    """Return the minutes of each net of Table 6, as its multiply-adds are to ResNet-20's."""
    minutes = {}
    work = cost(run.net, run.recipe.input.size).multiply_adds
    for depth in TABLE6:
        times = cost(resnet(depth), run.recipe.input.size).multiply_adds / work
        whole = times * milliseconds * run.recipe.iterations / 60_000
        minutes[resnet(depth).name] = round(whole, 2)
    return minutes


def slower_layouts(ways: dict[str, float], device: torch.device) -> list[str]:
    """Return the layouts that are faster here than the ones training takes."""
    if device.type != "cuda":
        return []
    better = []
    for precision in ("fp32", "tf32", "bf16"):
        times = {layout: ways[f"{precision}, {layout}, captured"] for layout in FORMATS}
        best = min(times, key=times.__getitem__)
        if best != layout_of(device.type, precision):
            better.append(f"{precision}, {best}")
    return better


if __name__ == "__main__":
    main()
