"""The memory that a run needs, estimated from its layers without building the net.

It is what training keeps of each layer for the way back, what testing has at once, the weights with
their momentum and gradients, and the images. What is kept is torch's own count. What a process on a
CPU takes beside that was measured; what CUDA takes on a GPU, and beside it, was not.
`tests/cost/test_memory.py` says how near it all comes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from repro.cost.layers import Layer, cost, layers
from repro.definition.net import Net
from repro.definition.recipe import Recipe
from repro.definition.run import Run

MIB, GIB = 2**20, 2**30

# Nets of more layers compute activations again instead of keeping them; the numbers are the same.
DEEP = 500

PROCESS = 660 * MIB  # Python with torch
SLACK = 1.4  # a heap that keeps its memory has gaps: measured from 20 to 110 layers
CUDA = 2 * GIB  # CUDA's libraries, in the machine's memory
CONTEXT = 0.6 * GIB  # and in the GPU's, beyond what torch counts
COPIES = 3  # of a checkpoint, while it is wrapped; on a CPU they lie where the activations were

# Images held in memory, training and test; of any other set of small images, CIFAR-10's.
SMALL_IMAGES = {"generated": (2_000, 500)}
CIFAR10_IMAGES = 50_000, 10_000
BATCHES_AHEAD = 4  # of photos: those decoded while the net trains, and its own
TESTED = 500  # small images in one forward pass of testing
TESTED_PIXELS = 8_000_000  # of photos in one, and of no more than 64 of them


@dataclass(frozen=True)
class Memory:
    """Bytes that one process needs of the machine's memory, and of a GPU's (0 without one)."""

    host: float
    gpu: float


def memory(run: Run, on_gpu: bool, processes: int = 1) -> Memory:
    """Return what each of the processes needs that train the run together."""
    recipe = run.recipe
    parameters = cost(run.net, recipe.input.size).parameters
    weights = parameters * (14 if recipe.precision == "bf16" else 12)  # with momentum and gradients
    at_work = -(-recipe.batch // processes) * activation_bytes(run.net, recipe) + _tested(run)
    read, held = _images(run)
    if on_gpu:
        return Memory(
            PROCESS + CUDA + read + held + COPIES * 8 * parameters,
            CONTEXT + weights + at_work + held,
        )
    return Memory(PROCESS + read + held + weights + SLACK * at_work, 0)


def gib(size: float) -> str:
    """1.9 GiB."""
    return f"{size / GIB:.1f} GiB"


def activation_bytes(net: Net, recipe: Recipe) -> float:
    """Return the bytes that one image leaves behind on its way forward, for the way back."""
    size = recipe.input.size
    width = 2 if recipe.precision == "bf16" else 4  # bytes of a number
    grouped = groupby(layers(net, size), lambda layer: layer.name.partition(".")[0])
    stem, *stages, _ = [tuple(stage) for _, stage in grouped]
    numbers: float = _numbers(stem)
    if net.depth > DEEP:
        numbers += _recomputed(stages, net)
    else:
        numbers += sum(map(_numbers, stages))
    kept = numbers * width + 3 * size**2 * width
    if net.family == "imagenet":
        first = stages[0][0]
        # Beside each number of the max pooling lies the index of its place, of 8 bytes.
        kept += first.inputs * first.size**2 * (width + 8)
    return kept


def _numbers(some: Iterable[Layer]) -> int:
    """Return how many numbers are kept of some layers."""
    count = 0
    for layer in some:
        count += _map(layer)  # before batch norm
        if layer.role != "projection":
            count += _map(layer)  # after the ReLU
    return count


def _map(layer: Layer) -> int:
    return layer.outputs * layer.size**2


def _recomputed(stages: Iterable[tuple[Layer, ...]], net: Net) -> float:
    """Return the most at any moment of the way back: all earlier inputs, and all of one segment."""
    inputs, most = 0.0, 0.0
    for stage, blocks in zip(stages, net.blocks, strict=True):
        segment = max(1, round((blocks / 2) ** 0.5))  # as `repro.nets.conv_net.Stage` cuts them
        inputs += -(-blocks // segment) * _map(stage[-1])
        most = max(most, inputs + segment * _numbers(stage) / blocks)
    return most


def _tested(run: Run) -> float:
    """Return the bytes of the largest maps that testing has at once, in fp32.

    Those of small images are squared in fp64 as well.
    """
    seen, size = run.recipe.input, run.recipe.input.size
    largest = max(map(_map, layers(run.net, size))) / size**2
    if run.net.family == "cifar":
        return TESTED * size**2 * largest * 4 * 6
    side = max(seen.test_sides or (), default=seen.test_side or size)
    return min(TESTED_PIXELS, 64 * side**2 * 4 / 3) * (3 * largest + 3) * 4


def _images(run: Run) -> tuple[float, float]:
    """Bytes of the images as they are read, and as they are held while training."""
    recipe, size = run.recipe, run.recipe.input.size
    if run.net.family == "imagenet":
        return BATCHES_AHEAD * recipe.batch * 3 * size**2, 0
    train, test = SMALL_IMAGES.get(recipe.dataset, CIFAR10_IMAGES)
    padded = size + 2 * (recipe.input.pad or 0)
    return (train + test) * 3 * size**2, 3 * (train * padded**2 + test * size**2)


def memory_here() -> int:
    """Return the bytes of memory that this process may use."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # The limit of a container or of a job; `max` where there is none.
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total
