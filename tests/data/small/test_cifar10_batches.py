"""CIFAR-10's own batches are read in their order; a bad one is named."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repro.data.small.containers import read_images
from repro.data.small.image_arrays import content_hash
from repro.errors import UserError
from tests.data.small.small_cifar import binary_version, cifar, python_version
from tests.data.small.small_sets import tar


def test_the_binary_version_is_read_in_its_order_from_a_folder_and_an_archive(
    tmp_path: Path,
) -> None:
    arrays = cifar()
    folder = binary_version(tmp_path / "cifar-10-batches-bin", arrays)
    files = {f"cifar-10-batches-bin/{path.name}": path.read_bytes() for path in folder.iterdir()}
    for path in (folder, tmp_path, tar(tmp_path / "cifar-10-binary.tar.gz", files)):
        assert content_hash(read_images(path)) == content_hash(arrays)


def test_a_record_is_a_label_and_then_a_red_a_green_and_a_blue_plane(tmp_path: Path) -> None:
    arrays = cifar()
    batch = (binary_version(tmp_path / "bin", arrays) / "test_batch.bin").read_bytes()
    assert batch[0] == arrays.test_labels[0]
    assert batch[1 : 1 + 1024] == arrays.test[0, :, :, 0].tobytes()
    assert batch[1 + 2048 : 3073] == arrays.test[0, :, :, 2].tobytes()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda path: path.unlink(), "has no `data_batch_3`"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            "has 30,729 bytes, which is no whole number of records",
        ),
        (lambda path: path.write_bytes(b""), "has 0 bytes, which is no whole number of records"),
        (
            lambda path: path.write_bytes(b"\x0a" + path.read_bytes()[1:]),
            "has the label 10, and CIFAR-10 has 0 to 9",
        ),
    ],
    ids=["missing", "cut", "empty", "another label"],
)
def test_a_damaged_batch_is_named(
    tmp_path: Path, damage: Callable[[Path], object], problem: str
) -> None:
    folder = binary_version(tmp_path / "bin", cifar())
    damage(folder / "data_batch_3.bin")
    with pytest.raises(UserError, match=problem) as error:
        read_images(folder)
    assert "`data_batch_3" in error.value.problem


@pytest.mark.parametrize("protocol", [3, 4])
def test_the_python_version_is_read_in_its_order_from_a_folder_and_an_archive(
    tmp_path: Path, protocol: int
) -> None:
    arrays = replace(cifar(), classes=tuple(f"class {number}" for number in range(10)))
    folder = python_version(tmp_path / "cifar-10-batches-py", arrays, protocol)
    files = {f"cifar-10-batches-py/{path.name}": path.read_bytes() for path in folder.iterdir()}
    for path in (folder, tmp_path, tar(tmp_path / "cifar-10-python.tar.gz", files)):
        read = read_images(path)
        assert content_hash(read) == content_hash(arrays)
        assert read.classes[9] == "class 9"
        assert read.train.flags.c_contiguous


def test_an_archive_beside_the_batches_does_not_matter(tmp_path: Path) -> None:
    python_version(tmp_path / "cifar-10-batches-py", cifar())
    with (tmp_path / "cifar-10-python.tar.gz").open("wb") as file:
        file.truncate(170_498_071)
    assert content_hash(read_images(tmp_path)) == content_hash(cifar())


@pytest.mark.parametrize(
    ("batch", "problem"),
    [
        (
            {"data": np.zeros((2, 3072), np.uint8), "fine_labels": [0, 1]},
            "has `data, fine_labels`, not `data` and",
        ),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "has 2×3072 bytes for 1 labels"),
        (
            {"data": np.zeros((2, 1024), np.uint8), "labels": [0, 1]},
            "has 2×1024 bytes for 2 labels",
        ),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}, "has the label 10"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [1.5]}, "has a label that is no class"),
    ],
)
def test_a_python_batch_that_is_none_is_named(
    tmp_path: Path, batch: dict[str, object], problem: str
) -> None:
    folder = python_version(tmp_path / "py", cifar())
    (folder / "data_batch_3").write_bytes(pickle.dumps(batch, protocol=3))
    with pytest.raises(UserError, match=problem) as error:
        read_images(folder)
    assert error.value.problem.startswith("`data_batch_3`")


def test_a_folder_with_two_copies_of_a_batch_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        binary_version(tmp_path / name, cifar())
    with pytest.raises(UserError, match=r"has `data_batch_1.bin` twice"):
        read_images(tmp_path)
