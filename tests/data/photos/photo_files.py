"""Small real image files, written by Pillow."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.recipes import IMAGENET
from repro.definition.recipe import Input, Recipe

INPUT = Input(
    size=32,
    mean="channel",
    shorter_side=(36, 68),
    colour=0.1,
    test_side=36,
    test_sides=(32, 36, 54),
)


def recipe(dataset: str = "imagenet", **changes: object) -> Recipe:
    small = {"input": INPUT, "batch": 6, "iterations": 10, "drops": (5,), "batch_norm_group": None}
    return replace(IMAGENET, dataset=dataset, **(small | changes))


def pixels(seed: int, width: int = 60, height: int = 48) -> np.ndarray:
    """A smooth image, which JPEG keeps nearly as it is."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def photo(
    seed: int, mode: str = "RGB", form: str = "JPEG", size: tuple[int, int] = (60, 48)
) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels(seed, *size)).convert(mode).save(file, form, quality=95)
    return file.getvalue()


def folders(root: Path, train: int = 4, val: int = 2, classes: int = 3) -> Path:
    """train/<class>/*.JPEG and val/<class>/*.JPEG, images of many sizes."""
    for split, count in (("train", train), ("val", val)):
        for label in range(classes):
            place = root / split / f"n0{label}"
            place.mkdir(parents=True)
            for number in range(count):
                seed = 100 * label + number + (50 if split == "val" else 0)
                (place / f"{number}.JPEG").write_bytes(
                    photo(seed, size=(40 + 7 * number, 56 - 3 * label))
                )
    return root
