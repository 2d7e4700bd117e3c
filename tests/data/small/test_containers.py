"""The same images are the same set, whatever container they come in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro.data import registry
from repro.data.registry import import_set
from repro.data.small.containers import ACCEPTED, read_images
from repro.data.small.image_arrays import content_hash
from repro.data.small.official_cifar10 import describe, records
from repro.data.small.parquet import LAYOUT
from repro.errors import EnvironmentProblem, UserError
from tests.data.small.small_cifar import (
    binary_version,
    cifar,
    class_folders,
    npz_version,
    parquet_version,
    png,
    python_version,
    shuffled,
)
from tests.data.small.small_sets import tar, unpacked, zipped

OFFICIAL = cifar()
OTHERWISE = shuffled(OFFICIAL, seed=7)  # the same images in another order
PLANES = {
    split: records(getattr(OTHERWISE, split), getattr(OTHERWISE, f"{split}_labels"))[:, 1:]
    for split in ("train", "test")
}


def renamed_npz(path: Path) -> Path:
    names = {"train_images": OTHERWISE.train, "train_labels": OTHERWISE.train_labels}
    names |= {"test_images": OTHERWISE.test, "test_labels": OTHERWISE.test_labels}
    np.savez(path, **names)
    return path


def zip_of_folders(path: Path) -> Path:
    folder = class_folders(path.parent / "unzipped", OTHERWISE)
    return zipped(
        path,
        {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.png")},
    )


def linked_parquet(path: Path) -> Path:
    """Parquet files as the cache of downloads has them: links to files with other names."""
    parquet_version(path.parent / "blobs", OTHERWISE)
    path.mkdir()
    for number, file in enumerate(sorted((path.parent / "blobs").iterdir())):
        (path / file.name).symlink_to(file.rename(path.parent / f"{number}"))
    return path


CONTAINERS: dict[str, Callable[[Path], Path]] = {
    "binary": lambda path: binary_version(path, OTHERWISE),
    "python": lambda path: python_version(path, OTHERWISE),
    "class folders": lambda path: class_folders(path, OTHERWISE),
    "class folders of digits": lambda path: class_folders(path, OTHERWISE, tuple("0123456789")),
    "class folders in a zip": lambda path: zip_of_folders(path.with_suffix(".zip")),
    "parquet": lambda path: parquet_version(path, OTHERWISE),
    "parquet, img": lambda path: parquet_version(path, OTHERWISE, ("img", "labels")),
    "parquet in folders": lambda path: parquet_version(
        path, OTHERWISE, name="plain_text/{}/0000.parquet"
    ),
    "parquet, linked": linked_parquet,
    "npz": lambda path: npz_version(path.with_suffix(".npz"), OTHERWISE),
    "npz, other names": lambda path: renamed_npz(path.with_suffix(".npz")),
    "npz of planes": lambda path: npz_version(
        path.with_suffix(".npz"), OTHERWISE, x_train=PLANES["train"], x_test=PLANES["test"]
    ),
    "npz, colours first": lambda path: npz_version(
        path.with_suffix(".npz"), OTHERWISE, x_train=OTHERWISE.train.transpose(0, 3, 1, 2)
    ),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_official_images_are_one_set_whatever_the_container(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "official_cifar10", lambda: describe(OFFICIAL))
    imported = import_set("cifar10", CONTAINERS[container](tmp_path / "set"), tmp_path / "data")
    assert (imported.origin, imported.difference) == ("official pixels", "")
    assert imported.hash == content_hash(OFFICIAL)


def test_copies_in_jpeg_are_imported_and_said_to_be_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "official_cifar10", lambda: describe(OFFICIAL))
    imported = import_set(
        "cifar10", class_folders(tmp_path / "set", OFFICIAL, form="JPEG"), tmp_path / "data"
    )
    assert imported.origin == "imported"
    assert imported.difference.startswith(
        "0 of 70 images are official; the first that is not: train image 0 (`airplane`"
    )
    assert imported.difference.endswith(
        "whose pixels are no official image's; are they copies in JPEG?"
    )


def test_another_name_says_nothing_of_cifar10(tmp_path: Path) -> None:
    imported = import_set("pets", binary_version(tmp_path / "set", OFFICIAL), tmp_path / "data")
    assert (imported.origin, imported.difference) == ("imported", "")


FILES = {
    "cifar-100-python/train": "CIFAR-100",
    "cifar-100-binary/train.bin": "CIFAR-100",
    "cifar-10-batches-mat/data_batch_1.mat": "a MATLAB version",
    "train/data-00000-of-00001.arrow": "a data set as Hugging Face's `save_to_disk` writes it",
    "cifar-10-python.tar.gz": "an archive in a folder (name the archive itself)",
    "cifar10.npz": "an .npz file in a folder (name the file itself)",
    "notes.txt": "has no images: its first file is `notes.txt`",
}


@pytest.mark.parametrize("name", FILES)
def test_a_folder_of_something_else_says_what_it_is(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_images(unpacked(tmp_path / "set", {name: b"?"}))
    assert FILES[name] in error.value.problem
    assert error.value.hint == ACCEPTED


@pytest.mark.parametrize("archived", [tar, zipped])
def test_an_archive_of_something_else_says_what_it_is(
    archived: Callable[..., Path], tmp_path: Path
) -> None:
    files = {f"cifar/{name}": b"?" for name in ("train", "test", "meta")}
    with pytest.raises(UserError, match="is CIFAR-100, which is another data set"):
        read_images(archived(tmp_path / f"set.{archived.__name__[:3]}", files))


@pytest.mark.parametrize(
    ("name", "problem", "hint"),
    [
        ("x.mat", "is a MATLAB version", ACCEPTED),
        ("x.pkl", "is a pickle, which might run code", ACCEPTED),
        ("x.npy", "is a single array", ACCEPTED),
        ("x.h5", "is an HDF5 file", ACCEPTED),
        (
            "train-00000-of-00001.parquet",
            "is one Parquet file, and a set has a `train` and a `test` split",
            LAYOUT,
        ),
        (
            "data_batch_1",
            "is one batch of CIFAR-10, which has six",
            "name the folder that has all of them",
        ),
        (
            "data_batch_1.bin",
            "is one batch of CIFAR-10, which has six",
            "name the folder that has all of them",
        ),
        ("x.npz", "cannot read", "an .npz file has `x_train`"),
    ],
)
def test_a_file_of_something_else_says_what_it_is(
    name: str, problem: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"PK and nothing else")
    with pytest.raises(UserError) as error:
        read_images(tmp_path / name)
    assert problem in error.value.problem
    assert error.value.hint.startswith(hint)


NPZ = {
    "other keys": (
        {"x_train": None, "x_tune": OFFICIAL.train},
        "has `y_train, x_test, y_test, x_tune`, not `x_train`",
    ),
    "floats": (
        {"x_train": OFFICIAL.train / 255},
        "`x_train` of .* is float64, not bytes from 0 to 255",
    ),
    "grey": (
        {"x_test": OFFICIAL.test[..., 0]},
        "`x_test` of .* is 20×32×32: no square images in three colours",
    ),
    "one-hot labels": (
        {"y_test": np.eye(20, dtype=int)},
        "`y_test` of .* is int64 of 20×20, not one number an image",
    ),
    "a label too few": (
        {"y_test": OFFICIAL.test_labels[:-1]},
        "has 20 images and 19 labels in `test`",
    ),
    "a label below zero": (
        {"y_test": OFFICIAL.test_labels - 1},
        "has labels from -1 to 8 in `test`",
    ),
    "two sizes": ({"x_test": OFFICIAL.test[:, :8, :8]}, "has images of 32 and 8 pixels a side"),
    "a pickled array": (
        {"x_test": np.array([{"not": "pixels"}], dtype=object)},
        "allow_pickle=False",
    ),
}


@pytest.mark.parametrize("case", NPZ)
def test_an_npz_file_of_something_else_says_what_it_has(case: str, tmp_path: Path) -> None:
    changes, problem = NPZ[case]
    whole = npz_version(tmp_path / "whole.npz", OFFICIAL)
    with np.load(whole) as arrays:
        kept = {name: arrays[name] for name in arrays.files} | changes
    np.savez(
        tmp_path / "set.npz", **{name: array for name, array in kept.items() if array is not None}
    )
    with pytest.raises(UserError, match=problem):
        read_images(tmp_path / "set.npz")


def table(folder: Path, split: str = "train", **columns: object) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"{split}.parquet")


IMAGES = [{"bytes": png(image), "path": None} for image in OFFICIAL.test[:2]]
PARQUET: dict[str, tuple[Callable[[Path], object], str]] = {
    "no test split": (
        lambda folder: table(folder, image=IMAGES, label=[0, 1]),
        r"has no test-\*.parquet",
    ),
    "no split": (
        lambda folder: table(folder, "data", image=IMAGES, label=[0, 1]),
        "is of neither the split",
    ),
    "other columns": (
        lambda folder: [
            table(folder, split, photo=IMAGES, label=[0, 1]) for split in ("train", "test")
        ],
        "has the columns `photo, label`, and none of them is `image`",
    ),
    "no bytes": (
        lambda folder: [
            table(folder, split, image=["0.png"], label=[0]) for split in ("train", "test")
        ],
        "`train.parquet, row 0` has no bytes of an image",
    ),
    "no label": (
        lambda folder: [
            table(folder, split, image=IMAGES, label=[0, None]) for split in ("train", "test")
        ],
        "`train.parquet, row 1` has no label",
    ),
    "no image": (
        lambda folder: [
            table(folder, split, image=[{"bytes": b"?"}], label=[0]) for split in ("train", "test")
        ],
        "`train.parquet, row 0` is not a whole image",
    ),
    "no rows": (
        lambda folder: [
            table(folder, split, image=IMAGES[:0], label=[]) for split in ("train", "test")
        ],
        "has no rows",
    ),
}


@pytest.mark.parametrize("case", PARQUET)
def test_parquet_files_of_something_else_say_what_is_wrong(case: str, tmp_path: Path) -> None:
    write, problem = PARQUET[case]
    write(tmp_path / "set")
    with pytest.raises(UserError, match=problem):
        read_images(tmp_path / "set")


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    path = parquet_version(tmp_path / "set", OFFICIAL) / "train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        EnvironmentProblem, match=r"cannot read `.*train-00000-of-00001.parquet` as Parquet: "
    ) as error:
        read_images(tmp_path / "set")
    assert error.value.hint == "copy or download it again, and compare sizes"
