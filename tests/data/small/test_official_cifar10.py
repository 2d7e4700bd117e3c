"""The official images are known by their pixels and labels, in any order."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repro.data import registry
from repro.data.registry import dataset_info, import_set
from repro.data.small.containers import read_images
from repro.data.small.image_arrays import Arrays, content_hash
from repro.data.small.official_cifar10 import (
    TEST_SHA256,
    TRAIN_SHA256,
    describe,
    first_difference,
    in_official_order,
    official_cifar10,
)
from tests.data.small.small_cifar import binary_version, cifar, png, shuffled

OFFICIAL = cifar()


def test_the_table_in_the_package_is_of_the_official_cifar10() -> None:
    official = official_cifar10()
    assert (official.train.sha256, official.test.sha256) == (TRAIN_SHA256, TEST_SHA256)
    assert len(np.unique(official.train.keys)) == 50_000
    assert len(np.unique(official.test.keys)) == 10_000
    assert official.classes[:2] == ("airplane", "automobile")


@pytest.mark.parametrize("seed", range(20))
def test_official_images_in_any_order_come_back_in_the_official_one(seed: int) -> None:
    ordered = in_official_order(
        replace(shuffled(OFFICIAL, seed), classes=tuple("0123456789")), describe(OFFICIAL)
    )
    assert ordered is not None
    assert content_hash(ordered) == content_hash(OFFICIAL)
    assert ordered.classes == OFFICIAL.classes


def test_an_import_of_official_pixels_has_their_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "official_cifar10", lambda: describe(OFFICIAL))
    imported = import_set("cifar10", binary_version(tmp_path / "bin", OFFICIAL), tmp_path / "data")
    assert (imported.origin, imported.hash) == ("official pixels", content_hash(OFFICIAL))


def test_a_set_imported_before_its_pixels_were_known_gets_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = binary_version(tmp_path / "bin", OFFICIAL)
    assert import_set("cifar10", folder, tmp_path / "data").origin == "imported"
    monkeypatch.setattr(registry, "official_cifar10", lambda: describe(OFFICIAL))
    import_set("cifar10", folder, tmp_path / "data")
    assert dataset_info("cifar10", tmp_path / "data", whole=True).origin == "official pixels"


def copied(arrays: Arrays) -> Arrays:
    """Return arrays of their own memory, to be changed."""
    return replace(
        arrays,
        train=arrays.train.copy(),
        train_labels=arrays.train_labels.copy(),
        test=arrays.test.copy(),
        test_labels=arrays.test_labels.copy(),
    )


def in_jpeg(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(pixels, "JPEG"))))


def pixel(arrays: Arrays, draws: np.random.Generator) -> None:
    """Change one colour of one pixel, by one at least."""
    where = tuple(int(draws.integers(side)) for side in arrays.train.shape)
    arrays.train[where] ^= np.uint8(draws.integers(1, 256))


def pixel_of_a_test_image(arrays: Arrays, draws: np.random.Generator) -> None:
    where = tuple(int(draws.integers(side)) for side in arrays.test.shape)
    arrays.test[where] ^= np.uint8(1 << draws.integers(8))


def label(arrays: Arrays, draws: np.random.Generator) -> None:
    where = draws.integers(len(arrays.train_labels))
    arrays.train_labels[where] = (arrays.train_labels[where] + draws.integers(1, 10)) % 10


def swapped_labels(arrays: Arrays, draws: np.random.Generator) -> None:
    first = int(draws.integers(len(arrays.test_labels)))
    others = np.flatnonzero(arrays.test_labels != arrays.test_labels[first])
    second = int(draws.choice(others))
    arrays.test_labels[[first, second]] = arrays.test_labels[[second, first]]


def image_twice(arrays: Arrays, draws: np.random.Generator) -> None:
    first, second = draws.choice(len(arrays.train), 2, replace=False)
    arrays.train[first], arrays.train_labels[first] = (
        arrays.train[second],
        arrays.train_labels[second],
    )


def image_of_the_other_split(arrays: Arrays, draws: np.random.Generator) -> None:
    there, here = draws.integers(len(arrays.train)), draws.integers(len(arrays.test))
    arrays.train[there], arrays.train_labels[there] = arrays.test[here], arrays.test_labels[here]


def jpeg(arrays: Arrays, draws: np.random.Generator) -> None:
    where = draws.integers(len(arrays.train))
    arrays.train[where] = in_jpeg(arrays.train[where])


def mirrored(arrays: Arrays, draws: np.random.Generator) -> None:
    where = draws.integers(len(arrays.train))
    arrays.train[where] = arrays.train[where, :, ::-1]


def colours_exchanged(arrays: Arrays, draws: np.random.Generator) -> None:
    arrays.train[:] = arrays.train[..., ::-1]


FORGERIES = (
    *(pixel, pixel_of_a_test_image, label, swapped_labels, image_twice, image_of_the_other_split),
    *(jpeg, mirrored, colours_exchanged),
)


def test_none_of_10000_random_forgeries_is_official() -> None:
    genuine = cifar(train=10, test=6)
    official, draws = describe(genuine), np.random.default_rng(15)
    accepted = []
    for number in range(10_000):
        forged = copied(genuine)
        forge = FORGERIES[number % len(FORGERIES)]
        forge(forged, draws)
        if in_official_order(shuffled(forged, number), official) is not None:
            accepted.append(forge.__name__)
    assert accepted == []
    assert in_official_order(shuffled(copied(genuine), 1), official) is not None


def test_an_image_too_many_or_too_few_is_not_official() -> None:
    official = describe(OFFICIAL)
    fewer = replace(OFFICIAL, train=OFFICIAL.train[1:], train_labels=OFFICIAL.train_labels[1:])
    more = replace(
        OFFICIAL,
        test=np.concatenate([OFFICIAL.test, OFFICIAL.test[:1]]),
        test_labels=np.append(OFFICIAL.test_labels, OFFICIAL.test_labels[0]),
    )
    assert in_official_order(fewer, official) is None
    assert in_official_order(more, official) is None
    assert (
        first_difference(fewer, official)
        == "69 of 70 images are official, and the others are missing"
    )
    assert "test image 20" in first_difference(more, official)


def test_images_that_share_their_keys_with_official_ones_are_not_official() -> None:
    """The keys only order; the SHA-256 of all records decides."""
    forged = copied(OFFICIAL)
    forged.train[3, 0, 0, 0] ^= 1
    keys = describe(forged).train.keys
    official = replace(describe(OFFICIAL), train=replace(describe(OFFICIAL).train, keys=keys))
    assert in_official_order(forged, official) is None
    assert (
        first_difference(forged, official)
        == "its images look official, but the SHA-256 of them all is another"
    )


def test_labels_that_no_byte_holds_and_images_of_another_size_are_not_official() -> None:
    official = describe(OFFICIAL)
    large = replace(OFFICIAL, train_labels=OFFICIAL.train_labels + 256)
    small = replace(OFFICIAL, train=OFFICIAL.train[:, :8, :8], test=OFFICIAL.test[:, :8, :8])
    assert in_official_order(large, official) is None
    assert in_official_order(small, official) is None
    assert first_difference(small, official) == "its images are 8×8, in 10 classes"


def another_pixel(arrays: Arrays) -> None:
    arrays.train[[17, 30], 5, 5, 0] ^= 1


def another_label(arrays: Arrays) -> None:
    arrays.train_labels[17] = (arrays.train_labels[17] + 1) % 10


def the_same_again(arrays: Arrays) -> None:
    arrays.train[17], arrays.train_labels[17] = arrays.train[2], arrays.train_labels[2]


def of_the_other_split(arrays: Arrays) -> None:
    arrays.test[4], arrays.test_labels[4] = arrays.train[2], arrays.train_labels[2]


NAME = OFFICIAL.classes[OFFICIAL.train_labels[17]]
NEXT = OFFICIAL.classes[(OFFICIAL.train_labels[17] + 1) % 10]
TWIN = OFFICIAL.classes[OFFICIAL.train_labels[2]]


@pytest.mark.parametrize(
    ("change", "count", "first"),
    [
        (
            another_pixel,
            68,
            f"train image 17 (`{NAME}`, counted from 0), whose pixels are no official image's",
        ),
        (
            another_label,
            69,
            f"train image 17 (`{NEXT}`, counted from 0), which the official set calls `{NAME}`",
        ),
        (the_same_again, 69, f"train image 17 (`{TWIN}`, counted from 0), which is there twice"),
        (
            of_the_other_split,
            69,
            f"test image 4 (`{TWIN}`, counted from 0), which belongs to the other split",
        ),
    ],
)
def test_the_first_difference_is_named(
    change: Callable[[Arrays], None], count: int, first: str
) -> None:
    changed = copied(OFFICIAL)
    change(changed)
    words = first_difference(changed, describe(OFFICIAL))
    assert words == f"{count} of 70 images are official; the first that is not: {first}"


# The official images are not in the repository: name a folder of the binary version.
BINARY_VERSION = os.environ.get("REPRO_OFFICIAL_CIFAR10")


@pytest.mark.skipif(
    not BINARY_VERSION, reason="REPRO_OFFICIAL_CIFAR10 names no folder of the binary version"
)
def test_the_official_images_themselves_are_official_in_any_order_and_one_pixel_less_is_not() -> (
    None
):
    assert BINARY_VERSION
    arrays, official = read_images(Path(BINARY_VERSION)), official_cifar10()
    described = describe(arrays)
    assert (described.train.sha256, described.test.sha256) == (
        official.train.sha256,
        official.test.sha256,
    )
    assert np.array_equal(described.train.keys, official.train.keys)
    assert np.array_equal(described.test.keys, official.test.keys)
    ordered = in_official_order(shuffled(arrays, 1), official)
    assert ordered is not None
    assert content_hash(ordered) == content_hash(arrays)
    changed = copied(arrays)
    changed.test[9_999, 31, 31, 2] ^= 1
    assert in_official_order(changed, official) is None
    assert first_difference(changed, official).startswith(
        "59,999 of 60,000 images are official; the first that is not"
    )
