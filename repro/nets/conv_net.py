"""Stages of blocks and the whole net: stem, stages, mean over positions, fully connected layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Self

import torch
from torch import Tensor, is_grad_enabled, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from repro.definition.net import Net
from repro.nets.batch_norm import frozen_statistics
from repro.nets.blocks import Basic, Bottleneck, Norm, Projection, Stem, ZeroPadded


class Stage(nn.Sequential):
    """Blocks one after another: block1, block2, …

    With `recompute`, training keeps only the input of each segment of blocks, and computes the rest
    again in the backward pass. Memory then grows with the square root of the depth, and costs one
    more forward pass. The numbers stay the same: a block is a function of its input, and batch norm
    updates its averages in the first forward pass only.
    """

    def __init__(self, blocks: Sequence[nn.Module], recompute: bool) -> None:
        named = {f"block{place}": block for place, block in enumerate(blocks, start=1)}
        super().__init__(OrderedDict(named))
        self.recompute = recompute

    def forward(self, x: Tensor) -> Tensor:
        if not (self.recompute and self.training and is_grad_enabled()):
            for block in self:
                x = block(x)
            return x
        # A block keeps about four maps, a segment's input is one: n/k + 4k is least near
        # k = √n / 2; the two later, smaller stages move it to about √(n / 2).
        length = max(1, round((len(self) / 2) ** 0.5))
        blocks = list(self)
        for first in range(0, len(blocks), length):
            x = _recomputed(blocks[first : first + length], x)
        return x


def _recomputed(blocks: list[nn.Module], x: Tensor) -> Tensor:
    """Apply the blocks; on the way back they are computed again from `x`."""

    def segment(x: Tensor) -> Tensor:
        for block in blocks:
            x = block(x)
        return x

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), frozen_statistics(blocks)

    output: Tensor = checkpoint(
        segment, x, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
    )
    return output


class ConvNet(nn.Module):
    """A plain or residual net. `features` and `classifier` are the two halves of `forward`."""

    def __init__(self, stem: Stem, stages: Sequence[Stage], channels: int, classes: int) -> None:
        super().__init__()
        self.stem = stem
        for place, stage in enumerate(stages, start=1):
            self.add_module(f"stage{place}", stage)
        self.classifier = nn.Linear(channels, classes)
        self.memory_format: torch.memory_format | None = None  # None: images come as they should

    def lay_out(self, device: torch.device, memory_format: torch.memory_format) -> Self:
        """Move the net to this device and memory layout, into which its images are put as well."""
        self.memory_format = memory_format
        return self.to(device).to(memory_format=memory_format)

    @property
    def stages(self) -> list[Stage]:
        return [stage for stage in self.children() if isinstance(stage, Stage)]

    # N × 3 × H × W → N × channels × h × w, for any H and W
    def features(self, images: Tensor) -> Tensor:
        if self.memory_format is not None:
            images = images.contiguous(memory_format=self.memory_format)
        x: Tensor = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        return x

    # N × 3 × H × W → N × classes
    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(images).mean((2, 3)))
        return scores

    # N × 3 × H × W → N × classes × h' × w'
    def scores(self, images: Tensor, window: int = 7) -> Tensor:
        """Return the scores of every window of the last map: the net as fully convolutional.

        The window is what the net was trained on, 7×7 on ImageNet; a smaller map is one window.
        """
        x = self.features(images)
        x = F.avg_pool2d(x, (min(window, x.shape[2]), min(window, x.shape[3])), stride=1)
        return F.conv2d(x, self.classifier.weight[:, :, None, None], self.classifier.bias)


def assemble(net: Net, stem: Stem, width: int, norm: Norm, recompute: bool) -> ConvNet:
    """Return the net on that stem; each later stage halves the map and doubles the width."""
    channels = width
    stages = []
    for place, count in enumerate(net.blocks):
        blocks = []
        for number in range(count):
            stride = 1
            if place > 0 and number == 0:
                stride = 2
            blocks.append(_block(net, channels, width * 2**place, stride, norm))
            channels = width * 2**place * blocks[-1].expansion
        stages.append(Stage(blocks, recompute))
    return ConvNet(stem, stages, channels, net.classes)


def _block(net: Net, inputs: int, width: int, stride: int, norm: Norm) -> Basic | Bottleneck:
    if net.stride_in is None:
        return Basic(inputs, width, stride, _shortcut(net, inputs, width, stride, norm), norm)
    shortcut = _shortcut(net, inputs, 4 * width, stride, norm)
    return Bottleneck(inputs, width, stride, shortcut, norm, net.stride_in)


def _shortcut(net: Net, inputs: int, outputs: int, stride: int, norm: Norm) -> nn.Module | None:
    """Return what takes a block's input to the addition (section 3.3; for C section 4.1)."""
    if net.shortcut is None:
        return None
    if net.shortcut == "C":
        return Projection(inputs, outputs, stride, norm)
    if (inputs, stride) == (outputs, 1):
        return nn.Identity()
    if net.shortcut == "B":
        return Projection(inputs, outputs, stride, norm)
    return ZeroPadded(inputs, outputs, stride, net.zeros or "end")
