"""Views of a photo are torchvision's where it has them, and what is drawn is uniform."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from repro.data.photos import transforms
from tests.data.photos.photo_files import pixels


def test_cropping_while_resizing_is_cropping_after_resizing() -> None:
    image = Image.fromarray(pixels(1, 97, 61))
    for side in (36, 61, 68):
        resized = transforms.resize_whole(image, side).astype(int)
        assert resized.shape[0] == side
        cut = resized[3:35, 5:37]
        assert np.abs(transforms.crop(image, side, 5, 3, 32) - cut).max() <= 2
        assert np.abs(transforms.crop(image, side, 5, 3, 32) - cut).mean() < 0.1


def test_the_centre_crop_is_torchvisions() -> None:
    usual = v2.Compose([v2.Resize(36), v2.CenterCrop(32)])
    for width, height in ((60, 48), (41, 83), (36, 36), (99, 50)):
        image = Image.fromarray(pixels(2, width, height))
        assert np.array_equal(transforms.centre_crop(image, 36, 32), np.asarray(usual(image)))


def test_the_ten_crops_are_torchvisions_in_another_order() -> None:
    usual = v2.Compose([v2.Resize(36), v2.TenCrop(32)])
    image = Image.fromarray(pixels(3, 80, 48))
    ours, theirs = transforms.ten_crops(image, 36, 32), (np.asarray(crop) for crop in usual(image))
    assert {crop.tobytes() for crop in ours} == {crop.tobytes() for crop in theirs}


def test_the_drawn_sides_places_and_flips_are_uniform_and_reach_both_ends() -> None:
    seen = {"side": [], "left": [], "flip": []}
    image = Image.fromarray(np.zeros((50, 90, 3), np.uint8))

    def crop(_: Image.Image, side: int, left: int, top: int, size: int) -> np.ndarray:
        seen["side"].append(side)
        seen["left"].append(left / (90 * side // 50 - size))
        assert 0 <= top <= side - size
        return np.arange(2)[None, :, None]

    drawn = transforms.draws(seed=0, iteration=0, batch=4000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transforms, "crop", crop)
        for row in drawn:
            seen["flip"].append(
                transforms.training_view(image, 32, row, (36, 68), flip=True)[0, 0, 0]
            )
    assert (min(seen["side"]), max(seen["side"])) == (36, 68)
    assert abs(np.mean(seen["side"]) - 52) < 0.6
    assert (min(seen["left"]), max(seen["left"])) == (0, 1)
    assert abs(np.mean(seen["left"]) - 0.5) < 0.02
    assert abs(np.mean(seen["flip"]) - 0.5) < 0.03


def test_without_flips_nothing_is_flipped() -> None:
    image = Image.fromarray(pixels(4, 36, 36))
    row = np.array([0, 0, 0, 1, 0, 0, 0, 0], np.uint64)
    plain = transforms.training_view(image, 36, row, (36, 36), flip=False)
    assert np.array_equal(plain, np.asarray(image))
    assert np.array_equal(
        transforms.training_view(image, 36, row, (36, 36), flip=True), np.asarray(image)[:, ::-1]
    )


def test_the_colours_move_along_the_principal_components() -> None:
    shifts = transforms.colour_shift(
        transforms.draws(seed=0, iteration=0, batch=20_000), sigma=0.1
    ).astype(np.float64)
    assert np.abs(shifts.mean(0)).max() < 1e-3
    along = shifts @ transforms.EIGENVECTORS  # the vectors are orthogonal
    assert np.allclose(along.std(0), 0.1 * transforms.EIGENVALUES, rtol=0.02)
    assert np.abs(transforms.EIGENVECTORS.T @ transforms.EIGENVECTORS - np.eye(3)).max() < 1e-3
