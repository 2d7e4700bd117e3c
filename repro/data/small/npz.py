"""Small images in an .npz file, under the usual names of its four arrays. Nothing is unpickled."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.data.small.image_arrays import Arrays, Labels, Pixels, checked_arrays
from repro.errors import UserError, quote

PIXEL_WORDS = ("x", "images", "image", "data", "pixels")
LABEL_WORDS = ("y", "labels", "label", "targets")
CIFAR_PLANES = 3072  # numbers in an image of 3×32×32
LARGEST = 1 << 30  # bytes of all arrays; CIFAR-10 has 184 million

KEYS = (
    "an .npz file has `x_train`, `y_train`, `x_test` and `y_test`, "
    "images as bytes: N×32×32×3, N×3×32×32 or N×3072"
)


def read_npz(path: Path) -> Arrays:
    """Return the images and labels of an .npz file, in their own order."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise UserError(f"{quote(path, 300)} holds {size:,} bytes, more than {LARGEST:,}", KEYS)
        with np.load(path, allow_pickle=False) as arrays:
            return _arranged(path, {name: arrays[name] for name in arrays.files})
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {quote(path, 300)}: {str(error)[:120]}", KEYS) from None


def _arranged(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    train = _images(path, *_named(path, arrays, "train", PIXEL_WORDS))
    train_labels = _labels(path, *_named(path, arrays, "train", LABEL_WORDS))
    test = _images(path, *_named(path, arrays, "test", PIXEL_WORDS))
    test_labels = _labels(path, *_named(path, arrays, "test", LABEL_WORDS))
    return checked_arrays(path, train, train_labels, test, test_labels)


def _named(
    path: Path, arrays: Mapping[str, NDArray[Any]], split: str, words: tuple[str, ...]
) -> tuple[str, NDArray[Any]]:
    """Return the array with the split and one of these words in its name: x_train, train_images."""
    for name, array in arrays.items():
        letters = re.sub("[^a-z]", "", name.lower())
        if split in letters and letters.replace(split, "", 1) in words:
            return name, array
    names = quote(", ".join(arrays) or "no array")
    raise UserError(f"{quote(path, 300)} has {names}, not `{words[0]}_{split}`", KEYS)


def _images(path: Path, name: str, array: NDArray[Any]) -> Pixels:
    """Return images × height × width × 3."""
    if array.dtype != np.uint8:
        problem = f"is {array.dtype}, not bytes from 0 to 255"
        raise UserError(f"{quote(name)} of {quote(path, 300)} {problem}", KEYS)
    if array.ndim == 2 and array.shape[1] == CIFAR_PLANES:
        array = array.reshape(-1, 3, 32, 32)
    if array.ndim == 4 and array.shape[1] == 3 and array.shape[3] != 3:
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] != 3 or array.shape[1] != array.shape[2]:
        shape = "×".join(map(str, array.shape))
        problem = f"is {shape}: no square images in three colours"
        raise UserError(f"{quote(name)} of {quote(path, 300)} {problem}", KEYS)
    return np.ascontiguousarray(array)


def _labels(path: Path, name: str, array: NDArray[Any]) -> Labels:
    """Return one number an image."""
    if not np.issubdtype(array.dtype, np.integer) or array.size != len(array):
        shape = "×".join(map(str, array.shape))
        problem = f"is {array.dtype} of {shape}, not one number an image"
        raise UserError(f"{quote(name)} of {quote(path, 300)} {problem}", KEYS)
    return array.reshape(-1).astype(np.int64)
