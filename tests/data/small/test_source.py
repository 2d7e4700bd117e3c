"""What training and testing see: every batch, pixel by pixel, against an obvious slow loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.data.sampling import batch_indices
from repro.data.small.image_arrays import Arrays, content_hash
from repro.data.small.source import Images, as_source, augmentation
from repro.definition.recipe import Recipe
from repro.distributed import Share
from repro.errors import UserError
from tests.data.small.small_sets import recipe, tiny

ARRAYS = tiny()


def source(wanted: Recipe | None = None) -> Images:
    return as_source(ARRAYS, wanted or recipe(), content_hash(ARRAYS), "imported")


def slow(iteration: int, seed: int = 3, batch: int = 4, border: int = 2) -> np.ndarray:
    """Return the paper's batch: subtract the mean image, pad with zeros, crop, flip."""
    order = next(batch_indices(seed, 12, batch, iteration, iteration + 1))
    mean, images = (ARRAYS.train / 255).mean(axis=0), []
    for image, down, right, flipped in zip(
        order, *augmentation(seed, iteration, batch, border, True), strict=True
    ):
        padded = np.pad(
            ARRAYS.train[image] / 255 - mean, ((border, border), (border, border), (0, 0))
        )
        crop = padded[down : down + 8, right : right + 8]
        images.append((crop[:, ::-1] if flipped else crop).transpose(2, 0, 1))
    return np.stack(images)


@pytest.mark.parametrize("iteration", range(8))
def test_a_batch_is_what_the_obvious_loop_makes(iteration: int) -> None:
    images, _ = next(source().batches(3, iteration, iteration + 1))
    np.testing.assert_allclose(images.numpy(), slow(iteration), atol=1e-6)


def test_labels_go_with_their_images() -> None:
    for order, (_, labels) in zip(
        batch_indices(0, 12, 4, 0, 6), source().batches(0, 0, 6), strict=True
    ):
        assert labels.tolist() == ARRAYS.train_labels[order].tolist()


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 3))
def test_a_batch_is_a_function_of_seed_and_iteration(seed: int, start: int, more: int) -> None:
    resumed, unbroken = (
        source().batches(seed, start, start + more),
        list(source().batches(seed, 0, start + more)),
    )
    for (images, labels), (same_images, same_labels) in zip(resumed, unbroken[start:], strict=True):
        assert torch.equal(images, same_images)
        assert torch.equal(labels, same_labels)


def test_an_epoch_has_each_image_once() -> None:
    plain = source(recipe(pad=None, flip=False))
    seen = torch.cat([images for images, _ in plain.batches(0, 0, 3)])
    every = torch.cat([images for images, _ in plain.train_clean()])
    assert sorted(seen.flatten(1).tolist()) == sorted(every.flatten(1).tolist())


@given(st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_the_slices_of_all_processes_are_the_batch(processes: int) -> None:
    whole, _ = next(source(recipe(batch=7)).batches(1, 5, 6))
    slices = [
        next(source(recipe(batch=7)).batches(1, 5, 6, Share(rank, processes)))[0]
        for rank in range(processes)
    ]
    assert torch.equal(torch.cat(slices), whole)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_test_image_is_seen_once_over_all_processes(processes: int) -> None:
    seen = [
        labels
        for rank in range(processes)
        for _, labels in source().test(2, Share(rank, processes))
    ]
    assert torch.cat(seen).tolist() == ARRAYS.test_labels.tolist()


def test_the_testing_view_is_the_plain_image_without_the_training_mean() -> None:
    images = torch.cat([images for images, _ in source().test(2)])
    expected = (ARRAYS.test / 255 - (ARRAYS.train / 255).mean(axis=0)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-6)


def test_the_clean_training_images_average_to_zero() -> None:
    images = torch.cat([images for images, _ in source().train_clean(5)])
    assert images.mean(0).abs().max() < 1e-6


def test_padding_is_exactly_zero() -> None:
    for iteration in range(20):
        images, _ = next(source(recipe(batch=12)).batches(0, iteration, iteration + 1))
        down, right, flipped = augmentation(0, iteration, 12, 2, True)
        for image, rows, columns, turned in zip(images, down, right, flipped, strict=True):
            if rows == 4:  # the crop's last two rows lie in the padding
                assert not image[:, -2:].any()
            if columns == 0:
                assert not (image[:, :, -2:] if turned else image[:, :, :2]).any()


def test_crops_and_flips_take_every_value_about_equally() -> None:
    down, right, flipped = augmentation(0, 0, 9_000, 4, True)
    for offsets in (down, right):
        assert all(850 < count < 1150 for count in np.bincount(offsets, minlength=9))
    assert 4_300 < flipped.sum() < 4_700


def test_a_recipe_without_flip_and_pad_sees_images_as_they_are() -> None:
    assert not np.any(augmentation(0, 0, 100, 0, False))


def test_images_come_as_floats_with_channels_last() -> None:
    for batches in (source().batches(0, 0, 1), source().test(), source().train_clean(3)):
        images, labels = next(batches)
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_channel_mean_and_std_leave_each_channel_standardised() -> None:
    images = torch.cat(
        [images for images, _ in source(recipe(mean="channel", std="channel")).train_clean()]
    )
    np.testing.assert_allclose(images.mean((0, 2, 3)), np.zeros(3), atol=1e-6)
    np.testing.assert_allclose(images.std((0, 2, 3), correction=0), np.ones(3), atol=1e-6)


def test_the_45k_split_holds_out_a_tenth_of_training_and_keeps_the_test_set() -> None:
    arrays = tiny(train=100)
    split = as_source(arrays, recipe(split="45k/5k"), content_hash(arrays), "imported")
    assert (split.train_images, split.test_images) == (90, 5)
    again = as_source(arrays, recipe(split="45k/5k"), content_hash(arrays), "imported")
    assert torch.equal(split.pixels, again.pixels)


def test_the_mean_of_the_45k_split_is_of_the_45k() -> None:
    arrays = tiny(train=100)
    split = as_source(arrays, recipe(split="45k/5k"), content_hash(arrays), "imported")
    assert torch.cat([images for images, _ in split.train_clean()]).mean(0).abs().max() < 1e-6


def test_a_wrong_size_of_input_is_an_error_that_gives_the_right_one() -> None:
    with pytest.raises(
        UserError, match=r"`recipe.input.size` is `32`, but the images of `tiny` are 8×8"
    ) as error:
        source(recipe(size=32))
    assert error.value.hint == "set `recipe.input.size` to 8"


def test_the_hash_is_of_pixels_and_labels() -> None:
    pixels = np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3)
    small = Arrays(pixels, np.array([0, 1]), pixels[:1], np.array([1]), ("cat", "dog"))
    assert content_hash(small) == "d179a38b4cda7055114585bf87423aaf27d5bda5fc368bd6eedcf6586399b030"
    assert len({content_hash(tiny(seed=seed)) for seed in range(3)}) == 3
    other = tiny()
    other.test_labels[0] = 1
    assert content_hash(other) != content_hash(ARRAYS)
