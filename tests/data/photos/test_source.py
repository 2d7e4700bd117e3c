"""What the net is given of a photo: section 3.4's view, a function of (seed, iteration)."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import one_hot

from repro.data import open_source
from repro.data.photos import transforms
from repro.data.photos.imagenet import import_photos
from repro.data.photos.source import BUFFERS, Photos, open_photos
from repro.data.sampling import batch_indices
from repro.distributed import Share
from repro.errors import RunFailed, UserError
from tests.data.photos.photo_files import INPUT, folders, recipe


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    return open_photos(recipe(), tmp_path / "data")


def test_a_batch_is_as_training_wants_it(photos: Photos) -> None:
    images, labels = next(photos.batches(seed=0, start=0, stop=1))
    assert images.shape == (6, 3, 32, 32)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64


def test_any_iteration_can_be_had_alone(photos: Photos) -> None:
    all_at_once = list(photos.batches(seed=3, start=0, stop=5))
    images, labels = next(photos.batches(seed=3, start=4, stop=5))
    assert torch.equal(images, all_at_once[4][0])
    assert torch.equal(labels, all_at_once[4][1])


def test_processes_get_exact_slices(photos: Photos) -> None:
    whole = [batch[0] for batch in photos.batches(seed=1, start=2, stop=4)]
    parts = [[batch[0] for batch in photos.batches(1, 2, 4, Share(rank, 4))] for rank in range(4)]
    for iteration in range(2):
        assert torch.equal(torch.cat([part[iteration] for part in parts]), whole[iteration])


def test_another_seed_and_another_iteration_are_other_views(photos: Photos) -> None:
    first, second = (batch[0] for batch in photos.batches(seed=0, start=0, stop=2))
    other = next(photos.batches(seed=1, start=0, stop=1))[0]
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_two_batches_of_six_are_every_one_of_twelve_images_once(photos: Photos) -> None:
    labels = torch.cat([labels for _, labels in photos.batches(seed=0, start=0, stop=2)])
    assert one_hot(labels).sum(0).tolist() == [4, 4, 4]


def test_the_order_is_that_of_every_other_data_set(photos: Photos) -> None:
    order = np.concatenate(list(batch_indices(5, 12, 6, 0, 3)))
    labels = torch.cat([labels for _, labels in photos.batches(seed=5, start=0, stop=3)])
    assert labels.tolist() == photos.pack.labels[photos.pack.train[order]].tolist()


def test_the_number_of_threads_changes_nothing(
    photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = next(photos.batches(seed=0, start=0, stop=1))[0]
    monkeypatch.setattr("repro.data.photos.ordered_pool.usable_cores", lambda: 1)
    assert torch.equal(next(photos.batches(seed=0, start=0, stop=1))[0], many)


def test_a_view_is_pixels_of_0_to_1_less_the_mean(photos: Photos) -> None:
    raw = np.full((1, 32, 32, 3), 51, np.uint8)
    colour = photos.prepared(raw)[0, :, 0, 0]
    assert torch.allclose(colour, 0.2 - torch.tensor(photos.mean), atol=1e-6)


def obvious_batch(photos: Photos, seed: int, iteration: int) -> tuple[Tensor, Tensor]:
    """A batch of training, image by image, without threads and buffers."""
    (order,) = batch_indices(seed, photos.train_images, 6, iteration, iteration + 1)
    drawn = transforms.draws(seed, iteration, 6)
    shifts = transforms.colour_shift(drawn, 0.1)
    images, labels = [], []
    for place, row in enumerate(photos.pack.train[order]):
        image = Image.open(io.BytesIO(photos.pack.content(row))).convert("RGB")
        view = transforms.training_view(image, 32, drawn[place], (36, 68), flip=True)
        mean = np.array(photos.mean, np.float32) - shifts[place]
        pixels = torch.from_numpy(view.astype(np.float32)) * (1 / 255) - torch.from_numpy(mean)
        images.append(pixels.permute(2, 0, 1))
        labels.append(photos.pack.labels[row])
    return torch.stack(images), torch.tensor(np.array(labels))


def test_batches_are_to_the_bit_those_of_the_obvious_loop(photos: Photos) -> None:
    # Of more batches than there are buffers, all kept: none is written over.
    batches = list(photos.batches(seed=7, start=3, stop=3 + 3 * BUFFERS))
    for iteration, (images, labels) in enumerate(batches, start=3):
        expected, expected_labels = obvious_batch(photos, 7, iteration)
        assert torch.equal(images, expected)
        assert torch.equal(labels, expected_labels)


def test_the_test_images_are_to_the_bit_those_of_the_obvious_loop(photos: Photos) -> None:
    images = torch.cat([images for images, _ in photos.train_clean(batch=5)])
    for number, row in enumerate(photos.pack.train):
        image = Image.open(io.BytesIO(photos.pack.content(row))).convert("RGB")
        pixels = torch.from_numpy(transforms.centre_crop(image, 36, 32).astype(np.float32))
        expected = pixels * (1 / 255) - torch.tensor(photos.mean)
        assert torch.equal(images[number], expected.permute(2, 0, 1))


def test_a_batch_can_be_left_half_way(photos: Photos) -> None:
    batches = photos.batches(seed=0, start=0, stop=100)
    next(batches)
    batches.close()
    assert torch.equal(next(photos.batches(0, 1, 2))[0], obvious_batch(photos, 0, 1)[0])


def test_nothing_is_divided_by_the_deviation_unless_the_recipe_says_so(
    photos: Photos, tmp_path: Path
) -> None:
    divided = open_photos(recipe(input=replace(INPUT, std="channel")), tmp_path / "data")
    images, plain = next(divided.test())[0], next(photos.test())[0]
    assert torch.allclose(images, plain / torch.tensor(photos.std)[:, None, None], atol=1e-6)


def test_the_mean_is_that_of_the_training_images(photos: Photos, tmp_path: Path) -> None:
    files = (tmp_path / "in/train").rglob("*.JPEG")
    colours = [np.asarray(Image.open(file)).reshape(-1, 3).mean(0) / 255 for file in files]
    assert np.allclose(photos.mean, np.mean(colours, axis=0), atol=1e-12)


def test_the_tests_see_every_image_once_however_many_share_them(photos: Photos) -> None:
    whole = torch.cat([images for images, _ in photos.test(batch=4)])
    parts = [
        images for rank in range(4) for images, _ in photos.test(batch=4, share=Share(rank, 4))
    ]
    assert whole.shape == (6, 3, 32, 32)
    assert torch.equal(torch.cat(parts), whole)
    assert sum(len(labels) for _, labels in photos.train_clean()) == 12
    assert next(photos.test(share=Share(9, 10)))[0].shape[0] == 1


def test_generated_photos_are_made_at_first_use_and_are_varied(tmp_path: Path) -> None:
    source = open_source(recipe("generated-photos"), tmp_path / "data")
    again = open_source(recipe("generated-photos"), tmp_path / "elsewhere")
    assert (source.train_images, source.test_images, source.classes) == (160, 40, 10)
    assert source.hash == again.hash
    assert source.origin == "generated"
    images = [source._image(row) for row in range(200)]
    assert len({image.size for image in images}) > 100
    assert (
        48
        <= min(min(image.size) for image in images)
        <= max(max(image.size) for image in images)
        <= 96
    )
    assert torch.equal(next(source.batches(0, 0, 1))[0], next(again.batches(0, 0, 1))[0])


def test_an_image_that_went_bad_is_named(photos: Photos, tmp_path: Path) -> None:
    with (tmp_path / "data/imagenet/photos.pack").open("r+b") as file:
        file.write(b"\0" * 400)
    with pytest.raises(
        RunFailed, match=r"cannot decode `train/n00/0\.JPEG` of data set `imagenet`"
    ):
        list(photos.train_clean())


def test_a_pack_cut_while_it_is_read_is_named(photos: Photos, tmp_path: Path) -> None:
    (tmp_path / "data/imagenet/photos.pack").write_bytes(b"")
    with pytest.raises(UserError, match="it ends within `"):
        next(photos.test())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"test_side": None}, "`recipe.input.test_side` is not set"),
        ({"test_side": 31}, "`recipe.input.test_side` is `31`, and crops are 32×32"),
        ({"test_sides": ()}, "`recipe.input.test_sides` is"),
        (
            {"test_sides": (16, 32)},
            "`recipe.input.test_sides` is `\\(16, 32\\)`, and crops are 32×32",
        ),
    ],
)
def test_inputs_that_photos_cannot_have_are_refused(
    tmp_path: Path, change: dict, problem: str
) -> None:
    with pytest.raises(UserError, match=problem):
        open_photos(recipe("generated-photos", input=replace(INPUT, **change)), tmp_path)
