"""Training a CIFAR net: our loop's own parts, and the loop that most public code has."""

from __future__ import annotations

import atexit
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.recipes import CIFAR10
from repro.cost.precisions import Layout, Precision
from repro.data.small import generated
from repro.data.small.source import as_source
from repro.definition.net import resnet
from repro.definition.recipe import Recipe
from repro.definition.run import Run
from repro.nets import build
from repro.nets.blocks import ZeroPadded
from repro.storage.paths import Folder
from repro.training.checkpoint import save
from repro.training.device import MEMORY_FORMATS, make_current, prepare
from repro.training.loop import make_step
from repro.training.pace import SAVE_EVERY, SAVE_SHARE
from repro.training.state import State

FOREVER = 10_000_000  # iterations: more than any benchmark takes


def recipe_of(precision: Precision = "fp32", batch: int = 128) -> Recipe:
    """The paper's recipe on generated images."""
    return replace(
        CIFAR10, dataset=generated.NAME, precision=precision, batch=batch, iterations=FOREVER
    )


def ours(
    depth: int,
    steps: int,
    precision: Precision = "fp32",
    batch: int = 128,
    device: str = "cpu",
    capture: bool = True,
    layout: Layout | None = None,
) -> Callable[[], float]:
    """Images a second of the loop's own parts: state, batches, step, sums.

    The layout is the one that training takes, unless one is named.
    """
    os.environ["REPRO_CAPTURE"] = str(int(capture))
    recipe = recipe_of(precision, batch)
    place = _set_up(recipe, device)
    source = as_source(generated.draw(recipe.input.size), recipe, "", "generated").to(place)
    state = State(Run(resnet(depth), recipe), source, place)
    if layout is not None:
        state.net.lay_out(place, MEMORY_FORMATS[layout])
    step = make_step(state.net, state.optimizer, recipe)
    batches = source.batches(0, 0, FOREVER)

    def some_steps() -> float:
        began = time.perf_counter()
        for images, labels in islice(batches, steps):
            loss, wrong = step(images, labels, 0.01)
            state.saw(loss, wrong, len(labels))
        state.window.check()  # waits for a GPU
        return steps * batch / (time.perf_counter() - began)

    return some_steps


def data_only(depth: int, steps: int, batch: int = 128, device: str = "cpu") -> Callable[[], float]:
    """Images a second that the batches alone would allow: no net takes them."""
    recipe = recipe_of(batch=batch)
    place = _set_up(recipe, device)
    source = as_source(generated.draw(recipe.input.size), recipe, "", "generated").to(place)
    batches = source.batches(0, 0, FOREVER)

    def some_batches() -> float:
        began = time.perf_counter()
        for images, _ in islice(batches, steps):
            last = images
        float(last[0, 0, 0, 0])  # waits for a GPU
        return steps * batch / (time.perf_counter() - began)

    return some_batches


def _set_up(recipe: Recipe, device: str) -> torch.device:
    place = prepare(recipe, torch.device(device))
    make_current(place)
    return place


def usual(
    depth: int,
    steps: int,
    batch: int = 128,
    workers: int = 2,
    device: str = "cpu",
    precision: Precision = "fp32",
) -> Callable[[], float]:
    """Return images a second of the usual loop.

    DataLoader with workers, PIL crop and flip, N×C×H×W, `.item()`.

    In fp32, or with the TensorFloat-32 that torch lets convolutions use where nobody says no.
    """
    place = torch.device(device)
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = False
    net = _with_usual_shortcuts(build(resnet(depth))).to(place).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    batches = _loaded(batch, workers)

    def some_steps() -> float:
        began, total, right = time.perf_counter(), 0.0, 0.0
        for images, labels in islice(batches, steps):
            images, labels = (
                images.to(place, non_blocking=True),
                labels.to(place, non_blocking=True),
            )
            scores = net(images)
            loss = functional.cross_entropy(scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()  # the meters of most public code
            right += (scores.argmax(1) == labels).float().mean().item()
        return steps * batch / (time.perf_counter() - began)

    return some_steps


def at_depth(n: int, batch: int) -> Callable[[], dict[str, float]]:
    """Milliseconds a layer of one step, and the mebibytes a layer that the process grew by."""
    recipe, layers = recipe_of(batch=batch), 6 * n + 2
    source = as_source(generated.draw(recipe.input.size), recipe, "", "generated")
    state = State(Run(resnet(layers), recipe), source, torch.device("cpu"))
    step, batches, before = (
        make_step(state.net, state.optimizer, recipe),
        source.batches(0, 0, FOREVER),
        _most_memory(),
    )

    def one_step() -> dict[str, float]:
        images, labels = next(batches)
        began = time.perf_counter()
        step(images, labels, 0.01)
        took = time.perf_counter() - began
        return {"number": 1e3 * took / layers, "mib_per_layer": (_most_memory() - before) / layers}

    return one_step


def checkpoint(depth: int) -> Callable[[], float]:
    """Percent of the time that saving takes, at a checkpoint as often as runs make one."""
    recipe, place = recipe_of(), Folder(Path(tempfile.mkdtemp(prefix="repro-bench-")))
    atexit.register(shutil.rmtree, place.path, ignore_errors=True)
    source = as_source(generated.draw(recipe.input.size), recipe, "", "generated")
    state = State(Run(resnet(depth), recipe), source, torch.device("cpu"))
    for parameter in state.net.parameters():
        state.optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    def one_save() -> float:
        began = time.perf_counter()
        save(place, state.snapshot(0.0), lambda: None)
        took = time.perf_counter() - began
        return 100 * took / max(SAVE_EVERY, took / SAVE_SHARE)

    return one_save


def _most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _with_usual_shortcuts(net: nn.Module) -> nn.Module:
    """The same net and numbers, its option A written as in most public code."""
    for block in net.modules():
        if isinstance(shortcut := getattr(block, "shortcut", None), ZeroPadded):
            block.shortcut = _Sliced(shortcut.stride, shortcut.channels)
    return net


class _Sliced(nn.Module):
    """Every stride-th pixel by slicing, then zero channels."""

    def __init__(self, stride: int, channels: tuple[int, int]) -> None:
        super().__init__()
        self.stride, self.channels = stride, channels

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.channels))


def _loaded(batch: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The same images through a DataLoader, epoch after epoch."""
    from torchvision import transforms

    seen = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )
    loader = torch.utils.data.DataLoader(
        _Pictures(seen),
        batch,
        shuffle=True,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        drop_last=True,
        persistent_workers=workers > 0,
    )
    while True:
        yield from loader


class _Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """The generated images as PIL images; as many as CIFAR-10 has, so that epochs are as long."""

    def __init__(self, seen: Callable[[Any], Tensor]) -> None:
        arrays = generated.draw(32)
        self._pixels, self._labels, self._seen = arrays.train, arrays.train_labels, seen

    def __len__(self) -> int:
        return 50_000

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        place = index % len(self._pixels)
        return self._seen(Image.fromarray(self._pixels[place])), int(self._labels[place])


def gradients(net: nn.Module, images: Tensor, labels: Tensor, bf16: bool = False) -> Tensor:
    """All gradients of one step as one vector."""
    net.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        scores = net(images)
    if scores.dtype != torch.float64:
        scores = scores.float()
    loss = functional.cross_entropy(scores, labels)
    loss.backward()
    return torch.cat(
        [
            parameter.grad.double().flatten()
            for parameter in net.parameters()
            if parameter.grad is not None
        ]
    )


def far_from_fp64(depth: int, precision: str, layout: str, batch: int = 128) -> Callable[[], float]:
    """How far the gradients of one step are from fp64's, relatively; each call is another seed."""
    recipe, seeds = recipe_of(batch=batch), iter(range(1_000))
    source = as_source(generated.draw(recipe.input.size), recipe, "", "generated")
    memory = {"nchw": torch.contiguous_format, "channels last": torch.channels_last}[layout]

    def one_step() -> float:
        seed = next(seeds)
        images, labels = next(iter(source.batches(seed, 0, 1)))
        exact = gradients(
            build(resnet(depth), seed=seed).double(), images.double().contiguous(), labels
        )
        net = build(resnet(depth), seed=seed).to(memory_format=memory)
        near = gradients(net, images.contiguous(memory_format=memory), labels, precision == "bf16")
        return float((near - exact).norm() / exact.norm())

    return one_step
