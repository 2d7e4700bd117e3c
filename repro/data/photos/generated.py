"""Generated photos: small JPEGs of many sizes, some grey, drawn by rule.

With them the whole way of a photo can be tried anywhere in seconds. Ten textures are the ten
classes; an image is its class's texture, moved, stretched, under noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image

from repro.data.photos.pack_writer import Photo
from repro.data.photos.transforms import Pixels
from repro.data.sampling import RandomDraws, random_bits

NAME = "generated-photos"
CLASSES, TRAIN, VAL = 10, 160, 40
SEED = 0
SIDES = (48, 97)  # each side of an image is one of these up to but not including the last
CELLS = 6  # a texture is so many cells wide and high
NOISE = 32
GREY = 16  # one image in so many


def draw() -> Iterator[Photo]:
    """Yield the set: equal pixels everywhere, and equal files with the same JPEG library."""
    textures = _bytes(0, CLASSES * CELLS * CELLS * 3).reshape(CLASSES, CELLS, CELLS, 3)
    for number in range(TRAIN + VAL):
        split: Literal["train", "val"] = "train" if number < TRAIN else "val"
        label = number % CLASSES
        name = f"texture-{label}"
        path = f"{split}/{name}/{number:03d}.JPEG"
        yield Photo(split, name, path, _jpeg(textures[label], number))


def _jpeg(texture: Pixels, number: int) -> bytes:
    drawn = random_bits(SEED, RandomDraws.LABELS, number, 4)
    width, height, down, right = (int(bits) for bits in drawn)
    sides = SIDES[1] - SIDES[0]
    size = (SIDES[0] + width % sides, SIDES[0] + height % sides)
    moved = Image.fromarray(np.roll(texture, (down % CELLS, right % CELLS), (0, 1)))
    smooth = np.asarray(moved.resize(size, Image.Resampling.BILINEAR)).astype(np.int64)
    noise = _bytes(number + 1, smooth.size).reshape(smooth.shape).astype(np.int64)
    noisy = smooth + noise * NOISE // 255 - NOISE // 2
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    if number % GREY == 0:
        image = image.convert("L")
    file = BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def _bytes(index: int, count: int) -> Pixels:
    return (random_bits(SEED, RandomDraws.PIXELS, index, count) >> np.uint64(56)).astype(np.uint8)
