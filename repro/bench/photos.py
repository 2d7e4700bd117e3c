"""Photos: the input of training on one core, and testing by ten crops and many scales."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from experiments.recipes import IMAGENET
from repro.data.photos import transforms as photo_transforms
from repro.data.photos.ordered_pool import map_in_order
from repro.data.photos.source import Photos, PlannedImage
from repro.definition.net import resnet
from repro.evaluation.crops import ten_crop
from repro.evaluation.fully_convolutional import multi_scale
from repro.nets import ConvNet, build

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def jpegs(count: int, width: int = 500, height: int = 375) -> list[bytes]:
    """Images of about the usual size in pixels and bytes: coarse shapes under a little noise."""
    drawn = np.random.default_rng(0)
    found = []
    for _ in range(count):
        coarse = Image.fromarray(drawn.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(
            (width, height)
        )
        noisy = np.asarray(coarse, dtype=np.int16) + drawn.integers(-14, 15, (height, width, 3))
        file = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        found.append(file.getvalue())
    return found


def photos(count: int, batch: int) -> Photos:
    """Our own source of photos, over a pack that is in memory."""
    contents, rows = jpegs(count), np.arange(count)
    about = SimpleNamespace(
        mean=MEAN, std=STD, name="jpegs", hash="", origin="generated", classes=range(1000)
    )
    pack: Any = SimpleNamespace(
        about=about,
        train=rows,
        val=rows,
        labels=rows % 1000,
        content=contents.__getitem__,
        path_of=str,
    )
    return Photos(
        replace(IMAGENET, batch=batch, batch_norm_group=None), pack, MEAN, STD, torch.device("cpu")
    )


def stacked_input(count: int) -> Callable[[], float]:
    """The same as ours, stacked in the launching thread: bytes, without the normalising."""
    return _one_core_input(count, _stacked)


def buffered_input(count: int) -> Callable[[], float]:
    """The same in buffers: bytes, without the normalising."""
    return _one_core_input(count, _in_buffers)


def _one_core_input(
    count: int, decoded: Callable[[Photos, Iterator[list[PlannedImage]]], Iterator[Tensor]]
) -> Callable[[], float]:
    _one_core()
    batch = 32
    source = photos(count, batch)

    def images_a_second() -> float:
        plans = source.training_plans(0, range(count // batch), slice(0, batch))
        return _pace(decoded(source, plans), count // batch, batch)

    return images_a_second


def our_input(count: int) -> Callable[[], float]:
    """Images a second of one core, decoded, cropped, coloured and ready for the net."""
    _one_core()
    batch = 32
    source = photos(count, batch)
    return lambda: _pace(
        source.batches(0, 0, count // batch), count // batch, batch
    )  # nothing was decoded before


def launching_thread(way: str, count: int) -> Callable[[], float]:
    """Milliseconds of its own time that the launching thread spends on the bytes of a batch."""
    batch = 64
    source = photos(count, batch)
    decoded = {"buffers": _in_buffers, "stacked": _stacked}[way]

    def milliseconds() -> float:
        batches = decoded(source, source.training_plans(0, range(count // batch), slice(0, batch)))
        began = time.thread_time()
        for _ in batches:
            pass
        return 1000 * (time.thread_time() - began) / (count // batch)

    return milliseconds


def _in_buffers(source: Photos, plans: Iterator[list[PlannedImage]]) -> Iterator[Tensor]:
    """As we do it: the decoding threads write into the memory that is copied to the device."""
    for batch in source.decoded(plans, source.recipe.batch, source.training_view):
        yield batch.pixels


def _stacked(source: Photos, plans: Iterator[list[PlannedImage]]) -> Iterator[Tensor]:
    """The obvious way: the launching thread stacks what the threads decoded."""
    batch = source.recipe.batch
    views = map_in_order(source.training_view, chain.from_iterable(plans), ahead=3 * batch)
    for first in views:
        yield torch.from_numpy(np.stack([first, *islice(views, batch - 1)]))


def usual_input(count: int) -> Callable[[], float]:
    """The same with torchvision's PIL transforms, without colour augmentation."""
    from torchvision import transforms

    _one_core()
    batch, contents, drawn = 32, jpegs(count), np.random.default_rng(0)
    finish = transforms.Compose(
        [
            transforms.RandomCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )

    def batches() -> Iterator[tuple[Tensor, None]]:
        images: list[Tensor] = []
        while True:
            for content in contents:
                image = Image.open(io.BytesIO(content)).convert("RGB")
                images.append(
                    finish(transforms.functional.resize(image, int(drawn.integers(256, 481))))
                )
                if len(images) == batch:
                    yield torch.stack(images), None
                    images = []

    endless = batches()
    return lambda: _pace(endless, count // batch, batch)


def our_test(depth: int, way: str, count: int) -> Callable[[], float]:
    """Images a second of our ten-crop or multi-scale testing."""
    source, net = photos(count, count), _net(depth).to(memory_format=torch.channels_last)
    method = {"ten-crop": ten_crop, "multi-scale": multi_scale}[way]
    return lambda: _seconds(lambda: method(net, source), count)


def obvious_test(depth: int, way: str, count: int) -> Callable[[], float]:
    """The same scores, one crop or one scale after the other, fp32, N×C×H×W."""
    source, net = photos(count, count), _net(depth)
    test = {"ten-crop": _crop_by_crop, "multi-scale": _scale_by_scale}[way]

    @torch.inference_mode()
    def all_images() -> None:
        for place in range(count):
            test(net, source, photo_transforms.decode(source.pack.content(place)))

    return lambda: _seconds(all_images, count)


def _crop_by_crop(net: ConvNet, source: Photos, image: Image.Image) -> Tensor:
    crops = source.prepared(photo_transforms.ten_crops(image, 256, 224)).contiguous()
    return torch.stack([torch.softmax(net(crop[None]), 1) for crop in crops]).mean(0)


def _scale_by_scale(net: ConvNet, source: Photos, image: Image.Image) -> Tensor:
    found = []
    for side in source.input.test_sides or ():
        pixels = source.prepared(photo_transforms.resize_whole(image, side)[None]).contiguous()
        found += [
            torch.softmax(net.scores(each), 1).mean((2, 3)) for each in (pixels, pixels.flip(3))
        ]
    return torch.stack(found).mean(0)


def _net(depth: int) -> ConvNet:
    return build(resnet(depth, "B", "imagenet", classes=1000)).eval()


def _one_core() -> None:
    """Stay on one core, threads and all: the measure of an input pipeline."""
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _pace(batches: Iterator[Any], count: int, batch: int) -> float:
    return _seconds(lambda: [None for _ in islice(batches, count)], count * batch)


def _seconds(work: Callable[[], object], images: int) -> float:
    began = time.perf_counter()
    work()
    return images / (time.perf_counter() - began)
