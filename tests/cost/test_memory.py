"""The estimate of memory: what torch keeps to 3 %, what a process takes on a CPU to a quarter, on a
GPU to 15 %."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import torch

from experiments.recipes import CIFAR10, IMAGENET
from repro.cost.memory import MIB, activation_bytes, gib, memory
from repro.definition.net import Net, plain, resnet
from repro.definition.recipe import Recipe
from repro.definition.run import Run
from repro.local.workers import KEEPING_MEMORY
from repro.nets import build
from repro.storage.paths import ROOT

GENERATED = replace(CIFAR10, dataset="generated")
PHOTOS = replace(IMAGENET, input=replace(IMAGENET.input, size=64))

TAKEN = """
    import re, sys
    from itertools import islice
    from pathlib import Path
    import torch
    from repro.data import open_source
    from repro.evaluation.error import measure_error
    from repro.evaluation.responses import responses
    from repro.storage.paths import places
    from repro.training.state import State
    from repro.training.loop import make_step
    from tests.cost.test_memory import GENERATED, Run, resnet

    device = torch.device(sys.argv[2])
    source = open_source(GENERATED, places().data).to(device)
    state = State(Run(resnet(int(sys.argv[1])), GENERATED), source, device)
    step = make_step(state.net, state.optimizer, GENERATED)
    for images, labels in source.batches(0, 0, 4):
        step(images, labels, 0.1)
    measure_error(state.net, source.test(), "test")
    responses(state.net, source.test())
    said = Path("/proc/self/status").read_text()  # ru_maxrss has the parent's too
    [high] = re.findall("VmHWM:[^0-9]*([0-9]+)", said)
    peak = int(high) * 1024
    print(torch.cuda.max_memory_allocated() if device.type == "cuda" else peak)
"""


def taken(depth: int, device: str) -> int:
    """The most that a process had which trained a few steps at batch 128 and was tested."""
    words = [sys.executable, "-c", textwrap.dedent(TAKEN), str(depth), device]
    environment = os.environ | KEEPING_MEMORY | {"PYTHONPATH": str(ROOT)}
    return int(
        subprocess.run(
            words, env=environment, capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
    )


@pytest.mark.parametrize("depth", [20, pytest.param(56, marks=pytest.mark.slow)])
def test_on_a_cpu_a_run_takes_what_was_estimated_to_a_quarter(depth: int) -> None:
    assert memory(Run(resnet(depth), GENERATED), on_gpu=False).host == pytest.approx(
        taken(depth, "cpu"), rel=0.25
    )


@pytest.mark.parametrize(
    ("net", "recipe"),
    [
        (plain(32), CIFAR10),
        (resnet(20), CIFAR10),
        (resnet(20), replace(CIFAR10, precision="bf16")),
        (resnet(18, "A", "imagenet"), PHOTOS),
        (resnet(34, "C", "imagenet"), PHOTOS),
        (resnet(50, "B", "imagenet"), PHOTOS),
        (resnet(50, "B", "imagenet"), replace(PHOTOS, precision="bf16")),
    ],
    ids=lambda each: each.name if isinstance(each, Net) else each.precision,
)
def test_what_training_keeps_is_torchs_own_count_to_3_percent(net: Net, recipe: Recipe) -> None:
    assert 8 * activation_bytes(net, recipe) == pytest.approx(
        _saved(net, recipe, images=8), rel=0.03
    )


def _saved(net: Net, recipe: Recipe, images: int) -> int:
    """Bytes of what autograd keeps of a forward pass, weights and statistics apart."""
    found: dict[int, int] = {}
    module = build(net).to(memory_format=torch.channels_last).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if tensor.dim() == 4 and len(tensor) == images and storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    seen = torch.zeros(images, 3, recipe.input.size, recipe.input.size).contiguous(
        memory_format=torch.channels_last
    )
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16"),
    ):
        scores = module(seen)
    assert len(scores) == images
    return sum(found.values())


def test_computing_again_keeps_a_fraction_of_a_deep_net() -> None:
    assert activation_bytes(resnet(1202), CIFAR10) < activation_bytes(resnet(110), CIFAR10)


def test_processes_share_a_batch_and_each_has_its_own_weights() -> None:
    one, four = (memory(Run(resnet(110), CIFAR10), True, count).gpu for count in (1, 4))
    assert one - four == pytest.approx(96 * activation_bytes(resnet(110), CIFAR10))


def test_a_size_is_said_in_gib() -> None:
    assert gib(1536 * MIB) == "1.5 GiB"
