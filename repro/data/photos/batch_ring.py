"""Buffers that the decoding threads write batches into, used in turn.

A batch is decoded straight into the memory from which it is copied to the device: the thread that
launches the training step neither stacks images nor pins memory. For a GPU the buffers are pinned,
so that a copy runs beside the net's work; a buffer is written again only when its copy has ended.
On a CPU the same code works on plain memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class DeviceBatch:
    """One batch on its device, as it was decoded."""

    pixels: Tensor  # uint8, N×H×W×3
    means: Tensor  # float32, N×3: what is subtracted from each image's colours
    labels: Tensor  # int64, N


@dataclass(eq=False)
class Buffer:
    """Memory for one batch. Threads may write different images of it at the same time."""

    pixels: Tensor
    means: Tensor
    labels: Tensor
    copied: torch.cuda.Event | None = field(default=None)  # the end of the last copy to a GPU

    def write(
        self, place: int, view: NDArray[np.uint8], mean: NDArray[np.float32], label: np.int64
    ) -> None:
        """Write one image, as soon as the batch that was here before has been copied."""
        if self.copied is not None:
            self.copied.synchronize()  # in a decoding thread: the launching thread never waits
        self.pixels.numpy()[place] = view
        self.means.numpy()[place] = mean
        self.labels.numpy()[place] = label

    def to(self, device: torch.device, count: int) -> DeviceBatch:
        """Return the first images of the buffer on the device."""
        own = (self.pixels[:count], self.means[:count], self.labels[:count])
        if device.type != "cuda":
            # Labels are handed on as they are, and the buffer will be written again.
            return DeviceBatch(own[0], own[1], own[2].clone())
        pixels, means, labels = (tensor.to(device, non_blocking=True) for tensor in own)
        # Threads that wait for it sleep: they would else keep cores from those that decode.
        self.copied = torch.cuda.Event(blocking=True)
        self.copied.record(torch.cuda.current_stream(device))
        return DeviceBatch(pixels, means, labels)


class BatchRing:
    """So many buffers, each for a batch of at most `images` images of that size."""

    def __init__(self, buffers: int, images: int, size: int, device: torch.device) -> None:
        pinned = device.type == "cuda"
        self.buffers: list[Buffer] = []
        for _ in range(buffers):
            pixels = torch.empty((images, size, size, 3), dtype=torch.uint8, pin_memory=pinned)
            means = torch.empty((images, 3), dtype=torch.float32, pin_memory=pinned)
            labels = torch.empty(images, dtype=torch.int64, pin_memory=pinned)
            self.buffers.append(Buffer(pixels, means, labels))

    def of_batch(self, number: int) -> Buffer:
        """Return the buffer of a batch, by its number since the first."""
        return self.buffers[number % len(self.buffers)]
