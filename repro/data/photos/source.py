"""Photos of many sizes: decoded, cropped and resized in threads while the net trains.

Section 3.4. What is drawn for an image is a function of (seed, iteration, position in the batch).
So neither the number of threads nor that of processes, nor an interruption, changes a single pixel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from repro.data.photos import card_decoder, generated, transforms
from repro.data.photos.batch_ring import BatchRing, Buffer, DeviceBatch
from repro.data.photos.mean_image import mean_image
from repro.data.photos.ordered_pool import map_in_order, usable_cores
from repro.data.photos.pack_format import ABOUT, Pack, open_pack
from repro.data.photos.pack_writer import PhotosToPack, pack
from repro.data.photos.transforms import Pixels
from repro.data.sampling import batch_indices
from repro.data.source import Batch
from repro.definition.recipe import Input, Recipe
from repro.distributed import ALONE, Share
from repro.errors import RunFailed, UserError, quote

BATCHES_AHEAD = 3  # of images decoded, or being decoded, while the net works on another batch
BUFFERS = BATCHES_AHEAD + 2  # one more is being filled up, and one copied to the device

View = TypeVar("View")


def open_photos(recipe: Recipe, folder: Path) -> Photos:
    """Return the recipe's set of photos in `folder`; make the generated one at its first use."""
    set_folder = folder / recipe.dataset
    if recipe.dataset == generated.NAME and not (set_folder / ABOUT).exists():
        pack(PhotosToPack(generated.draw(), lambda: "generated"), set_folder)
    _check_input(recipe)
    opened = open_pack(set_folder)
    about = opened.about
    photos = Photos(recipe, opened, about.mean, about.std, torch.device("cpu"))
    return photos.with_mean_image() if recipe.input.mean == "pixel" else photos


class PlannedImage(NamedTuple):
    """An image of a batch: its row in the manifest, and what was drawn for it."""

    row: int
    mean: NDArray[np.float32]  # 3: subtracted from its colours; in training with a random shift
    drawn: NDArray[np.uint64] | None = None


@dataclass(frozen=True, eq=False)
class Photos:
    """A Source of packed photos."""

    recipe: Recipe
    pack: Pack
    mean: tuple[float, float, float]  # of each channel, pixels of 0 to 1
    std: tuple[float, float, float]
    device: torch.device
    mean_image: NDArray[np.float32] | None = None  # size × size × 3, of a recipe that subtracts it

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

    def with_mean_image(self) -> Self:
        """Return the source that subtracts the mean image of its training photos from each crop."""
        side, size = self.input.test_side or 0, self.input.size
        return replace(self, mean_image=mean_image(self.pack, self._image, side, size))

    def mean_of(self, height: int, width: int) -> NDArray[np.float32]:
        """Return what is subtracted from pixels of that size: an image, or a colour.

        A mean image has the size of a crop. From whole images its mean colour is taken.
        """
        if self.mean_image is None:
            return np.array(self.mean, dtype=np.float32)
        if self.mean_image.shape[:2] == (height, width):
            return self.mean_image
        colour: NDArray[np.float32] = self.mean_image.mean((0, 1))
        return colour

    def batches(self, seed: int, start: int, stop: int, share: Share = ALONE) -> Iterator[Batch]:
        mine = share.of(self.recipe.batch)
        plans = self.training_plans(seed, range(start, stop), mine)
        if self.input.decoder == "gpu":
            card_decoder.need_a_card(self.device)
            return self._on_device(
                card_decoder.decoded_on(self.device, plans, self.input, self.pack)
            )
        return self._batches(plans, mine.stop - mine.start, self.training_view)

    def test(self, batch: int = 100, share: Share = ALONE) -> Iterator[Batch]:
        return self._centre_crops(self.pack.val, batch, share)

    def train_clean(self, batch: int = 100, share: Share = ALONE) -> Iterator[Batch]:
        return self._centre_crops(self.pack.train, batch, share)

    def test_views(
        self, view: Callable[[Image.Image], View], share: Share = ALONE
    ) -> Iterator[tuple[int, int, View]]:
        """Yield the place, the class and any view of each test image of this process's share."""
        places = range(self.test_images)[share.of(self.test_images)]
        return self.views_of(places, view)

    def views_of(
        self, places: Iterable[int], view: Callable[[Image.Image], View]
    ) -> Iterator[tuple[int, int, View]]:
        """Yield the place, the class and any view of these test images, each decoded once."""

        def work(place: int) -> tuple[int, int, View]:
            row = int(self.pack.val[place])
            return place, int(self.pack.labels[row]), view(self._image(row))

        return map_in_order(work, places, ahead=4 * usable_cores())

    def prepared(self, pixels: Pixels) -> Tensor:
        """Return what a net takes, from N×H×W×3 bytes in ordinary memory."""
        return self._normalised(self._moved(pixels), self._moved(self._mean[None]))

    def _normalised(self, pixels: Tensor, means: Tensor) -> Tensor:
        """Return colours of 0 to 1 less the means: N×3×H×W, channels last."""
        images = pixels.float().mul_(1 / 255)
        images -= means[:, None, None, :]
        if self.mean_image is not None:
            image, colour = self._mean_image_and_colour
            images -= image if images.shape[1:3] == image.shape[:2] else colour
        if self.input.std == "channel":
            images /= self._std
        return images.permute(0, 3, 1, 2)

    @cached_property
    def _mean(self) -> NDArray[np.float32]:
        """The mean colour; none where the mean image, which has its own, is subtracted as well."""
        if self.mean_image is not None:
            return np.zeros(3, np.float32)
        return np.array(self.mean, dtype=np.float32)

    @cached_property
    def _mean_image_and_colour(self) -> tuple[Tensor, Tensor]:
        """What is subtracted from crops, and from whole images, on the device."""
        size = self.input.size
        return self._moved(self.mean_of(size, size)), self._moved(self.mean_of(0, 0))

    @cached_property
    def _std(self) -> Tensor:
        return self._moved(np.array(self.std, dtype=np.float32))

    def training_plans(
        self, seed: int, iterations: range, mine: slice
    ) -> Iterator[list[PlannedImage]]:
        """Yield this process's part of the batch of each iteration."""
        batch, colour = self.recipe.batch, self.input.colour or 0.0
        orders = batch_indices(seed, self.train_images, batch, iterations.start, iterations.stop)
        for iteration, order in zip(iterations, orders, strict=True):
            drawn = transforms.draws(seed, iteration, batch)[mine]
            means = self._mean - transforms.colour_shift(drawn, colour)
            rows = self.pack.train[order[mine]].tolist()
            yield [PlannedImage(*image) for image in zip(rows, means, drawn, strict=True)]

    def training_view(self, image: PlannedImage) -> Pixels:
        """Return section 3.4's view of an image."""
        assert image.drawn is not None, "something is drawn for each image of training"
        sides = self.input.shorter_side or (0, 0)
        return transforms.training_view(
            self._image(image.row), self.input.size, image.drawn, sides, self.input.flip
        )

    def _centre_crops(self, rows: NDArray[np.int64], batch: int, share: Share) -> Iterator[Batch]:
        """Yield the centre crops of Figure 4."""
        mine = rows[share.of(len(rows))]
        return self._batches(
            self._test_plans(mine, batch), min(batch, len(mine)), self._centre_crop
        )

    def _test_plans(self, rows: NDArray[np.int64], batch: int) -> Iterator[list[PlannedImage]]:
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch].tolist()
            yield [PlannedImage(row, self._mean) for row in part]

    def _centre_crop(self, image: PlannedImage) -> Pixels:
        side = self.input.test_side or 0
        return transforms.centre_crop(self._image(image.row), side, self.input.size)

    def _batches(
        self,
        plans: Iterator[list[PlannedImage]],
        most_images: int,
        view: Callable[[PlannedImage], Pixels],
    ) -> Iterator[Batch]:
        return self._on_device(self.decoded(plans, most_images, view))

    def _on_device(self, batches: Iterator[DeviceBatch]) -> Iterator[Batch]:
        for batch in batches:
            yield self._normalised(batch.pixels, batch.means), batch.labels

    def decoded(
        self,
        plans: Iterator[list[PlannedImage]],
        most_images: int,
        view: Callable[[PlannedImage], Pixels],
    ) -> Iterator[DeviceBatch]:
        """Yield the planned batches, of at most so many images; threads decode some batches ahead.

        On a CPU a batch's pixels are a buffer that is written again when the next one is asked for.
        """
        ring = BatchRing(BUFFERS, most_images, self.input.size, self.device)
        begun: deque[tuple[Buffer, int]] = deque()

        def tasks() -> Iterator[tuple[Buffer, int, PlannedImage]]:
            for number, plan in enumerate(plans):
                buffer = ring.of_batch(number)
                begun.append((buffer, len(plan)))
                for place, image in enumerate(plan):
                    yield buffer, place, image

        def decode(task: tuple[Buffer, int, PlannedImage]) -> None:
            buffer, place, image = task
            buffer.write(place, view(image), image.mean, self.pack.labels[image.row])

        written = map_in_order(decode, tasks(), ahead=BATCHES_AHEAD * most_images)
        for _ in written:
            buffer, count = begun.popleft()
            deque(islice(written, count - 1), maxlen=0)  # wait for the rest of the batch
            yield buffer.to(self.device, count)

    def _image(self, row: int) -> Image.Image:
        try:
            return transforms.decode(self.pack.content(row))
        except (OSError, ValueError, SyntaxError) as error:
            name = quote(self.pack.path_of(row))
            raise RunFailed(
                f"cannot decode {name} of data set {quote(self.name)}: {error}",
                f"`repro data check {self.name}` says whether the data set is whole",
            ) from error

    def _moved(self, array: NDArray[Any]) -> Tensor:
        """Return a copy on the device, which nothing waits for."""
        tensor = torch.from_numpy(array)
        if self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


def _check_input(recipe: Recipe) -> None:
    """Refuse a recipe by which photos cannot be seen."""
    wanted = recipe.input
    for field in ("shorter_side", "test_side", "test_sides"):
        value = getattr(wanted, field)
        if value is None:
            problem = f"`recipe.input.{field}` is not set"
            raise UserError(problem, f"photos of data set {quote(recipe.dataset)} need it")
        sides = value if isinstance(value, tuple) else (value,)
        if min(sides, default=0) < wanted.size:
            crops = f"crops are {wanted.size}×{wanted.size}"
            problem = f"`recipe.input.{field}` is {quote(value)}, and {crops}"
            raise UserError(problem, f"give sides of {wanted.size} or more")
