"""Generated photos: small JPEGs of many sizes, some grey, drawn by rule; so that the whole way of a photo can be tried
anywhere in seconds. Ten textures are the ten classes; an image is its class's texture, moved, stretched, under noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image

from repro.data.photos.pack_writer import Photo
from repro.data.sampling import RandomDraws, random_bits

NAME = "generated-photos"
CLASSES, TRAIN, VAL = 10, 160, 40
SEED = 0
SIDES = (48, 97)  # each side of an image is one of these up to but not including the last
CELLS = 6  # a texture is so many cells wide and high
NOISE = 32
GREY = 16  # one image in so many


def draw() -> Iterator[Photo]:
    """The set: equal pixels each time and everywhere; equal files with the same JPEG library."""
    textures = _bytes(0, CLASSES * CELLS * CELLS * 3).reshape(CLASSES, CELLS, CELLS, 3)
    for number in range(TRAIN + VAL):
        split: Literal["train", "val"] = "train" if number < TRAIN else "val"
        label = number % CLASSES
        name = f"texture-{label}"
        yield Photo(
            split, name, f"{split}/{name}/{number:03d}.JPEG", _jpeg(textures[label], number)
        )


def _jpeg(texture: np.ndarray, number: int) -> bytes:
    width, height, down, right = (
        int(drawn) for drawn in random_bits(SEED, RandomDraws.LABELS, number, 4)
    )
    sides = SIDES[1] - SIDES[0]
    size = (SIDES[0] + width % sides, SIDES[0] + height % sides)
    moved = np.roll(texture, (down % CELLS, right % CELLS), (0, 1))
    smooth = np.asarray(Image.fromarray(moved).resize(size, Image.Resampling.BILINEAR)).astype(
        np.int64
    )
    noise = (
        _bytes(number + 1, smooth.size).reshape(smooth.shape).astype(np.int64) * NOISE // 255
        - NOISE // 2
    )
    image = Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))
    file = BytesIO()
    (image.convert("L") if number % GREY == 0 else image).save(file, "JPEG", quality=90)
    return file.getvalue()


def _bytes(index: int, count: int) -> np.ndarray:
    return (random_bits(SEED, RandomDraws.PIXELS, index, count) >> np.uint64(56)).astype(np.uint8)
