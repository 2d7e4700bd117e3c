"""A tiny data set, and archives of it."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.recipes import CIFAR10
from repro.data.small.image_arrays import Arrays
from repro.definition.recipe import Recipe


def tiny(train: int = 12, test: int = 5, size: int = 8, seed: int = 0) -> Arrays:
    """Random images of two classes."""
    draws = np.random.default_rng(seed)
    images = [
        draws.integers(0, 256, (count, size, size, 3), dtype=np.uint8) for count in (train, test)
    ]
    labels = [np.arange(count) % 2 for count in (train, test)]
    return Arrays(images[0], labels[0], images[1], labels[1], ("cat", "dog"))


def recipe(
    batch: int = 4, size: int = 8, pad: int | None = 2, dataset: str = "tiny", **changes: object
) -> Recipe:
    seen = {key: changes.pop(key) for key in ("flip", "mean", "std") if key in changes}
    return replace(
        CIFAR10,
        dataset=dataset,
        batch=batch,
        input=replace(CIFAR10.input, size=size, pad=pad, **seen),
        **changes,
    )


def picture(
    colour: object = (255, 0, 0), side: int = 4, mode: str = "RGB", form: str = "PNG"
) -> bytes:
    """An image file of one colour."""
    content = io.BytesIO()
    Image.new(mode, (side, side), colour).save(content, form)
    return content.getvalue()


def pictures() -> dict[str, bytes]:
    """Two classes, three training images and a test image each."""
    return {
        f"{part}/{label}/{number}.png": picture((number, part == "train", label == "dog"))
        for part, count in (("train", 3), ("test", 1))
        for label in ("dog", "cat")
        for number in range(count)
    }


def tar(path: Path, files: dict[str, bytes], *others: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for other in others:
            archive.addfile(other)
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unpacked(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path
