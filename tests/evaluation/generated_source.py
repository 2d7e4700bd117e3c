"""A small source of generated photos, and a net that tells them apart a little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from experiments.recipes import IMAGENET
from repro.data.photos.source import Photos, open_photos
from repro.definition.net import resnet as a_resnet
from repro.definition.recipe import Input, Recipe
from repro.definition.run import Run
from repro.nets import ConvNet, build

INPUT = Input(
    size=32,
    mean="channel",
    shorter_side=(36, 68),
    colour=0.1,
    test_side=36,
    test_sides=(32, 36, 54),
)
IMAGES = 8
NET = a_resnet(18, "B", "imagenet", classes=10)


def recipe(**changes: object) -> Recipe:
    small = {
        "dataset": "generated-photos",
        "input": INPUT,
        "batch": 8,
        "iterations": 4,
        "drops": (2,),
    }
    return replace(IMAGENET, **(small | {"batch_norm_group": None, "evaluate_every": 2} | changes))


def run(seed: int = 0) -> Run:
    return Run(NET, recipe(), seed)


def photos(folder: Path, tests: int = IMAGES) -> Photos:
    """All training images, and a few of those for tests."""
    source = open_photos(recipe(), folder)
    return replace(source, pack=replace(source.pack, val=source.pack.val[:tests]))


def net(seed: int = 0) -> ConvNet:
    """Random weights, and statistics of batch norm that are not those of the start."""
    torch.set_num_threads(1)
    module = build(NET, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 2.0, generator=generator)
    return module
