"""Testing fully convolutionally on many scales: Table 4's "single-model" results.

Section 3.4: "we adopt the fully-convolutional form as in [41, 13], and average the scores at
multiple scales (images are resized such that the shorter side is in {224, 256, 384, 480, 640})".

This leaves some choices open. Here the net sees the whole image, at its own aspect ratio. The mean
over the 7×7 positions of the last map becomes a sliding 7×7 mean, so each window is scored like a
crop in training. Scores are softmax scores, as in ten-crop testing. They are averaged over the
positions, then over the image and its flip as in [41], then over the scales.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from repro.data.photos.source import Photos
from repro.data.photos.transforms import Pixels, resize_whole
from repro.distributed import ALONE, Share
from repro.evaluation.crops import chunks, evaluating, gather_scores, softmax
from repro.nets import ConvNet
from repro.storage.predictions import Scores

IMAGES = 32  # decoded at a time, among which some have the same shape
PIXELS = 8_000_000  # in one forward pass, image and flip


def multi_scale(net: ConvNet, source: Photos, share: Share = ALONE) -> Scores:
    """Return the mean scores of this share's test images over all of the recipe's `test_sides`."""
    sides = source.input.test_sides or ()
    classes = net.classifier.out_features
    parts = []

    def views(image: Image) -> list[Pixels]:
        return [resize_whole(image, side) for side in sides]

    with evaluating(net):
        window = window_of(net, source)
        for chunk in chunks(source.test_views(views, share), IMAGES):
            places, labels, images = zip(*chunk, strict=True)
            scores = torch.zeros(len(chunk), classes, device=source.device)
            for one_side in zip(*images, strict=True):
                for members in alike(one_side):
                    batch = source.prepared(np.stack([one_side[member] for member in members]))
                    scores[members] += dense_scores(net, batch, window)
            parts.append((list(places), list(labels), scores / len(sides)))
    return gather_scores(parts, classes)


def window_of(net: ConvNet, source: Photos) -> int:
    """Return the side of the last map when the net is given a crop: 7 for crops of 224."""
    size = source.input.size
    return net.features(torch.zeros(1, 3, size, size, device=source.device)).shape[-1]


def dense_scores(net: ConvNet, images: Tensor, window: int) -> Tensor:
    """Return the scores averaged over all positions of each image and its flip: N × classes."""
    maps = net.scores(torch.cat([images, images.flip(3)]), window)  # 2N × classes × h × w
    scores = softmax(maps).mean((2, 3))
    return scores.view(2, len(images), -1).mean(0)


def alike(images: Sequence[Pixels]) -> Iterator[list[int]]:
    """Yield the places of images of one shape, the smallest first, and not too many at a time."""
    places: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        places.setdefault(image.shape, []).append(place)
    for shape in sorted(places):
        height, width, _ = shape
        yield from chunks(places[shape], max(1, PIXELS // (2 * height * width)))
