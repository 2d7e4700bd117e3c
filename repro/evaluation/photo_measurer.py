"""Test one net in many readings in one pass: images are decoded once, forward passes shared.

`PhotoMeasurer.block` measures some of the test images and returns every reading's scores of them.
Blocks are independent, so that a long test can be kept block by block and go on after it was
killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from repro.data.photos import transforms
from repro.data.photos.source import Photos
from repro.data.photos.transforms import Pixels
from repro.definition.preprocessing import Preprocessing
from repro.errors import UserError, quote
from repro.evaluation.crops import CROPS, chunks, evaluating, softmax
from repro.evaluation.fully_convolutional import alike
from repro.evaluation.readings import CENTRE, CENTRE_FLIPPED, Cut, Reading, most_crops
from repro.nets import ConvNet
from repro.nets.blocks import max_pool
from repro.storage.predictions import Scores

IMAGES = 32  # decoded at a time

Cuts = dict[Cut, list[Pixels]]  # source → its crops as one array, or the whole image at each side


@dataclass(eq=False)
class PhotoMeasurer:
    """A net, the photos it is tested on, and the readings."""

    net: ConvNet
    photos: Photos
    readings: Sequence[Reading]
    mean_image: NDArray[np.float32] | None = None  # blue first, 0 to 255, as the file has it

    def __post_init__(self) -> None:
        self._cuts = most_crops(list(self.readings))
        for reading in self.readings:
            _check_mean(reading, self.mean_image)

    def block(
        self, places: Sequence[int], seen: Callable[[int], None] = lambda count: None
    ) -> dict[Reading, Scores]:
        """Return every reading's scores of the test images at these places.

        `seen` is told now and then how many of them are done.
        """
        numbers: list[int] = []
        labels: list[int] = []
        parts: dict[Reading, list[Tensor]] = {reading: [] for reading in self.readings}
        images = self.photos.views_of(places, self._cut)
        with evaluating(self.net):
            for chunk in chunks(images, IMAGES):
                chunk_places, chunk_labels, cuts = zip(*chunk, strict=True)
                numbers += chunk_places
                labels += chunk_labels
                for reading, scores in self._chunk(list(cuts)):
                    parts[reading].append(scores.cpu())
                seen(len(numbers))
        return {
            reading: Scores(np.array(numbers), np.array(labels), torch.cat(scores).numpy())
            for reading, scores in parts.items()
        }

    def _cut(self, image: Image) -> Cuts:
        """Cut out of one decoded image what all readings need."""
        return {source: _cut(image, largest) for source, largest in self._cuts.items()}

    def _chunk(self, images: list[Cuts]) -> Iterator[tuple[Reading, Tensor]]:
        """Yield each reading's scores of these images, group by group of one input."""
        for source in self._cuts:
            cuts = [image[source] for image in images]
            for group in _grouped(self.readings, source):
                with _as_set(self.net, group[0]):
                    yield from self._forward(group, cuts)

    def _forward(
        self, group: list[Reading], cuts: list[list[Pixels]]
    ) -> Iterator[tuple[Reading, Tensor]]:
        if group[0].views == "multi":
            return self._whole_images(group, cuts)
        return self._crops(group, [crops for (crops,) in cuts])

    def _crops(self, group: list[Reading], crops: list[Pixels]) -> Iterator[tuple[Reading, Tensor]]:
        """Yield the scores from one forward pass over all crops; each reading averages its own."""
        stacked = np.concatenate(crops)
        batches = [
            self.net(self._prepared(stacked[start : start + CROPS], group[0].preprocessing))
            for start in range(0, len(stacked), CROPS)
        ]
        logits = torch.cat(batches).float().view(len(crops), len(crops[0]), -1)
        for reading in group:
            yield reading, _averaged(logits[:, _places(reading, len(crops[0]))], reading, (1,))

    def _whole_images(
        self, group: list[Reading], images: list[list[Pixels]]
    ) -> Iterator[tuple[Reading, Tensor]]:
        """Yield the scores of whole images: the mean over positions, flips and scales."""
        window = self._window(group[0].preprocessing)
        classes = self.net.classifier.out_features
        sums = {
            reading: torch.zeros(len(images), classes, device=self.photos.device)
            for reading in group
        }
        sides = group[0].preprocessing.sides
        for one_side in zip(*images, strict=True):
            for members in alike(one_side):
                batch = self._prepared(
                    np.stack([one_side[member] for member in members]), group[0].preprocessing
                )
                maps = self.net.scores(torch.cat([batch, batch.flip(3)]), window).float()
                maps = maps.view(
                    2, len(members), *maps.shape[1:]
                )  # as it is and flipped × images × classes × h × w
                for reading in group:
                    shown_maps = maps if reading.flip else maps[:1]
                    sums[reading][members] += _of_maps(shown_maps, reading)
        for reading, total in sums.items():
            mean = total / len(sides)
            yield reading, mean if reading.average == "softmax" else softmax(mean)

    def _window(self, wanted: Preprocessing) -> int:
        """Return the side of the last map for a crop, over which training took the mean."""
        size = wanted.crop
        return self.net.features(torch.zeros(1, 3, size, size, device=self.photos.device)).shape[-1]

    def _prepared(self, pixels: Pixels, wanted: Preprocessing) -> Tensor:
        """Return what the net takes, in its range and order of colours: N×3×H×W, channels last."""
        device = self.photos.device
        images = (
            torch.from_numpy(np.ascontiguousarray(pixels))
            .to(device)
            .float()
            .mul_(wanted.highest / 255)
        )
        if wanted.colours == "bgr":
            images = images.flip(3)
        images = images - torch.from_numpy(
            self._mean(wanted, (pixels.shape[1], pixels.shape[2]))
        ).to(device)
        if wanted.std is not None:
            images /= torch.from_numpy(_in_order(wanted.std, wanted)).to(device)
        return images.permute(0, 3, 1, 2)

    def _mean(self, wanted: Preprocessing, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return what is subtracted, in the net's range and order: a colour, or an image."""
        if wanted.mean == "image":
            return self._mean_of_file(wanted, size)
        if isinstance(wanted.mean, str):
            return _in_order(self.photos.mean_of(*size), wanted)
        return _in_order(wanted.mean, wanted)

    def _mean_of_file(self, wanted: Preprocessing, size: tuple[int, int]) -> NDArray[np.float32]:
        assert self.mean_image is not None  # looked at when the measurer was made
        image = self.mean_image.transpose(1, 2, 0) * np.float32(wanted.highest / 255)
        image = image if wanted.colours == "bgr" else image[..., ::-1]
        # A mean image has the size of a crop. From whole images its mean colour is taken.
        mean = image if image.shape[:2] == size else image.mean((0, 1))
        return np.ascontiguousarray(mean, dtype=np.float32)


def _check_mean(reading: Reading, image: NDArray[np.float32] | None) -> None:
    """Refuse a reading whose mean image is not there, or of another size than its crops."""
    wanted = reading.preprocessing
    if wanted.mean != "image":
        return
    if image is None:
        raise UserError(
            f"preprocessing {quote(wanted.name)} subtracts a mean image, and none is named",
            "`--mean ResNet_mean.binaryproto`, or `--preprocess authors-mean-colour`",
        )
    if reading.views != "multi" and image.shape[1:] != (wanted.crop, wanted.crop):
        size = f"{image.shape[1]}×{image.shape[2]}"
        raise UserError(
            f"the mean image is {size}, and the crops are {wanted.crop}×{wanted.crop}",
            "name the mean image of these weights, or take `--preprocess authors-mean-colour`",
        )


def _cut(image: Image, cut: Cut) -> list[Pixels]:
    if cut.sides:
        return [transforms.resize_whole(image, side, cut.filter) for side in cut.sides]
    pixels = transforms.resize_whole(image, cut.resize, cut.filter)
    if cut.count == 10:
        return [transforms.ten_of(pixels, cut.crop)]
    centre = transforms.centre_of(pixels, cut.crop)
    crops = (centre, centre[:, ::-1])
    return [np.stack(crops[: cut.count])]


def _grouped(readings: Sequence[Reading], source: Cut) -> Iterator[list[Reading]]:
    """Yield the readings of one source in groups that share a forward pass."""
    groups: dict[object, list[Reading]] = {}
    for reading in readings:
        if reading.cut.source == source:
            wanted = reading.preprocessing
            key = (
                wanted.mean,
                wanted.std,
                wanted.colours,
                wanted.highest,
                wanted.sides,
                reading.setting,
            )
            groups.setdefault(key, []).append(reading)
    yield from groups.values()


def _places(reading: Reading, count: int) -> list[int]:
    """Return which of an image's crops a reading averages, when `count` of them were cut."""
    if reading.views == "ten":
        return list(range(10))
    both = [CENTRE, CENTRE_FLIPPED] if count == 10 else [0, 1]
    return both if reading.flip else both[:1]


def _averaged(logits: Tensor, reading: Reading, over: tuple[int, ...]) -> Tensor:
    """Return images × classes: the mean of softmax scores, or the softmax of the mean logit."""
    if reading.average == "softmax":
        return torch.softmax(logits, -1).mean(over)
    return torch.softmax(logits.mean(over), -1)


def _of_maps(maps: Tensor, reading: Reading) -> Tensor:
    """Return images × classes: the mean over flips and positions of the maps."""
    scores = torch.softmax(maps, 2) if reading.average == "softmax" else maps
    return scores.mean((3, 4)).mean(0)


def _in_order(
    colours: Sequence[float] | NDArray[np.float32], wanted: Preprocessing
) -> NDArray[np.float32]:
    """Return red, green and blue of 0 to 1 in the net's range and order."""
    values = np.array(colours, dtype=np.float32) * np.float32(wanted.highest)
    return values if wanted.colours == "rgb" else values[..., ::-1].copy()


@contextmanager
def _as_set(net: ConvNet, reading: Reading) -> Iterator[None]:
    """Within it the net pools and normalises as the reading says."""
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    before = net.stem.pool, [norm.eps for norm in norms]
    if net.stem.pool is not None:
        net.stem.pool = max_pool(padded=reading.pool == "padded")
    for norm in norms:
        norm.eps = reading.epsilon
    try:
        yield
    finally:
        net.stem.pool = before[0]
        for norm, epsilon in zip(norms, before[1], strict=True):
            norm.eps = epsilon
