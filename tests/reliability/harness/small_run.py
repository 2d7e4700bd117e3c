"""The run that is damaged: a net and a data set so small that training it takes a fifth of a
second."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.data.small import npy_store
from repro.data.small.image_arrays import Arrays
from repro.definition.net import resnet
from repro.definition.recipe import Warmup
from repro.definition.run import Run
from repro.storage.paths import Places
from repro.training import checkpoint, pace, train

ITERATIONS = 8


def small_run() -> Run:
    recipe = SCALES["smoke"](Run(resnet(8), CIFAR10)).recipe
    warmup = Warmup(rate=0.01, below=99.0, window=2)
    size = {
        "batch": 8,
        "iterations": ITERATIONS,
        "drops": (4, 6),
        "evaluate_every": 2,
        "warmup": warmup,
    }
    return Run(resnet(8), replace(recipe, dataset="small", **size), scale="smoke")


def prepared(folder: Path) -> Path:
    """A folder with the small data set in it, and a run that nobody damages.

    From here on this process saves at every iteration, and has imported whatever training imports
    on its way.
    """
    torch.set_num_threads(1)
    os.environ["REPRO_SAVE_EVERY"], pace.SAVE_SHARE = "0", float("inf")
    draws = np.random.default_rng(0)
    images = [draws.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8) for count in (32, 8)]
    labels = [np.arange(count) % 10 for count in (32, 8)]
    arrays = Arrays(images[0], labels[0], images[1], labels[1], tuple("abcdefghij"))
    npy_store.save("small", arrays, "generated", "random numbers", folder / "data")
    trained(places(folder, "unbroken"))
    return folder


def places(folder: Path, name: str) -> Places:
    """Where one trial has its results; all share the data."""
    return Places(folder / name, folder / "figures", folder / "data")


def trained(here: Places) -> None:
    train(small_run(), here)


def differing_bytes(here: Places, other: Places) -> int:
    """In weights, batch-norm statistics, momentum, and metrics; a missing file differs in every
    byte."""
    one, two = (traced(each) for each in (here, other))
    return sum(_differing(one.get(name, b""), two.get(name, b"")) for name in one | two)


def traced(here: Places) -> dict[str, bytes]:
    folder = here.run(small_run().id)
    state = checkpoint.load(folder)
    if state is None or not folder.final.exists():
        return {}
    tensors = dict(state["net"])
    for index, each in state["optimizer"]["state"].items():
        tensors[f"momentum {index}"] = each["momentum_buffer"]
    arrays = {name: tensor.contiguous().numpy().tobytes() for name, tensor in tensors.items()}
    return arrays | {"metrics": folder.metrics.read_bytes()}


def _differing(one: bytes, two: bytes) -> int:
    return (
        abs(len(one) - len(two)) + sum(a != b for a, b in zip(one, two, strict=False))
        if one != two
        else 0
    )
