"""Training photos decoded and resized by the GPU: the variant `decode-on-gpu`.

Threads only read the files, so a few cores feed a fast card. What is drawn for an image is what the
processors' way draws, and a crop lies where it lay. But the card's decoder and its resizing round
otherwise than Pillow, so its runs are others, with ids of their own. Tests decode as ever.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from repro.data.photos import transforms
from repro.data.photos.batch_ring import DeviceBatch
from repro.data.photos.ordered_pool import map_in_order
from repro.data.photos.pack_format import Pack
from repro.data.photos.transforms import Pixels
from repro.definition.recipe import Input
from repro.errors import EnvironmentProblem, RunFailed, quote

if TYPE_CHECKING:
    from repro.data.photos.source import PlannedImage

BATCHES_AHEAD = 3  # of files read while the net works on another batch
DECODED_THERE = ("RGB", "L")  # ImageNet has a few JPEGs in other colours, and a PNG
NAMED = 3  # of the photos of a batch that could not be decoded

File: TypeAlias = bytes | Pixels  # what the card decodes, or what Pillow had to


def need_a_card(device: torch.device) -> None:
    """Refuse the variant where no GPU trains."""
    if device.type != "cuda":
        raise EnvironmentProblem(
            f"variant `decode-on-gpu` decodes photos on a GPU, and this run is on {quote(device)}",
            "leave the variant out, or train on a GPU: processors decode by themselves",
        )


def decoded_on(
    device: torch.device, plans: Iterator[list[PlannedImage]], seen_as: Input, pack: Pack
) -> Iterator[DeviceBatch]:
    """Yield the planned batches, decoded on the device; threads read some batches ahead."""
    begun: list[list[PlannedImage]] = []

    def images() -> Iterator[PlannedImage]:
        for plan in plans:
            begun.append(plan)
            yield from plan

    first = next(plans, None)
    if first is None:
        return
    plans = chain([first], plans)
    files = map_in_order(
        lambda image: _file(pack.content(image.row)), images(), ahead=BATCHES_AHEAD * len(first)
    )
    for file in files:
        plan = begun.pop(0)
        contents = [file, *islice(files, len(plan) - 1)]
        pixels = _decoded(contents, [pack.path_of(image.row) for image in plan], device)
        views = [view(own, image.drawn, seen_as) for own, image in zip(pixels, plan, strict=True)]
        means = np.stack([image.mean for image in plan])
        labels = pack.labels[[image.row for image in plan]].astype(np.int64)
        yield DeviceBatch(torch.stack(views), _moved(means, device), _moved(labels, device))


def view(pixels: Tensor, drawn: NDArray[np.uint64] | None, seen_as: Input) -> Tensor:
    """Return section 3.4's training view of 3×H×W pixels, as `transforms.training_view` has it."""
    assert drawn is not None, "something is drawn for each image of training"
    low, high = seen_as.shorter_side or (0, 0)
    size = seen_as.size
    shorter, left, top, flipped = (int(number) for number in drawn[:4])
    side = low + shorter % (high - low + 1)
    width, height = transforms.resized_size(pixels.shape[2], pixels.shape[1], side)
    resized = interpolate(
        pixels[None].float(),
        size=(height, width),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )[0]
    left, top = left % (width - size + 1), top % (height - size + 1)
    cut = resized[:, top : top + size, left : left + size]
    if seen_as.flip and flipped % 2:
        cut = cut.flip(2)
    return cut.round().clamp(0, 255).byte().permute(1, 2, 0)


def _file(content: bytes) -> File:
    """Return the file, or its pixels where a card's decoder does not know what is in it."""
    try:
        with Image.open(BytesIO(content)) as header:
            if header.format == "JPEG" and header.mode in DECODED_THERE:
                return content
        return np.asarray(transforms.decode(content))
    except (OSError, ValueError, SyntaxError):
        return content  # the decoder says what is wrong, and the photo is then named


def _decoded(files: Sequence[File], names: Sequence[str], device: torch.device) -> list[Tensor]:
    """Return 3×H×W bytes of each file, on the device."""
    from torchvision.io import ImageReadMode, decode_jpeg

    compressed = [_bytes(file) for file in files if isinstance(file, bytes)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer versions advise another library
            there = decode_jpeg(compressed, ImageReadMode.RGB, device) if compressed else []
    except RuntimeError as error:
        if "CUDA" in str(error):
            raise
        some = ", ".join(names[:NAMED])
        raise RunFailed(
            f"one of {len(names)} photos cannot be decoded on the card ({some} …): {error}",
            "`repro data check` names photos that are damaged; without the variant Pillow decodes",
        ) from error
    decoded = iter(there)
    pixels = []
    for file in files:
        if isinstance(file, bytes):
            pixels.append(next(decoded))
        else:
            pixels.append(_moved(file, device).permute(2, 0, 1))
    return pixels


def _bytes(file: bytes) -> Tensor:
    return torch.frombuffer(bytearray(file), dtype=torch.uint8)


def _moved(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """Return a copy on the device, which nothing waits for."""
    tensor = torch.from_numpy(np.array(array))
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
