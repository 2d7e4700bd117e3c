"""Photos of many sizes: decoded, cropped and resized in threads while the net trains, each batch in time and in order.

Section 3.4. What is drawn for an image is a function of (seed, iteration, place in the batch), so neither the number of
threads nor that of processes, nor an interruption, changes a single pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from repro.data.photos import generated, transforms
from repro.data.photos.ordered_pool import map_in_order, usable_cores
from repro.data.photos.pack_format import ABOUT, Pack, open_pack
from repro.data.photos.pack_writer import PhotosToPack, pack
from repro.data.photos.transforms import Pixels
from repro.data.sampling import batch_indices, shard
from repro.data.source import Batch
from repro.definition.recipe import Input, Recipe
from repro.errors import RunFailed, UserError, quote

BATCHES_AHEAD = 3  # of decoded images waiting for the net

View = TypeVar("View")


def open_photos(recipe: Recipe, folder: Path) -> Photos:
    """The recipe's set of photos in `folder`; the generated one is made there at first use."""
    place = folder / recipe.dataset
    if recipe.dataset == generated.NAME and not (place / ABOUT).exists():
        pack(PhotosToPack(generated.draw(), lambda: "generated"), place)
    opened = open_pack(place)
    return Photos(
        _checked(recipe), opened, opened.about.mean, opened.about.std, torch.device("cpu")
    )


@dataclass(frozen=True, eq=False)
class Photos:
    """A Source of packed photos."""

    recipe: Recipe
    pack: Pack
    mean: tuple[float, float, float]  # of each channel, pixels of 0 to 1
    std: tuple[float, float, float]
    device: torch.device

    @property
    def name(self) -> str:
        return self.pack.about.name

    @property
    def hash(self) -> str:
        return self.pack.about.hash

    @property
    def origin(self) -> str:
        return self.pack.about.origin

    @property
    def classes(self) -> int:
        return len(self.pack.about.classes)

    @property
    def train_images(self) -> int:
        return len(self.pack.train)

    @property
    def test_images(self) -> int:
        return len(self.pack.val)

    @property
    def tested_on_training_images(self) -> bool:
        return bool(np.isin(self.pack.val, self.pack.train).any())

    @property
    def input(self) -> Input:
        return self.recipe.input

    def to(self, device: torch.device | str) -> Self:
        return replace(self, device=torch.device(device))

    def batches(
        self, seed: int, start: int, stop: int, rank: int = 0, processes: int = 1
    ) -> Iterator[Batch]:
        batch, mine = self.recipe.batch, shard(self.recipe.batch, rank, processes)
        orders = batch_indices(seed, self.train_images, batch, start, stop)
        plans = (
            list(
                zip(
                    self.pack.train[order[mine]],
                    transforms.draws(seed, iteration, batch)[mine],
                    strict=True,
                )
            )
            for iteration, order in zip(range(start, stop), orders, strict=True)
        )
        for plan, pixels in self._decoded(plans, self._training_view):
            shift = transforms.colour_shift(
                np.stack([drawn for _, drawn in plan]), self.input.colour or 0.0
            )
            yield self.prepared(pixels, shift), self._labels([row for row, _ in plan])

    def test(self, batch: int = 100, rank: int = 0, processes: int = 1) -> Iterator[Batch]:
        return self._plain(self.pack.val, batch, rank, processes)

    def train_clean(self, batch: int = 100, rank: int = 0, processes: int = 1) -> Iterator[Batch]:
        return self._plain(self.pack.train, batch, rank, processes)

    def test_views(
        self, view: Callable[[Image.Image], View], rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[int, int, View]]:
        """The place, the class and any view of each test image: this process's share."""
        return self.views_of(
            range(self.test_images)[shard(self.test_images, rank, processes)], view
        )

    def views_of(
        self, places: Iterable[int], view: Callable[[Image.Image], View]
    ) -> Iterator[tuple[int, int, View]]:
        """The place, the class and any view of these test images, each decoded once."""

        def work(place: int) -> tuple[int, int, View]:
            row = int(self.pack.val[place])
            return place, int(self.pack.labels[row]), view(self._image(row))

        return map_in_order(work, places, ahead=4 * usable_cores())

    def prepared(self, pixels: Pixels, shift: NDArray[np.float32] | None = None) -> Tensor:
        """What a net takes, from N×H×W×3 bytes: colours of 0 to 1, shifted, less the mean. Channels last, N×3×H×W."""
        images = self._moved(pixels).float().mul_(1 / 255)
        mean = np.array([self.mean], dtype=np.float32)
        images -= self._moved(mean if shift is None else mean - shift)[:, None, None, :]
        if self.input.std == "channel":
            images /= self._moved(np.array(self.std, dtype=np.float32))
        return images.permute(0, 3, 1, 2)

    def _plain(
        self, rows: NDArray[np.int64], batch: int, rank: int, processes: int
    ) -> Iterator[Batch]:
        """Centre crops, as in Figure 4."""
        mine = rows[shard(len(rows), rank, processes)]
        plans = (list(mine[start : start + batch]) for start in range(0, len(mine), batch))
        side, size = self.input.test_side or 0, self.input.size
        for plan, pixels in self._decoded(
            plans, lambda row: transforms.centre_crop(self._image(row), side, size)
        ):
            yield self.prepared(pixels), self._labels(plan)

    def _training_view(self, planned: tuple[int, NDArray[np.uint64]]) -> Pixels:
        row, drawn = planned
        sides = self.input.shorter_side or (0, 0)
        return transforms.training_view(
            self._image(row), self.input.size, drawn, sides, self.input.flip
        )

    def _decoded(
        self, plans: Iterator[list[View]], work: Callable[[View], Pixels]
    ) -> Iterator[tuple[list[View], Pixels]]:
        """Each plan with its pixels. The threads work some batches ahead, across the borders of batches."""
        begun: list[list[View]] = []

        def tasks() -> Iterator[View]:
            for plan in plans:
                begun.append(plan)
                yield from plan

        results = map_in_order(work, tasks(), ahead=BATCHES_AHEAD * self.recipe.batch)
        for first in results:
            plan = begun.pop(0)
            yield plan, np.stack([first, *islice(results, len(plan) - 1)])

    def _image(self, row: int) -> Image.Image:
        try:
            return transforms.decode(self.pack.content(row))
        except (OSError, ValueError, SyntaxError) as error:
            raise RunFailed(
                f"cannot decode {quote(self.pack.path_of(row))} of data set {quote(self.name)}: {error}",
                f"`repro data check {self.name}` says whether the data set is whole",
            ) from error

    def _labels(self, rows: list[int]) -> Tensor:
        return self._moved(self.pack.labels[rows])

    def _moved(self, array: np.ndarray) -> Tensor:
        """On the device: one copy, which nothing waits for."""
        tensor = torch.from_numpy(array)
        return (
            tensor.pin_memory().to(self.device, non_blocking=True)
            if self.device.type == "cuda"
            else tensor
        )


def _checked(recipe: Recipe) -> Recipe:
    """The recipe, if photos can be seen as it says."""
    wanted = recipe.input
    if wanted.mean == "pixel":
        raise UserError(
            "a mean image cannot be subtracted from photos of many sizes: `recipe.input.mean` is `pixel`",
            "set `recipe.input.mean` to `channel`",
        )
    for field in ("shorter_side", "test_side", "test_sides"):
        value = getattr(wanted, field)
        if value is None:
            raise UserError(
                f"`recipe.input.{field}` is not set",
                f"photos of data set {quote(recipe.dataset)} need it",
            )
        sides = value if isinstance(value, tuple) else (value,)
        if min(sides, default=0) < wanted.size:
            problem = f"`recipe.input.{field}` is {quote(value)}, and crops are {wanted.size}×{wanted.size}"
            raise UserError(problem, f"give sides of {wanted.size} or more")
    return recipe
