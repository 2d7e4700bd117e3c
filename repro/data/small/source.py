"""Small images in memory: a whole batch is augmented by one gather, on the device that trains.

Section 4.2: "4 pixels are padded on each side, and a 32×32 crop is randomly sampled from the padded
image or its horizontal flip", "with the per-pixel mean subtracted". The padding is zero *after* the
subtraction. So the pixels and the mean image are both padded with 0, and both are read at the same
places: 0 - 0 is exactly 0.

The paper does not say on what scale pixels are. Here they go from 0 to 1. The first batch norm
cancels the scale, except for its ε.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from repro.data.sampling import RandomDraws, batch_indices, permutation, random_bits
from repro.data.small import generated, npy_store
from repro.data.small.image_arrays import Arrays, Labels, Pixels, content_hash
from repro.data.source import Batch, Origin
from repro.definition.recipe import Recipe
from repro.distributed import ALONE, Share
from repro.errors import UserError, quote

HELD_OUT = 10  # the 45k/5k split holds out one image in ten


def open_images(recipe: Recipe, folder: Path) -> Images:
    """Return the recipe's set of small images: drawn by rule, or read and verified."""
    if recipe.dataset == generated.NAME:
        arrays = generated.draw(recipe.input.size)
        return as_source(arrays, recipe, content_hash(arrays), "generated")
    arrays, manifest = npy_store.load(recipe.dataset, folder)
    return as_source(arrays, recipe, manifest.hash, manifest.origin)


def as_source(arrays: Arrays, recipe: Recipe, content: str, origin: Origin) -> Images:
    """Return these arrays as the recipe wants to see them."""
    if arrays.size != recipe.input.size:
        images = f"the images of {quote(recipe.dataset)} are {arrays.size}×{arrays.size}"
        problem = f"`recipe.input.size` is {quote(recipe.input.size)}, but {images}"
        raise UserError(problem, f"set `recipe.input.size` to {arrays.size}")
    train, labels = _split(arrays, recipe)
    border = recipe.input.pad or 0
    mean, scale = _statistics(train, recipe)
    return Images(
        name=recipe.dataset,
        hash=content,
        origin=origin,
        classes=len(arrays.classes),
        recipe=recipe,
        pixels=_padded(train, border),
        labels=torch.tensor(labels),
        test_pixels=torch.tensor(arrays.test),
        test_labels=torch.tensor(arrays.test_labels),
        mean=pad(mean, (0, 0, border, border, border, border)),
        scale=scale,
        tested_on_training_images=np.array_equal(arrays.train, arrays.test),
    )


@dataclass(frozen=True, eq=False)
class Images:
    """A Source whose images are all in the device's memory, as bytes, N×H×W×3."""

    name: str
    hash: str
    origin: Origin
    classes: int
    recipe: Recipe
    pixels: Tensor  # of the training images, padded with zeros
    labels: Tensor
    test_pixels: Tensor
    test_labels: Tensor
    mean: Tensor  # H×W×3, on the pixels' scale of 0 to 255, padded with zeros
    scale: Tensor  # 3: 1/255, or 1/(255 std)
    tested_on_training_images: bool

    @property
    def train_images(self) -> int:
        return len(self.pixels)

    @property
    def test_images(self) -> int:
        return len(self.test_pixels)

    @property
    def border(self) -> int:
        return self.recipe.input.pad or 0

    def to(self, device: torch.device | str) -> Self:
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {name: value.to(device) for name, value in tensors.items()}
        return replace(self, **moved)

    def batches(self, seed: int, start: int, stop: int, share: Share = ALONE) -> Iterator[Batch]:
        batch, flip = self.recipe.batch, self.recipe.input.flip
        mine = share.of(batch)
        orders = batch_indices(seed, self.train_images, batch, start, stop)
        for iteration, order in zip(range(start, stop), orders, strict=True):
            crops = augmentation(seed, iteration, batch, self.border, flip)
            plan = np.stack([order, *crops])
            yield self._augmented(_moved(plan[:, mine], self.pixels.device))

    def test(self, batch: int = 500, share: Share = ALONE) -> Iterator[Batch]:
        return self._plain(self.test_pixels, self.test_labels, batch, share)

    def train_clean(self, batch: int = 500, share: Share = ALONE) -> Iterator[Batch]:
        return self._plain(self._centre(self.pixels, 1), self.labels, batch, share)

    def _augmented(self, plan: Tensor) -> Batch:
        """Return the planned crops; the plan was drawn on the CPU, so a GPU is never waited for."""
        order, down, right, flipped = plan
        size, side = self.recipe.input.size, self.pixels.shape[1]
        steps = torch.arange(size, device=plan.device)
        rows = down[:, None] + steps
        columns = right[:, None] + torch.where(flipped[:, None] == 1, size - 1 - steps, steps)
        places = rows[:, :, None] * side + columns[:, None, :]  # in one padded image: N×H×W
        pixels = _gather(self.pixels, order[:, None, None] * side**2 + places)
        return self._normalised(pixels, _gather(self.mean, places)), self.labels[order]

    def _plain(self, pixels: Tensor, labels: Tensor, batch: int, share: Share) -> Iterator[Batch]:
        pixels, labels = pixels[share.of(len(labels))], labels[share.of(len(labels))]
        for start in range(0, len(labels), batch):
            part = slice(start, start + batch)
            yield self.seen(pixels[part]), labels[part]

    def seen(self, pixels: Tensor) -> Tensor:
        """Return what a net sees of whole images: less the mean, over the scale."""
        return self._normalised(pixels, self._centre(self.mean, 0))

    def _normalised(self, pixels: Tensor, mean: Tensor) -> Tensor:
        """Return float32, N×3×H×W, in memory as N×H×W×3, which is channels last."""
        return torch.sub(pixels, mean).mul_(self.scale).permute(0, 3, 1, 2)

    def _centre(self, padded: Tensor, dimension: int) -> Tensor:
        size = self.recipe.input.size
        return padded.narrow(dimension, self.border, size).narrow(dimension + 1, self.border, size)


def augmentation(
    seed: int, iteration: int, batch: int, border: int, flip: bool
) -> tuple[Labels, Labels, Labels]:
    """Return how far down and right each crop lies (0 … 2·border), and whether it is flipped."""
    bits = random_bits(seed, RandomDraws.AUGMENTATION, iteration, 3 * batch).reshape(3, batch)
    choices = np.uint64(2 * border + 1)
    down, right = bits[0] % choices, bits[1] % choices
    flipped = bits[2] % np.uint64(2) * np.uint64(flip)
    return down.astype(np.int64), right.astype(np.int64), flipped.astype(np.int64)


def _split(arrays: Arrays, recipe: Recipe) -> tuple[Pixels, Labels]:
    """Return the training images; of the 45k/5k split the 45k, which no seed moves."""
    count = len(arrays.train)
    if recipe.split == "train":
        return arrays.train, arrays.train_labels
    kept = np.sort(permutation(0, RandomDraws.SPLIT, count, 0)[: count - count // HELD_OUT])
    return arrays.train[kept], arrays.train_labels[kept]


def _statistics(train: Pixels, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Return the mean image and the scale, from sums of integers: the same on every machine."""
    total = train.sum(axis=0, dtype=np.int64)  # H×W×3
    pixels = train.size // 3
    channel = total.sum(axis=(0, 1)) / pixels
    mean = np.broadcast_to(channel, total.shape)
    if recipe.input.mean == "pixel":
        mean = total / len(train)
    std = np.ones(3)
    if recipe.input.std == "channel":
        counts = [np.bincount(train[..., c].reshape(-1), minlength=256) for c in range(3)]
        squares = np.array([count @ np.arange(256) ** 2 for count in counts]) / pixels
        std = np.sqrt(squares - channel**2) / 255
    scale = 1 / (255 * std)
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(scale, dtype=torch.float32)


def _padded(images: Pixels, border: int) -> Tensor:
    return torch.from_numpy(np.pad(images, ((0, 0), (border, border), (border, border), (0, 0))))


def _gather(images: Tensor, places: Tensor) -> Tensor:
    """Return the colours at these places of images laid end to end: one gather for a batch."""
    return images.view(-1, 3).index_select(0, places.view(-1)).view(*places.shape, 3)


def _moved(plan: Labels, device: torch.device) -> Tensor:
    """Return the plan on the device: one copy, which nothing waits for."""
    tensor = torch.from_numpy(np.ascontiguousarray(plan))
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
