"""Measure a step of ResNet-20 in each way, and print how long the nets of Table 6 would take.

`python -m tests.gpu.speeds cuda --out speeds.json` takes about two minutes on a card; on `cpu` it
is a rehearsal with few steps.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cost.layers import cost
from repro.data.small import generated
from repro.data.small.source import as_source
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.storage.atomic import to_json, write_atomic
from repro.training.captured_step import CapturedStep
from repro.training.device import device_name, layout_of, prepare
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
    write_atomic(asked.out, to_json(report))
    print(json.dumps(report, indent=1, ensure_ascii=False))
    for name in slower_layouts(ways, device):
        print(f"{name} is faster than the layout in repro/training/device.py: change it there")


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


def step_time(
    run: Run, device: torch.device, precision: Any, layout: str, captured: bool = False
) -> float:
    """Return the milliseconds of one iteration: batch, step and sums."""
    recipe = replace(run.recipe, dataset=generated.NAME, precision=precision, iterations=NEVER_LAST)
    run = replace(run, recipe=recipe)
    prepare(recipe, device)
    images = generated.draw(recipe.input.size)
    source = as_source(images, recipe, "", "generated").to(device)
    state = State(run, source, device)
    state.net.lay_out(device, FORMATS[layout])
    eager = EagerStep(state.net, state.optimizer, recipe)
    step: EagerStep | CapturedStep = eager
    if captured:
        step = CapturedStep(state.net, state.optimizer, eager)
    count = 300 if device.type == "cuda" else 5
    batches = source.batches(0, 0, NEVER_LAST)
    for warming in (True, False):
        began = time.perf_counter()
        for batch, labels in islice(batches, 10 if warming else count):
            state.saw(*step(batch, labels, 0.01), len(labels))
        state.window.check()  # waits for the card
    return round(1e3 * (time.perf_counter() - began) / count, 3)


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
        if best != layout_of(device, precision):
            better.append(f"{precision}, {best}")
    return better


if __name__ == "__main__":
    main()
