"""Testing by crops: the centre one, as in Figure 4, or the standard ten of Tables 2 and 3.

Ten crops are the corners and the centre of the image resized to a shorter side of 256, and their
flips. The authors' notes say that the scores averaged are softmax scores.
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
from repro.distributed import ALONE, Share
from repro.nets import ConvNet
from repro.storage.predictions import Scores

CROPS = 80  # in one forward pass: enough for a GPU, and a laptop still has the memory

Item = TypeVar("Item")


def center(net: ConvNet, source: Photos, share: Share = ALONE) -> Scores:
    """Return the scores of the centre crop of each test image of this share."""
    side, size = source.input.test_side or 0, source.input.size

    def view(image: Image) -> Pixels:
        return centre_crop(image, side, size)[None]

    return _of_crops(net, source, view, 1, share)


def ten_crop(net: ConvNet, source: Photos, share: Share = ALONE) -> Scores:
    """Return the mean scores of the ten crops of each test image of this share."""
    side, size = source.input.test_side or 0, source.input.size

    def view(image: Image) -> Pixels:
        return ten_crops(image, side, size)

    return _of_crops(net, source, view, 10, share)


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax over classes, which are the second dimension."""
    return torch.softmax(scores.float(), 1)


@contextmanager
def evaluating(net: ConvNet) -> Iterator[None]:
    """Test the net within: running statistics, no gradients. Afterwards it trains on as it did."""
    training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        net.train(training)


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of this size; the last one may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def gather_scores(parts: list[tuple[list[int], list[int], Tensor]], classes: int) -> Scores:
    """Return places, labels and scores of all parts as one; there may be no part at all."""
    places: list[int] = []
    labels: list[int] = []
    scores = [torch.zeros(0, classes)]
    for part_places, part_labels, part_scores in parts:
        places += part_places
        labels += part_labels
        scores.append(part_scores.cpu())
    return Scores(
        np.array(places, dtype=np.int64),
        np.array(labels, dtype=np.int64),
        torch.cat(scores).numpy(),
    )


def _of_crops(
    net: ConvNet, source: Photos, view: Callable[[Image], Pixels], crops: int, share: Share
) -> Scores:
    """Return the mean scores of each image's crops; the crops of some images are one batch."""
    parts = []
    classes = net.classifier.out_features
    with evaluating(net):
        for chunk in chunks(source.test_views(view, share), CROPS // crops):
            places, labels, pixels = zip(*chunk, strict=True)
            scores = softmax(net(source.prepared(np.concatenate(pixels))))  # images·crops × classes
            means = scores.view(len(chunk), crops, classes).mean(1)
            parts.append((list(places), list(labels), means))
    return gather_scores(parts, classes)
