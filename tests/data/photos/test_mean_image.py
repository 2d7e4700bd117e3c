"""Photos less their mean image: an own one of the crop's size, subtracted from each crop."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.recipes import IMAGENET, VARIANTS
from experiments.scales import SCALES
from repro.data.photos import mean_image as module
from repro.data.photos import transforms
from repro.data.photos.imagenet import import_photos
from repro.data.photos.source import Photos, open_photos
from repro.data.sampling import batch_indices
from repro.data.staging import copy_to_node
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.distributed import Share
from repro.protocol.deviations import departures
from tests.data.photos.photo_files import INPUT, folders, recipe

BY_PIXEL = replace(INPUT, mean="pixel")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def photos(data: Path) -> Photos:
    return open_photos(recipe(input=BY_PIXEL), data)


def kept(data: Path) -> Path:
    return data / "imagenet" / "mean-image-36-32.npz"


def centre_crops(photos: Photos, rows: np.ndarray) -> list[np.ndarray]:
    images = [Image.open(io.BytesIO(photos.pack.content(row))).convert("RGB") for row in rows]
    return [transforms.centre_crop(image, 36, 32) for image in images]


def test_it_is_the_mean_of_the_training_photos_centre_crops(photos: Photos) -> None:
    expected = np.mean(centre_crops(photos, photos.pack.train), axis=0) / 255
    assert photos.mean_image.shape == (32, 32, 3)
    assert np.abs(photos.mean_image - expected).max() < 1e-6
    assert photos.mean_image.std(axis=(0, 1)).min() > 0.01  # an image, and no single colour


def test_it_is_subtracted_from_each_crop_of_a_test(photos: Photos) -> None:
    images = torch.cat([images for images, _ in photos.test(batch=4)])
    crops = np.stack(centre_crops(photos, photos.pack.val)).astype(np.float32)
    expected = torch.from_numpy(crops) * (1 / 255) - torch.from_numpy(photos.mean_image)
    assert torch.allclose(images, expected.permute(0, 3, 1, 2), atol=1e-6)


def test_in_training_it_is_subtracted_from_the_flipped_crop_and_the_colours_still_shift(
    photos: Photos,
) -> None:
    images, _ = next(photos.batches(seed=7, start=3, stop=4))
    (order,) = batch_indices(7, photos.train_images, 6, 3, 4)
    drawn = transforms.draws(7, 3, 6)
    shifts = transforms.colour_shift(drawn, 0.1)
    for place, row in enumerate(photos.pack.train[order]):
        image = Image.open(io.BytesIO(photos.pack.content(row))).convert("RGB")
        view = transforms.training_view(image, 32, drawn[place], (36, 68), flip=True)
        expected = view / 255 + shifts[place] - photos.mean_image
        assert np.abs(images[place].permute(1, 2, 0).numpy() - expected).max() < 1e-6
    assert np.abs(shifts).max() > 0.01


def test_whole_images_lose_its_colour(photos: Photos) -> None:
    whole = np.full((1, 36, 50, 3), 51, np.uint8)
    colour = photos.prepared(whole)[0, :, 5, 7]
    expected = 0.2 - torch.from_numpy(photos.mean_image).mean((0, 1))
    assert torch.allclose(colour, expected, atol=1e-6)


def test_it_is_computed_once_and_kept_beside_the_photos(
    photos: Photos, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the photos were read again")

    monkeypatch.setattr(module, "map_in_order", refuse)
    again = open_photos(recipe(input=BY_PIXEL), data)
    assert np.array_equal(again.mean_image, photos.mean_image)


def test_a_copy_on_a_nodes_own_disk_has_it_too(photos: Photos, data: Path, tmp_path: Path) -> None:
    copy = copy_to_node(data / "imagenet", tmp_path / "scratch")
    assert kept(copy).read_bytes() == kept(data).read_bytes()


@pytest.mark.parametrize("damage", ["cut", "emptied", "edited", "of other photos"])
def test_one_that_is_damaged_or_of_other_photos_is_computed_again(
    photos: Photos, data: Path, damage: str
) -> None:
    path = kept(data)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "emptied":
        path.write_bytes(b"")
    else:
        with np.load(path) as file:
            image, about = file["image"], str(file["about"])
        if damage == "edited":
            image = image + np.float32(0.1)
        else:
            about = "0" * 64 + about[64:]
        np.savez(path, image=image, about=np.array(about))
    again = open_photos(recipe(input=BY_PIXEL), data)
    assert np.array_equal(again.mean_image, photos.mean_image)
    assert path.read_bytes() == content


def test_several_processes_read_a_share_each_and_have_the_same_image(
    photos: Photos, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(data).unlink()
    parts: list[torch.Tensor] = []
    for rank in range(3):
        monkeypatch.setattr(module, "share", lambda rank=rank: Share(rank, 3))
        monkeypatch.setattr(
            module, "total_in_memory", lambda values: parts.append(values.clone()) or values
        )
        module.mean_image(photos.pack, photos._image, 36, 32)
        kept(data).unlink(missing_ok=True)
    sums = [part for part in parts if part.shape == (32, 32, 3)]
    together = (sum(sums).numpy() / (255 * photos.train_images)).astype(np.float32)
    assert len(sums) == 3
    assert np.array_equal(together, photos.mean_image)


def test_where_nothing_may_be_written_it_is_used_all_the_same(
    photos: Photos, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _: bytes) -> None:
        from repro.storage.atomic import cannot_write

        raise cannot_write(path, PermissionError(13, "Permission denied"))

    kept(data).unlink()
    monkeypatch.setattr(module, "write_atomic", refuse)
    again = open_photos(recipe(input=BY_PIXEL), data)
    assert np.array_equal(again.mean_image, photos.mean_image)
    assert not kept(data).exists()


@pytest.mark.parametrize("scale", ["paper", "quick", "smoke"])
def test_the_variant_takes_the_departure_away_at_every_scale(scale: str) -> None:
    default = Run(resnet(18, "A", "imagenet"), IMAGENET)
    scaled = SCALES[scale](default)
    variant = SCALES[scale](VARIANTS["mean-image"](default))
    assert "recipe.input.mean" in {departure.field for departure in departures(scaled)}
    assert "recipe.input.mean" not in {departure.field for departure in departures(variant)}
    assert scaled.recipe.input == replace(variant.recipe.input, mean="channel")
