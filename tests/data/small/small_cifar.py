"""A small set in the shape of CIFAR-10, and the containers it may come in."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from repro.data.small.image_arrays import Arrays
from repro.data.small.official_cifar10 import CLASSES, records

BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def cifar(train: int = 50, test: int = 20, seed: int = 0) -> Arrays:
    """Return random 32×32 images of ten classes, in an order that no sorting gives."""
    draws = np.random.default_rng(seed)
    pixels = [draws.integers(0, 256, (count, 32, 32, 3), np.uint8) for count in (train, test)]
    labels = [draws.permutation(np.arange(count) % 10) for count in (train, test)]
    return Arrays(pixels[0], labels[0], pixels[1], labels[1], CLASSES)


def rows_of_batches(arrays: Arrays) -> dict[str, NDArray[np.uint8]]:
    """Return the records of each batch by its name: five of training images, one of test images."""
    train = np.split(records(arrays.train, arrays.train_labels), 5)
    return dict(zip(BATCHES, [*train, records(arrays.test, arrays.test_labels)], strict=True))


def binary_version(folder: Path, arrays: Arrays) -> Path:
    """Write the set as the binary version is laid out."""
    folder.mkdir()
    for name, rows in rows_of_batches(arrays).items():
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(arrays.classes) + "\n")
    return folder


def python_version(folder: Path, arrays: Arrays, protocol: int = 3) -> Path:
    """Write the set as the python version is laid out."""
    folder.mkdir()
    for name, rows in rows_of_batches(arrays).items():
        batch = {
            "data": np.ascontiguousarray(rows[:, 1:]),
            "labels": rows[:, 0].tolist(),
            "batch_label": name,
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=protocol))
    (folder / "batches.meta").write_bytes(
        pickle.dumps({"label_names": list(arrays.classes)}, protocol=protocol)
    )
    return folder


def png(pixels: NDArray[np.uint8], form: str = "PNG") -> bytes:
    """Return an image as the bytes of a file."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, form)
    return content.getvalue()


def class_folders(
    folder: Path, arrays: Arrays, names: tuple[str, ...] = CLASSES, form: str = "PNG"
) -> Path:
    """Write the set as one image file each, in train/<class>/ and test/<class>/."""
    for split, pixels, labels in splits(arrays):
        for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            path = folder / split / names[label] / f"{number}.{form.lower()}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(image, form))
    return folder


def parquet_version(
    folder: Path,
    arrays: Arrays,
    columns: tuple[str, str] = ("image", "label"),
    name: str = "{}-00000-of-00001.parquet",
) -> Path:
    """Write the set as Hugging Face does."""
    for split, pixels, labels in splits(arrays):
        images = [
            {"bytes": png(image), "path": f"{number}.png"} for number, image in enumerate(pixels)
        ]
        path = folder / name.format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({columns[0]: images, columns[1]: labels}), path)
    return folder


def npz_version(path: Path, arrays: Arrays, **changes: NDArray[Any]) -> Path:
    """Write the set as Keras would hand it out."""
    usual = {
        "x_train": arrays.train,
        "y_train": arrays.train_labels[:, None],
        "x_test": arrays.test,
        "y_test": arrays.test_labels[:, None],
    }
    np.savez(path, **(usual | changes))
    return path


def splits(arrays: Arrays) -> tuple[tuple[str, NDArray[np.uint8], NDArray[np.int64]], ...]:
    """Return the name, the pixels and the labels of each split."""
    return ("train", arrays.train, arrays.train_labels), ("test", arrays.test, arrays.test_labels)


def shuffled(arrays: Arrays, seed: int) -> Arrays:
    """Return the same images in another order."""
    draws = np.random.default_rng(seed)
    train, test = draws.permutation(len(arrays.train)), draws.permutation(len(arrays.test))
    return replace(
        arrays,
        train=arrays.train[train],
        train_labels=arrays.train_labels[train],
        test=arrays.test[test],
        test_labels=arrays.test_labels[test],
    )
