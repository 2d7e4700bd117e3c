"""Testing by crops: the centre one, as in Figure 4, or "the standard 10-crop testing" of Tables 2 and 3.

Ten crops are the corners and the centre of the image resized to a shorter side of 256, and their flips; the authors'
notes say that the scores averaged are softmax scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from repro.data.photos.source import Photos
from repro.data.photos.transforms import Pixels, centre_crop, ten_crops
from repro.nets import ConvNet
from repro.storage.predictions import Scores

CROPS = 80  # in one forward pass: enough for a GPU, and a laptop still has the memory

Item = TypeVar("Item")


def center(net: ConvNet, source: Photos, rank: int = 0, processes: int = 1) -> Scores:
    """The scores of the centre crop of each test image of this rank."""
    side, size = source.input.test_side or 0, source.input.size
    return _of_crops(
        net, source, lambda image: centre_crop(image, side, size)[None], 1, rank, processes
    )


def ten_crop(net: ConvNet, source: Photos, rank: int = 0, processes: int = 1) -> Scores:
    """The mean scores of the ten crops of each test image of this rank."""
    side, size = source.input.test_side or 0, source.input.size
    return _of_crops(net, source, lambda image: ten_crops(image, side, size), 10, rank, processes)


def softmax(scores: Tensor) -> Tensor:
    """Over classes, which are the second dimension."""
    return torch.softmax(scores.float(), 1)


@contextmanager
def evaluating(net: ConvNet) -> Iterator[None]:
    """Within it the net is tested: running statistics, no gradients; afterwards it trains on as it did."""
    training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        net.train(training)


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def gather_scores(parts: list[tuple[list[int], list[int], Tensor]], classes: int) -> Scores:
    """Places, labels and scores of all parts as one; a rank may have no images at all."""
    places = np.array([place for part, _, _ in parts for place in part], dtype=np.int64)
    labels = np.array([label for _, part, _ in parts for label in part], dtype=np.int64)
    scores = torch.cat([part.cpu() for _, _, part in parts]) if parts else torch.zeros(0, classes)
    return Scores(places, labels, scores.numpy())


def _of_crops(
    net: ConvNet,
    source: Photos,
    view: Callable[[Image], Pixels],
    crops: int,
    rank: int,
    processes: int,
) -> Scores:
    """All crops of some images are one batch; each image gets the mean over its own."""
    parts, classes = [], net.classifier.out_features
    with evaluating(net):
        for chunk in chunks(source.test_views(view, rank, processes), CROPS // crops):
            places, labels, pixels = zip(*chunk, strict=True)
            scores = softmax(net(source.prepared(np.concatenate(pixels))))  # images·crops × classes
            parts.append(
                (list(places), list(labels), scores.view(len(chunk), crops, classes).mean(1))
            )
    return gather_scores(parts, classes)
