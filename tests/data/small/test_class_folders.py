"""Class folders become arrays in one order, whatever order their files come in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.data.small.class_folders import read_class_folders
from repro.data.small.image_arrays import content_hash
from repro.errors import UserError
from tests.data.small.small_sets import picture, pictures, tar, unpacked, zipped


def refused(tmp_path: Path, files: dict[str, bytes]) -> str:
    with pytest.raises(UserError) as error:
        read_class_folders(tar(tmp_path / "set.tar", files))
    return f"{error.value.problem} ({error.value.hint})"


def test_classes_and_images_are_numbered_by_their_sorted_names(tmp_path: Path) -> None:
    arrays = read_class_folders(tar(tmp_path / "set.tar", pictures()))
    assert arrays.classes == ("cat", "dog")
    assert arrays.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert arrays.train[:, 0, 0].tolist() == [[n, 1, dog] for dog in (0, 1) for n in (0, 1, 2)]
    assert (arrays.test.shape, arrays.test_labels.tolist()) == ((2, 4, 4, 3), [0, 1])


def test_order_container_and_folders_above_do_not_matter(tmp_path: Path) -> None:
    files, backwards = pictures(), dict(reversed(pictures().items()))
    above = {f"cifar/images/{name}": content for name, content in files.items()}
    packed = (
        tar(tmp_path / "a.tar.gz", backwards),
        zipped(tmp_path / "b.zip", above),
        unpacked(tmp_path / "c", files),
    )
    assert len({content_hash(read_class_folders(path)) for path in packed}) == 1


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    others = {
        "README": b"hello",
        "train/cat/Thumbs.db": b"",
        "train/cat/._0.png": b"",
        "val/cat/0.png": b"",
    }
    assert len(read_class_folders(tar(tmp_path / "set.tar", pictures() | others)).train) == 6


def test_grey_images_get_three_equal_channels(tmp_path: Path) -> None:
    grey = {"train/cat/0.png": picture(77, mode="L")}
    assert np.all(read_class_folders(tar(tmp_path / "set.tar", pictures() | grey)).train[0] == 77)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_corrupt_image_is_named(tmp_path: Path, form: str) -> None:
    whole = picture(side=4, form=form)
    for content in (whole[: len(whole) // 2], b"", b"not an image at all"):
        said = refused(tmp_path, pictures() | {"train/cat/1.png": content})
        assert said.startswith("`train/cat/1.png` is not a whole image")
        assert "<" not in said  # what Pillow calls an object in memory
        assert said.endswith("(copy it again, or remove it)")


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, pictures() | {"test/dog/9.png": picture(side=5)})
    assert (
        said == "`test/dog/9.png` is 5×5, but the images before it are 4×4 "
        "(the images of a set are all of one size)"
    )


def test_a_large_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    said = refused(tmp_path, {"train/cat/0.png": picture(side=1000)})
    assert (
        said == "`train/cat/0.png` is 1000×1000 (images are square, with at most 128 pixels a side)"
    )


def test_a_set_without_test_images_is_refused(tmp_path: Path) -> None:
    files = {name: content for name, content in pictures().items() if name.startswith("train")}
    assert "has no image in `test/<class>/`" in refused(tmp_path, files)


def test_training_and_testing_have_the_same_classes(tmp_path: Path) -> None:
    assert "has class `emu` in only one of `train` and `test`" in refused(
        tmp_path, pictures() | {"test/emu/0.png": picture()}
    )


def test_one_class_is_too_few(tmp_path: Path) -> None:
    files = {name: content for name, content in pictures().items() if "cat" in name}
    assert "has one class, `cat`" in refused(tmp_path, files)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    twice = pictures() | {"again/train/cat/0.png": picture()}
    assert "there are two images `again/train/cat/0.png` (keep one of them)" in refused(
        tmp_path, twice
    )
