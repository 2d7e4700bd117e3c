"""The generated set is the same everywhere, at once, and in balance."""

import time
from dataclasses import replace

import numpy as np
import pytest

from experiments.recipes import CIFAR10, CIFAR10_WARMUP, VARIANTS
from experiments.scales import SCALES
from repro.data import open_source
from repro.data.small import generated
from repro.data.small.image_arrays import content_hash
from repro.definition.net import plain, resnet
from repro.definition.run import Run
from repro.errors import UserError
from repro.storage.paths import Places


def test_its_bytes_are_known() -> None:
    assert (
        content_hash(generated.draw(8))
        == "bb06b894a7a01e39bfce703cae9043843241f0bdfa3cf637ffa818ae80d44039"
    )


@pytest.mark.parametrize("size", [4, 8, 32])
def test_it_is_drawn_at_any_size(size: int) -> None:
    assert generated.draw(size).train.shape == (generated.TRAIN, size, size, 3)


def test_at_the_size_of_scale_smoke_it_is_drawn_at_once() -> None:
    start = time.process_time()
    generated.draw(8)
    assert time.process_time() - start < 1


def test_every_class_is_as_frequent_as_another() -> None:
    arrays = generated.draw(8)
    assert np.bincount(arrays.train_labels).tolist() == [generated.TRAIN // 10] * 10
    assert np.bincount(arrays.test_labels).tolist() == [generated.TEST // 10] * 10


def test_scale_smoke_opens_it_without_a_file(here: Places) -> None:
    source = open_source(SCALES["smoke"](Run(plain(8), CIFAR10)).recipe, here.data)
    assert (source.name, source.origin, source.classes) == ("generated", "generated", 10)
    assert not here.data.exists()


def test_variants_have_a_smoke_scale_too() -> None:
    for variant in VARIANTS.values():
        for net in (plain(20), resnet(110)):
            recipe = SCALES["smoke"](variant(Run(net, CIFAR10_WARMUP))).recipe
            assert (recipe.dataset, recipe.batch) == ("generated", 32)
            assert recipe.iterations <= 360


def test_a_batch_larger_than_the_set_is_refused(here: Places) -> None:
    recipe = replace(SCALES["smoke"](Run(resnet(20), CIFAR10)).recipe, batch=2001)
    with pytest.raises(
        UserError,
        match=r"`recipe.batch` `2001` is more than the 2,000 training images of `generated`",
    ):
        open_source(recipe, here.data)
