"""The official images are known by their pixels and labels, in any order; nothing else is taken for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_cifar import binary_version, cifar

from repro.data import sets
from repro.data.arrays import Arrays, content_hash
from repro.data.official import TEST_SHA256, TRAIN_SHA256, describe, in_official_order, official_cifar10
from repro.data.sets import import_set, look

OFFICIAL = cifar()


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


def test_the_table_in_the_package_is_of_the_official_cifar10() -> None:
    official = official_cifar10()
    assert (official.train.sha256, official.test.sha256) == (TRAIN_SHA256, TEST_SHA256)
    assert len(np.unique(official.train.keys)) == 50_000
    assert len(np.unique(official.test.keys)) == 10_000
    assert official.classes[:2] == ("airplane", "automobile")


@pytest.mark.parametrize("seed", range(20))
def test_official_images_in_any_order_come_back_in_the_official_one(seed: int) -> None:
    ordered = in_official_order(replace(shuffled(OFFICIAL, seed), classes=tuple("0123456789")), describe(OFFICIAL))
    assert ordered is not None
    assert content_hash(ordered) == content_hash(OFFICIAL)
    assert ordered.classes == OFFICIAL.classes


def test_an_import_of_official_pixels_has_their_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "official_cifar10", lambda: describe(OFFICIAL))
    imported = import_set("cifar10", binary_version(tmp_path / "bin", OFFICIAL), tmp_path / "data")
    assert (imported.origin, imported.hash) == ("official pixels", content_hash(OFFICIAL))


def test_a_set_imported_before_its_pixels_were_known_gets_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = binary_version(tmp_path / "bin", OFFICIAL)
    assert import_set("cifar10", folder, tmp_path / "data").origin == "imported"
    monkeypatch.setattr(sets, "official_cifar10", lambda: describe(OFFICIAL))
    import_set("cifar10", folder, tmp_path / "data")
    assert look("cifar10", tmp_path / "data", whole=True).origin == "official pixels"
